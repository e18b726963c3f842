/** The command line on texts, records and logs, in processes of its own. */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const main = resolve("src/cli/main.ts");

function flywheel(...words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [main, ...words], (error, stdout, stderr) => {
      done({ code: typeof error?.code === "number" ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-inputs-"));
});
afterEach(() => rm(root, { recursive: true }));

async function write(name: string, content: string): Promise<string> {
  const path = join(root, name);
  await writeFile(path, content);
  return path;
}

test("ingest shows the columns and their types, what was refused and where, and what to look at", async () => {
  const task = {
    name: "churn",
    input: "record",
    instructions: "Will they leave?",
    output: { kind: "predicate" },
    columns: { id: "nr", gold: "left" },
    teacher: { model: "compatible/none", baseUrl: "http://127.0.0.1:1/v1" },
  };
  await write("flywheel.config.json", JSON.stringify(task));
  const data = await write("data.csv", "nr;age;plan;empty;left\n1;30;gold;;yes\n2;inf;gold;;no\n3;41;basic;;no\n4;5\n");
  const { code, stdout } = await flywheel("--dir", root, "ingest", data);
  expect(code).toBe(0);
  expect(stdout).toContain("4 records: 2 new rows, 0 duplicates, 0 unchanged, 2 rejected");
  expect(stdout).toContain(`✗ ${data}:3: column "age" holds inf, which is not finite [value_not_finite]`);
  expect(stdout).toContain("[row_ragged]");
  expect(stdout).toMatch(/^ {2}age +number, 2 different, 1 missing$/m);
  expect(stdout).toMatch(/^ {2}left +gold, 2 different$/m);
  expect(stdout).toContain('note: column "empty" is empty in every row');

  const leaking = await write("flywheel.config.json", JSON.stringify({ ...task, columns: { id: "nr" }, name: "left" }));
  const refused = await flywheel("--dir", root, "ingest", data);
  expect(refused.code, leaking).toBe(1);
  expect(refused.stderr).toContain("[column_looks_like_answer]");
  expect(refused.stderr).toContain('columns.gold: "left"');
});

test("scan needs no workspace: a log in, a page and one JSON value out", async () => {
  const line = (n: number) => ({
    input: `Case ${n}: ${n % 2 ? "a refund, please" : "where is my parcel"}`,
    output: { topic: n % 2 ? "refund" : "shipping" },
    model: "my-model",
    usage: { input_tokens: 500, output_tokens: 5 },
  });
  const log = await write("log.jsonl", Array.from({ length: 1_000 }, (_, n) => JSON.stringify(line(n))).join("\n"));
  const page = join(root, "scan.html");
  const options = ["--out", page, "--per-month", "5000000", "--price", "2.5,10"];
  const { code, stdout } = await flywheel("--json", "scan", log, ...options);
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ format: "input-output", calls: 1_000, page, volume: { perMonth: 5_000_000 } });
  expect(result.levels.at(-1).answered.value).toBeGreaterThan(0.9);
  expect(result.levels.at(-1).savedPerMonthUsd.value).toBeGreaterThan(1_000);
  expect(await readFile(page, "utf8")).toContain("of these 1,000 calls could be answered locally");
  expect((await flywheel("scan", log, "--price", "cheap")).code).toBe(2);
}, 30_000);
