/** @file Labels a workspace: `node label-worker.ts DIRECTORY TASK`, with the task as JSON. Made to be killed. */

import { systemClock } from "../../src/clock.ts";
import { labelRows } from "../../src/label/label-rows.ts";
import { openTeacher } from "../../src/label/teacher.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { parseAnyTask } from "../../src/task.ts";

const [directory = "", definition = ""] = process.argv.slice(2);
const task = parseAnyTask(JSON.parse(definition));
await using store = await openSqliteStore({ directory });
const teacher = openTeacher({ task, env: process.env });
console.log(JSON.stringify(await labelRows({ store, task, teacher, clock: systemClock, seed: "worker" })));
