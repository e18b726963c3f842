/** @file Ingests a table of texts into a new store: `node ingest-rows-worker.ts TABLE WORKSPACE`. */

import { systemClock } from "../src/clock.ts";
import { ingest } from "../src/ingest/ingest.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { defineTask } from "../src/task.ts";
import { sayPeak } from "./memory-support.ts";

const [path = "", directory = ""] = process.argv.slice(2);
const task = defineTask({
  name: "rows",
  input: "text",
  instructions: "Which is it?",
  output: { kind: "choice", choices: ["a", "b"] },
  columns: { id: "id", gold: "label" },
  teacher: { model: "compatible/none" },
});
await using store = await openSqliteStore({ directory });
const startedMs = performance.now();
const { files, added, rejected, gold } = await ingest({ store, task, path, clock: systemClock });
const rowsPerSecond = Math.round(files / ((performance.now() - startedMs) / 1_000));
sayPeak({ files, added, rejected, gold: gold?.matched, rowsPerSecond });
