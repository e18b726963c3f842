/**
 * @file Labels whatever its workspace still lacks: `node labelling-rate-worker.ts WORKSPACE URL`. Made to be killed at any
 * moment and started again. Prints what it used when it comes to the end.
 */

import { systemClock } from "../src/clock.ts";
import { labelRows } from "../src/label/label-rows.ts";
import { openTeacher } from "../src/label/teacher.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { labellingTask } from "./labelling-support.ts";

const [directory = "", url = ""] = process.argv.slice(2);
const task = labellingTask("text", url);
await using store = await openSqliteStore({ directory });
const teacher = openTeacher({ task, env: process.env });
const summary = await labelRows({ store, task, teacher, clock: systemClock, seed: "bench" });
const { user, system } = process.cpuUsage();
console.log(
  JSON.stringify({ ...summary, cpuMs: (user + system) / 1000, peakRssMb: process.resourceUsage().maxRSS / 1024 }),
);
