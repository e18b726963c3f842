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
  expect(stdout).toContain(`✗ ${data}:3: column "age" holds inf, which is not finite: leave the cell empty`);
  expect(stdout).toContain("[row_ragged]");
  expect(stdout).toMatch(/^ {2}age +number, 2 different, 1 missing$/m);
  expect(stdout).toMatch(/^ {2}left +gold, 2 different$/m);
  expect(stdout).toContain('note: column "empty" is empty in every row');

  const gold = await write("gold.csv", "nr;age;plan;empty;left\n9;77;gold;;yes\n1;30;gold;;perhaps\n");
  const measured = await flywheel("--dir", root, "ingest", data, "--gold", gold);
  expect(measured.stdout).toContain(`✗ ${gold}:2: no row says the same`);
  expect(measured.stdout).toContain(`✗ ${gold}:3: "perhaps" is no label of the task`);

  const leaking = await write("flywheel.config.json", JSON.stringify({ ...task, columns: { id: "nr" }, name: "left" }));
  const refused = await flywheel("--dir", root, "ingest", data);
  expect(refused.code, leaking).toBe(1);
  expect(refused.stderr).toContain("[column_looks_like_answer]");
  expect(refused.stderr).toContain('columns.gold: "left"');
});

test("ingest fails where every row is rejected, and sends nobody on to label nothing", async () => {
  const task = {
    name: "churn",
    input: "record",
    instructions: "Will they leave?",
    output: { kind: "predicate" },
    columns: { features: { age: "number" } },
    teacher: { model: "compatible/none", baseUrl: "http://127.0.0.1:1/v1" },
  };
  await write("flywheel.config.json", JSON.stringify(task));
  const bad = await write("bad.csv", "age,plan\nold,gold\nyoung,basic\n");
  const { code, stdout } = await flywheel("--dir", root, "ingest", bad);
  expect(code).toBe(1);
  expect(stdout).toContain("2 records: 0 new rows, 0 duplicates, 0 unchanged, 2 rejected");
  expect(stdout).toMatch(/^next: mend what was rejected and ingest again/m);
  expect(stdout).not.toContain("flywheel label");
  const mixed = await write("mixed.csv", "age,plan\n41,gold\nyoung,basic\n");
  const some = await flywheel("--dir", root, "ingest", mixed);
  expect(some.code).toBe(0);
  expect(some.stdout).toContain("next: `flywheel plan`, then `flywheel label`");
});

test("ingest of a log says what it gives each field, and what it leaves out", async () => {
  const task = {
    name: "mail",
    input: "text",
    fields: {
      topic: { instructions: "About what?", output: { kind: "choice", choices: ["bill", "parcel"] } },
      urgent: { instructions: "Does it hurry?", output: { kind: "predicate" } },
    },
    teacher: { model: "compatible/none", baseUrl: "http://127.0.0.1:1/v1" },
  };
  await write("flywheel.config.json", JSON.stringify(task));
  const log = (name: string, outputs: readonly unknown[]) =>
    write(name, outputs.map((output, n) => JSON.stringify({ input: `${name} ${n}`, output })).join("\n"));
  const topics = await log("topics.jsonl", [{ topic: "bill" }, { topic: "parcel" }]);
  const one = await flywheel("--dir", root, "ingest", topics);
  expect(one.code).toBe(0);
  expect(one.stdout).toContain("2 answers are labels (0 in every field), 2 of them the teacher's");
  expect(one.stdout).toMatch(/^ {2}topic: 2 labels, 0 answers without one$/m);
  expect(one.stdout).toMatch(/^ {2}urgent: 0 labels, 2 answers without one$/m);
  expect(one.stdout).toContain(`✗ ${topics}:1: "urgent: left out"`);
  expect(one.stdout).toMatch(/^note: 2 answers leave a field out/m);
  expect(one.stdout).toMatch(/^next: `flywheel plan`, then `flywheel label`$/m);
  const whole = await log("whole.jsonl", [{ topic: "bill", urgent: true }]);
  const both = await flywheel("--dir", root, "ingest", whole);
  expect(both.stdout).toContain("1 answers are labels (1 in every field), 1 of them the teacher's");
  expect(both.stdout).toMatch(/^next: `flywheel train` on the answers of the log/m);
});

