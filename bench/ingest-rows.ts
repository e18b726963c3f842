/**
 * @file Bar `ingest-rows`: a million texts of a CSV are ingested in bounded memory. `FLYWHEEL_BENCH_ROWS` makes it another
 * number.
 */

import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createRng } from "../src/math/random.ts";
import { measureProgram } from "./memory-support.ts";

const ROWS = Number(process.env["FLYWHEEL_BENCH_ROWS"] ?? 1_000_000);
const TARGET_MB = 768;
const WORDS = 20;
const VOCABULARY = 50_000;

/** Sentences of made-up words, no two alike. */
function* lines(): Generator<string> {
  const rng = createRng("ingest-rows");
  yield "id,text,label\n";
  for (let row = 0; row < ROWS; row++) {
    const words = Array.from({ length: WORDS }, () => rng.integer(VOCABULARY).toString(36));
    yield `${row},"${words.join(" ")}, row ${row}",${row % 2 === 0 ? "a" : "b"}\n`;
  }
}

const root = await mkdtemp(join(tmpdir(), "flywheel-ingest-rows-"));
try {
  const table = join(root, "rows.csv");
  await pipeline(Readable.from(lines()), createWriteStream(table));
  console.log(`ingesting ${ROWS.toLocaleString("en")} rows`);
  const program = join(import.meta.dirname, "ingest-rows-worker.ts");
  const { peakRssMb, seconds, said } = await measureProgram(program, [table, join(root, "workspace")]);
  console.log(`${peakRssMb.toFixed(0)} MB at most, ${seconds.toFixed(0)} s, ${JSON.stringify(said)}`);
  const figures = { rows: ROWS, peakRssMb, seconds, ...said };
  const met = peakRssMb < TARGET_MB && said["added"] === ROWS;
  console.log(JSON.stringify({ bar: "ingest-rows", figures, target: { peakRssMb: TARGET_MB, added: ROWS }, met }));
} finally {
  await rm(root, { recursive: true });
}
