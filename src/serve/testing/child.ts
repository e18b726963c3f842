/**
 * @file A server in a process of its own, for tests that kill it: `node child.ts DIRECTORY TEACHER_URL OPTIONS_JSON`, with
 * `OPTIONS_JSON` changing the task. Prints its address once it listens; drains on SIGTERM.
 */

import { openTeacher } from "../../label/teacher.ts";
import { openSqliteStore } from "../../store/sqlite.ts";
import { startServer } from "../server.ts";
import { openColourStudent } from "./colour-student.ts";
import { fruitPhotoTask } from "./task.ts";

const [directory = "", teacherUrl = "", changes = "{}"] = process.argv.slice(2);
const task = fruitPhotoTask(teacherUrl, JSON.parse(changes));
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

await using store = await openSqliteStore({ directory });
const server = await startServer({
  task,
  store,
  teacher: openTeacher({ task, env: {} }),
  loadStudent: () => openColourStudent("m1"),
  port: 0,
  signal: stop.signal,
});
process.stdout.write(`${server.url}\n`);
await server.closed;