test("ingest of a log names the place of each answer that means nothing, and how many more there are", async () => {
  const task = {
    name: "mail",
    input: "text",
    instructions: "About what?",
    output: { kind: "choice", choices: ["bill", "parcel"] },
    teacher: { model: "compatible/none", baseUrl: "http://127.0.0.1:1/v1" },
  };
  await write("flywheel.config.json", JSON.stringify(task));
  const said = (text: string) => JSON.stringify([{ role: "assistant", parts: [{ type: "text", content: text }] }]);
  const asked = (text: string) => JSON.stringify([{ role: "user", parts: [{ type: "text", content: text }] }]);
  const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const span = (n: number) => ({
    attributes: [
      attribute("gen_ai.input.messages", asked(`letter ${n}`)),
      attribute("gen_ai.output.messages", said(n % 5 === 0 ? `who knows ${n}` : "bill")),
    ],
  });
  const exported = (from: number) =>
    JSON.stringify({
      resourceSpans: [{ scopeSpans: [{ spans: Array.from({ length: 30 }, (_, n) => span(from + n)) }] }],
    });
  const log = await write("spans.jsonl", [0, 30].map(exported).join("\n"));
  const { code, stdout } = await flywheel("--dir", root, "ingest", log);
  expect(code).toBe(0);
  expect(stdout).toContain("✓ 48 of 60: no instructions");
  expect(stdout).toMatch(/✗ .*spans.jsonl:1#1: "who knows 0"/);
  expect(stdout).toMatch(/✗ .*spans.jsonl:2#1: "who knows 30"/);
  expect(stdout).toMatch(/^ {2}… and 2 more$/m);
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

test("scan has a line for each answer of a call, and takes those that are named alone", async () => {
  const line = (n: number) => ({
    input: `Case ${n}: ${n % 2 ? "a refund, please" : "where is my parcel"}, ${n % 3 ? "at once" : "some day"}`,
    output: { topic: n % 2 ? "refund" : "shipping", urgent: n % 3 !== 0, reason: `because of ${n}` },
  });
  const log = await write("log.jsonl", Array.from({ length: 1_000 }, (_, n) => JSON.stringify(line(n))).join("\n"));
  const page = join(root, "scan.html");
  const { code, stdout } = await flywheel("scan", log, "--out", page);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ {2}1,000 calls, 2 answers each, all of them local in \d/m);
  expect(stdout).toMatch(/calls could be answered locally; at most 5.0 % of a decision's would be answered otherwise/);
  expect(stdout).toMatch(/all of them local in [^:]+: no instructions$/m);
  expect(stdout).toMatch(/^ {4}topic: 2 labels, as the LLM 100.0 %, local in \d/m);
  expect(stdout).toMatch(/^ {4}urgent: 2 labels, as the LLM 100.0 %, local in \d/m);
  expect(stdout).toMatch(/^ {4}left out: reason \(free answers/m);
  const one = await flywheel("--json", "scan", log, "--out", page, "--field", "urgent");
  const [decision] = JSON.parse(one.stdout).decisions;
  expect(decision.fields).toHaveLength(1);
  expect(decision.fields[0]).toMatchObject({ name: "urgent", labels: [{ value: "true" }, { value: "false" }] });
  expect(decision.fields[0]).not.toHaveProperty("curve");
  const none = await flywheel("--json", "scan", log, "--out", page, "--field", "colour");
  expect([none.code, JSON.parse(none.stdout).error.code]).toEqual([1, "scan_no_decisions"]);
  expect(JSON.parse(none.stdout).error.hint).toContain("--field counts colour alone");
}, 30_000);
