/**
 * @file Labels a workspace of pictures: `node memory-label-worker.ts FOLDER WORKSPACE`. The teacher runs in a process of
 * its own, answers at once and knows no limit: what is measured is the memory of labelling at its fastest.
 */

import { systemClock } from "../src/clock.ts";
import { labelRows } from "../src/label/label-rows.ts";
import { openTeacher } from "../src/label/teacher.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { labellingTask, spawnTeacher } from "./labelling-support.ts";
import { sayPeak } from "./memory-support.ts";

const [, directory = ""] = process.argv.slice(2);
await using simulated = await spawnTeacher({ errorRate: 0.05, seed: "memory" });
const task = labellingTask("image", simulated.url);
await using store = await openSqliteStore({ directory });
const teacher = openTeacher({ task, env: process.env });
const startedMs = performance.now();
const { answers, labels, failed } = await labelRows({ store, task, teacher, clock: systemClock, seed: "memory" });
const requests = answers.reduce((sum, count) => sum + count, 0);
const perSecond = Math.round((requests * 1_000) / (performance.now() - startedMs));
sayPeak({ requests, labels: labels.total, failed, requestsPerSecond: perSecond });
