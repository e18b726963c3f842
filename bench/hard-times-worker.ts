/**
 * @file A server for the benchmarks `deadline` and `hostile`, in a process of its own: a student that can be steered, a
 * teacher wherever it is said to be. Prints its address; at each line on standard input, its longest pause since the last.
 */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { pino } from "pino";
import { openTeacher } from "../src/label/teacher.ts";
import { createTestStudent, fruitTask, promote } from "../src/route/testing/fixtures.ts";
import { startServer } from "../src/serve/server.ts";
import { openColourStudent } from "../src/serve/testing/colour-student.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import type { HardTimes } from "./hard-times-support.ts";

const { directory, input, deadlineMs, teacherUrl, imageHosts = [] } = JSON.parse(process.argv[2] ?? "{}") as HardTimes;
const named = fruitTask();
const columns = { features: { age: "number", plan: "category" } } as const;
const task = fruitTask({
  input,
  ...(input === "record" ? { columns } : {}),
  teacher: { ...named.teacher, baseUrl: teacherUrl ?? "http://127.0.0.1:1/v1" },
  whenTeacherDown: "answer-flagged",
});
await using store = await openSqliteStore({ directory });
if (!(await store.policies.champion())) await promote(store, task);
const server = await startServer({
  task,
  store,
  teacher: openTeacher({ task, env: {} }),
  loadStudent: async () => (input === "image" ? await openColourStudent("m1") : createTestStudent("m1")),
  port: 0,
  deadlineMs,
  imageHosts,
  log: pino({ level: process.env["FLYWHEEL_LOG_LEVEL"] ?? "silent" }, pino.destination(2)),
});

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify({ pauseMs: delay.max / 1e6 })}\n`);
  delay.reset();
}
