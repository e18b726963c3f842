/** @file Ingests a folder into a new store: `node memory-ingest-worker.ts FOLDER WORKSPACE`. */

import { systemClock } from "../src/clock.ts";
import { ingest } from "../src/ingest/ingest.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { defineTask } from "../src/task.ts";
import { sayPeak } from "./memory-support.ts";

const [path = "", directory = ""] = process.argv.slice(2);
const task = defineTask({
  name: "memory",
  input: "image",
  instructions: "Which is it?",
  output: { kind: "choice", choices: ["a", "b"] },
  teacher: { model: "compatible/none" },
});
await using store = await openSqliteStore({ directory });
const startedMs = performance.now();
const { files, added, unchanged } = await ingest({ store, task, path, clock: systemClock });
sayPeak({ files, added, unchanged, filesPerSecond: Math.round(files / ((performance.now() - startedMs) / 1_000)) });
