import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Row } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { splitOf, type Task, type TaskDefinition } from "../task.ts";
import { type IngestSummary, ingest } from "./ingest.ts";
import type { IngestOptions } from "./ingest-options.ts";
import { openDuckDb } from "./tables/duckdb.ts";
import { clock, moodTask } from "./testing.ts";

const churn = (columns: TaskDefinition["columns"] = {}): Task =>
  moodTask({ name: "churn", input: "record", output: { kind: "predicate" }, columns });

let root: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-texts-"));
  store = await openSqliteStore({ directory: join(root, "store") });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(root, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, content);
  return path;
}

/** Ingests one file of that name and content. */
async function run(
  name: string,
  content: string | Uint8Array,
  changes: Partial<IngestOptions> = {},
): Promise<IngestSummary> {
  return await ingest({ store, task: moodTask(), path: await write(name, content), clock, ...changes });
}

const rows = (): Promise<readonly Row[]> => Array.fromAsync(store.rows.list());
const texts = async () => (await rows()).flatMap(({ input }) => (input.kind === "text" ? [input.text] : [])).toSorted();
const records = async () => (await rows()).flatMap(({ input }) => (input.kind === "record" ? [input.fields] : []));
const refusals = ({ rejections }: IngestSummary) =>
  rejections.map(({ source, code }) => `${source.slice(source.lastIndexOf(":"))} ${code}`);

describe("texts", () => {
  test("of a CSV become rows, duplicates one row, in the split of their content", async () => {
    const summary = await run("a.csv", 'text,other\n"Hello, you",1\nHello  there,2\nHello there,3\n');
    expect(summary).toMatchObject({ files: 3, added: 2, duplicates: 1, rejected: 0 });
    expect(await texts()).toEqual(["Hello  there", "Hello, you"]);
    for (const row of await rows()) {
      expect(row).toMatchObject({ origin: "ingest", uniform: true, propensity: 1, createdAt: 42 });
      expect(row.split).toBe(splitOf(row.id, moodTask().splits));
    }
    const [row] = (await rows()).filter(({ input }) => input.kind === "text" && input.text === "Hello  there");
    expect(await store.rows.sources(row!.id)).toEqual([join(root, "a.csv:3"), join(root, "a.csv:4")]);
  });

  test("are the same rows from CSV, JSONL, JSON and Parquet, packed or not", async () => {
    const lines = ["first, of all", "zwei\nZeilen", "три", "四 🍎"];
    const csv = `text\n${lines.map((text) => `"${text}"`).join("\n")}\n`;
    await using database = await openDuckDb("");
    const parquet = join(root, "a.parquet");
    await database.all(
      `copy (select * from read_csv('${await write("b.csv", csv)}')) to '${parquet}' (format parquet)`,
    );
    const jsonl = `\uFEFF${lines.map((text) => JSON.stringify({ text })).join("\r\n")}`;
    expect(await run("a.csv", csv)).toMatchObject({ added: 4, duplicates: 0 });
    expect(await run("a.csv.gz", gzipSync(csv))).toMatchObject({ added: 0, duplicates: 4 });
    expect(await run("a.jsonl", jsonl)).toMatchObject({ added: 0, duplicates: 4 });
    expect(await run("a.jsonl.gz", gzipSync(jsonl))).toMatchObject({ added: 0, duplicates: 4 });
    expect(await run("a.json", JSON.stringify(lines.map((text) => ({ text }))))).toMatchObject({ duplicates: 4 });
    expect(await ingest({ store, task: moodTask(), path: parquet, clock })).toMatchObject({ added: 0, duplicates: 4 });
  });

  test("of UTF-16, which spreadsheets call Unicode text, are read", async () => {
    await run("a.csv", Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("text;n\nnaïve;1\nété;2\n", "utf16le")]));
    expect(await texts()).toEqual(["naïve", "été"]);
  });

  test("of a folder: each text file is one, tables are read too, what has not changed is not read again", async () => {
    await write("data/a.txt", "one\n");
    await write("data/deep/b.md", "two");
    await write("data/c.csv", "text\nthree\nfour\n");
    await write("data/latin.txt", Buffer.from("caf\xe9", "latin1"));
    await write("data/x.pdf", "%PDF");
    const path = join(root, "data");
    const first = await ingest({ store, task: moodTask(), path, clock });
    expect(first).toMatchObject({ files: 5, added: 4, rejected: 1, ignored: { ".pdf": 1 } });
    await write("data/d.csv", "text\nfive\n");
    const { columns } = await ingest({ store, task: moodTask(), path, clock });
    expect(columns).toMatchObject([{ name: "text", role: "text", distinct: 3 }]);
    expect(first.rejections).toMatchObject([{ code: "invalid_utf8" }]);
    expect(await ingest({ store, task: moodTask(), path, clock })).toMatchObject({ unchanged: 2, duplicates: 3 });
  });

  test("of a folder have their gold by file, or by what they say", async () => {
    await write("data/a.txt", "lovely");
    await write("data/deep/b.md", "bah");
    const path = join(root, "data");
    const goldOf = async (content: string) =>
      (await ingest({ store, task: moodTask(), path, clock, goldPath: await write("gold.csv", content) })).gold;
    const byFile = await goldOf("file,label\na.txt,good\ndeep/b.md,bad\nc.txt,bad\nb.md,so so\n");
    expect(byFile).toMatchObject({
      matched: 2,
      unmatched: { count: 1, first: [{ source: expect.stringMatching(/gold.csv:4$/), text: "c.txt" }] },
      unknownLabels: { count: 1 },
    });
    expect([...(await store.gold.all()).values()].toSorted()).toEqual(["bad", "good"]);
    // A text beside the file says more than its name.
    expect(await goldOf("file,text,label\nelsewhere.txt,lovely,bad\n")).toMatchObject({ matched: 1 });
    expect([...(await store.gold.all()).values()]).toEqual(["bad", "bad"]);
    expect(await goldOf("file,label\n")).toMatchObject({ matched: 0 });
  });

  test("have their gold in a column or in a file of their own", async () => {
    const task = moodTask({ columns: { text: "sentence", gold: "mood", id: "nr" } });
    const summary = await run("a.csv", "nr,sentence,mood\nx1,lovely,Good\nx2,bah,awful\nx3,hm,so so\n,none,\n", {
      task,
    });
    expect(summary.gold).toMatchObject({
      matched: 2,
      unknownLabels: { count: 1, first: [{ source: `${join(root, "a.csv")}:4`, text: "so so" }] },
    });
    expect([...(await store.gold.all()).values()].toSorted()).toEqual(["bad", "good"]);
    expect(await store.rows.bySource(`${join(root, "a.csv")}:2 x1`)).toBeDefined();
    const goldPath = await write("gold.csv", "sentence,label\nhm,bad\nnever seen,good\n");
    const again = await run("b.csv", "sentence\nhm\n", { task: moodTask({ columns: { text: "sentence" } }), goldPath });
    expect(again.gold).toMatchObject({
      matched: 1,
      unmatched: { count: 1, first: [{ source: `${goldPath}:3`, text: "" }] },
    });
  });

  test("are read as a table gives them, whatever is in the cells", async () => {
    const cell = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter((text) => !text.includes("\0") && text.trim() !== "");
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(cell, { minLength: 1, maxLength: 8 }), async (cells) => {
        const csv = `n,text\n${cells.map((text, n) => `${n},"${text.replaceAll('"', '""')}"`).join("\n")}\n`;
        const summary = await run("p.csv", csv);
        expect(summary).toMatchObject({ files: cells.length, rejected: 0 });
        const seen = await Promise.all(
          cells.map((text) => store.rows.bySource(`${join(root, "p.csv")}:${lineIn(text, cells)}`)),
        );
        expect(seen).not.toContain(undefined);
      }),
      { numRuns: 15 },
    );
  });
});

/** The line on which the record of `text` begins, as an editor counts. */
function lineIn(text: string, cells: readonly string[]): number {
  const before = cells.slice(0, cells.indexOf(text));
  return 2 + before.reduce((lines, cell) => lines + 1 + (cell.match(/\r\n|\r|\n/g)?.length ?? 0), 0);
}

describe("records", () => {
  const table =
    "customerID,Plan,tenure,zip,Charges,Churn\nc1,gold,3,01234,29.85,No\nc2,silver,,10001,NaN,Yes\nc3,gold,12,02000,5,No\n";
  const columns = { id: "customerID", gold: "Churn" };

  test("take every column but gold and id, each cell by its own spelling", async () => {
    const summary = await run("c.csv", table, { task: churn(columns) });
    expect(summary).toMatchObject({ added: 3, gold: { matched: 3 } });
    expect(await records()).toContainEqual({ Plan: "gold", tenure: 3, zip: "01234", Charges: 29.85 });
    expect(await records()).toContainEqual({ Plan: "silver", tenure: null, zip: 10001, Charges: null });
    expect(summary.columns).toMatchObject([
      { name: "customerID", role: "id", type: "category", missing: 0, distinct: 3 },
      { name: "Plan", role: "feature", type: "category", distinct: 2 },
      { name: "tenure", role: "feature", type: "number", missing: 1 },
      { name: "zip", role: "feature", type: "mixed" },
      { name: "Charges", role: "feature", type: "number", missing: 1 },
      { name: "Churn", role: "gold", type: "category", distinct: 2 },
    ]);
  });

  test("take the types that the task gives", async () => {
    const features = { zip: "category", tenure: "number" } as const;
    const summary = await run("c.csv", table, { task: churn({ ...columns, features }) });
    expect(await records()).toContainEqual({ zip: "10001", tenure: null });
    expect(summary.columns).toContainEqual(expect.objectContaining({ name: "zip", type: "category" }));
  });

  test("are the same rows from CSV, JSONL and Parquet", async () => {
    const task = churn(columns);
    expect(await run("c.csv", table, { task })).toMatchObject({ added: 3 });
    await using database = await openDuckDb("");
    const path = join(root, "c.parquet");
    const types = "{'zip': 'VARCHAR', 'Charges': 'DOUBLE', 'tenure': 'INTEGER'}";
    await database.all(`copy (select * from read_csv('${join(root, "c.csv")}', types = ${types})) to '${path}'`);
    expect(await ingest({ store, task, path, clock })).toMatchObject({ added: 0, duplicates: 3 });
    const jsonl = '{"customerID":"c1","Churn":"No","tenure":3,"Plan":"gold","zip":"01234","Charges":29.85}\n';
    expect(await run("c.jsonl", jsonl, { task })).toMatchObject({ added: 0, duplicates: 1 });
  });

  test("whose answer or identifier would be a feature are refused before the first row", async () => {
    await expect(run("c.csv", table, { task: churn({ id: "customerID" }) })).rejects.toMatchObject({
      code: "column_looks_like_answer",
      hint: expect.stringContaining('columns.gold: "Churn"'),
    });
    const many = `key,x,y2\n${Array.from({ length: 60 }, (_, n) => `k-${n},${n * 1.5},a`).join("\n")}\n`;
    await expect(run("d.csv", many, { task: churn() })).rejects.toMatchObject({ code: "column_looks_like_id" });
    expect(await store.rows.count()).toBe(0);
  });

  test("with cells that cannot be are refused by line and column; the rest goes on", async () => {
    const task = churn({ features: { age: "number", vip: "boolean", plan: "category" } });
    const summary = await run("bad.csv", "age,vip,plan\n1,yes,a\nold,no,b\n3,inf,c\n1e999,no,d\n,,\n5,no,e\n", {
      task,
    });
    expect(summary).toMatchObject({ added: 2, rejected: 4 });
    expect(refusals(summary)).toEqual([
      ":3 value_not_a_number",
      ":4 value_not_a_boolean",
      ":5 value_not_finite",
      ":6 record_empty",
    ]);
    expect(summary.rejections[0]!.message).toContain('column "age"');
    expect(summary.rejections[0]!.message).toContain("declare the column a category");
  });

  test("that leave a column out have it missing; NaN in JSON is named", async () => {
    const lines = ['{"a":1}', '{"a":2,"b":3}', '{"a":4}', '{"a":NaN}', '{"a":-Infinity}'];
    const summary = await run("a.jsonl", lines.join("\n"), { task: churn() });
    expect(summary.columns).toContainEqual(expect.objectContaining({ name: "b", missing: 2 }));
    const said = summary.rejections.map(({ source, message }) => [source.replace(/.*:/, ":"), message]);
    const expected = expect.stringContaining("write null where a value is missing");
    expect(said).toEqual([
      [":4", expected],
      [":5", expected],
    ]);
  });
});

describe("bad input has a clear answer, and the rest goes on:", () => {
  test("ragged rows, unclosed quotes, blank lines and cells of several lines, by the line that an editor shows", async () => {
    const csv =
      'text,n\n\nhello,1\n\n"multi\n\nline",2\nonly\n\nlast,3\n"two\nlines"x,4\nok,5\nb\xe9d,6\na,b,c\n\n"fin, al",7\n';
    const summary = await run("a.csv", Buffer.from(csv, "latin1"));
    expect(refusals(summary)).toEqual([":8 row_ragged", ":11 quote_unclosed", ":14 invalid_utf8", ":15 row_ragged"]);
    const { rejections } = await run("open.csv", 'text,n\nhello,1\n"open,2\nlost,3\n');
    expect(rejections).toMatchObject([{ message: expect.stringContaining("to the end of the file") }]);
    expect(await texts()).toEqual(["fin, al", "hello", "last", "multi\n\nline", "ok"]);
    const id = await store.rows.bySource(`${join(root, "a.csv")}:17`);
    expect((await store.rows.get(id!))?.input).toMatchObject({ text: "fin, al" });
  });

  test("NUL bytes, empty texts and cells of 10 MB", async () => {
    const csv = `text,n\nok,1\nNU\0L,2\n"  ",3\n${"x".repeat(10 * 2 ** 20)},4\n${"y".repeat(17 * 2 ** 20)},5\nfine,6\n`;
    const summary = await run("a.csv", csv);
    expect(refusals(summary)).toEqual([":3 text_binary", ":4 text_empty", ":5 text_too_long", ":6 row_too_large"]);
    expect(await texts()).toEqual(["fine", "ok"]);
  });

  test("lines that are no JSON, no object, no UTF-8 or without the text", async () => {
    const lines = [
      '{"text":"a"}',
      "{bad",
      "[1]",
      '{"other":1}',
      '{"text":{"x":1}}',
      '{"text":"caf\xe9"}',
      '{"text":"b"}',
    ];
    const summary = await run("a.jsonl", Buffer.from(lines.join("\n"), "latin1"));
    expect(refusals(summary)).toEqual([
      ":2 row_malformed",
      ":3 row_malformed",
      ":4 text_empty",
      ":5 value_not_scalar",
      ":6 invalid_utf8",
    ]);
    expect(await texts()).toEqual(["a", "b"]);
  });

  test("a JSON list that was cut off between two objects is no whole one; behind a byte-order mark it is a list", async () => {
    await expect(run("cut.json", '[{"text": "a"},\n{"text": "b"},\n')).rejects.toMatchObject({
      code: "table_malformed",
    });
    expect(await run("whole.json", '\uFEFF [{"text": "c"}]\n\n')).toMatchObject({ added: 1 });
  });

  test("a column that holds nothing but lists is refused by row, and not called empty", async () => {
    const summary = await run("a.jsonl", '{"a": 1, "tags": ["x"]}\n{"a": 2, "tags": ["y"]}\n', {
      task: moodTask({ input: "record", columns: {} }),
    });
    expect(summary.rejections).toMatchObject([{ code: "value_not_scalar" }, { code: "value_not_scalar" }]);
    expect(summary.notes).toEqual([]);
  });

  test("quoted cells behind a delimiter that the header has not are a note about delimiters", async () => {
    const summary = await run("a.csv", 'text,n\n"a b";1\n"c d";2\n"e f";3\n');
    expect(refusals(summary)).toEqual([":2 quote_unclosed", ":3 quote_unclosed", ":4 quote_unclosed"]);
    expect(summary.notes).toContainEqual(expect.stringContaining("--delimiter"));
  });

  test("a list of JSON with a broken record names it with its place, and the rest is read", async () => {
    const broken = ['{"text": {"a": 1}}', "3", '{"text": oops}', '{"text": "\xE9"}'];
    const list = `[{"text": "a"},\n${broken.join(",\n")},\n{"text": "\\ud800b"}]`;
    const summary = await run("a.json", Buffer.from(list, "latin1"));
    expect(summary).toMatchObject({ added: 2, rejected: 4 });
    expect(refusals(summary)).toEqual([
      ":2 value_not_scalar",
      ":3 row_malformed",
      ":4 row_malformed",
      ":5 invalid_utf8",
    ]);
    expect(summary.rejections[2]!.message).toMatch(/no JSON: .*begins on line 4, column 1/);
  });

  test("another delimiter is guessed, a wrong one is named", async () => {
    for (const delimiter of [";", "\t", "|"]) {
      await run("a.csv", `text${delimiter}n\nhello, you${delimiter}1\n`);
    }
    expect(await texts()).toEqual(["hello, you"]);
    await expect(
      run("b.csv", "text:n\nhello:1\n", { task: moodTask({ columns: { text: "text" } }) }),
    ).rejects.toMatchObject({
      code: "table_column_missing",
      hint: expect.stringContaining("--delimiter"),
    });
    expect(await run("b.csv", "text:n\nhello:1\n", { delimiter: ":" })).toMatchObject({ added: 1 });
    const ragged = await run("c.csv", "text\na,b\nc,d\n", { delimiter: "," });
    expect(ragged).toMatchObject({ rejected: 2, notes: [expect.stringContaining("is the delimiter right?")] });
  });

  test.each([
    ["a.csv", "", "table_empty"],
    ["a.csv", "text,text\na,b\n", "table_malformed"],
    ["a.csv", "text,n\r\na,1\nb,2\r\n", "table_malformed"],
    ["a.csv", "text,n\n", "ingest_nothing_found"],
    ["a.csv", "words,n\na,1\n", "table_column_missing"],
    ["a.json", '[{"text":"a"},{"text"', "table_malformed"],
    ["a.parquet", "PAR0", "table_malformed"],
    ["a.xlsx", "PK", "ingest_unsupported"],
  ])("%s %j is refused as a whole", async (name, content, code) => {
    await expect(run(name, content)).rejects.toMatchObject({ code });
  });

  test("columns that say nothing are named in the notes", async () => {
    const lines = Array.from(
      { length: 60 },
      (_, n) => `${n === 7 ? "n.k." : n},,${n % 7 ? "a b" : n ? "c" : "5"},u${n},good`,
    );
    const task = churn({ gold: "g", ignore: ["u"] });
    const { notes } = await run("a.csv", `x,empty,w,u,g\n${lines.join("\n")}\n`, { task });
    expect(notes).toEqual([
      expect.stringMatching(/"x" is a number in most rows and a word in 1 of them \("n\.k\." at .*a\.csv:9\)/),
      'column "empty" is empty in every row',
      expect.stringMatching(/"w" is a word in most rows and a number in 1 of them \(5 at .*a\.csv:2\)/),
      expect.stringContaining("says the same in every row"),
    ]);
    const unique = await run("b.csv", `x,g\n${lines.map((_, n) => `${n},name ${n}`).join("\n")}\n`, { task });
    expect(unique.notes).toEqual([
      expect.stringContaining('"x" is left out'),
      expect.stringContaining('"g" has 60 different values in 60 rows'),
    ]);
    expect(unique.gold?.unknownLabels.count).toBe(60);
  });
});

describe("an address", () => {
  async function serve(status: number, body: string): Promise<string> {
    const server = createServer((_, response) => response.writeHead(status).end(body)).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test("of http is downloaded; keys in it are not remembered", async () => {
    const path = `${await serve(200, "text\nhello\n")}/data/a.csv?key=secret`;
    expect(await ingest({ store, task: moodTask(), path, clock })).toMatchObject({ added: 1 });
    const [row] = await rows();
    expect(row!.source).toMatch(/\/data\/a\.csv:2$/);
  });

  test("that does not answer, or not with the file, is said to be so", async () => {
    const failing = `${await serve(404, "no")}/a.csv`;
    await expect(ingest({ store, task: moodTask(), path: failing, clock })).rejects.toMatchObject({
      code: "ingest_download_failed",
      message: expect.stringContaining("404"),
    });
    await expect(ingest({ store, task: moodTask(), path: "http://127.0.0.1:1/a.csv", clock })).rejects.toMatchObject({
      code: "ingest_download_failed",
      retryable: true,
    });
    await expect(ingest({ store, task: moodTask(), path: "ftp://x/a.csv", clock })).rejects.toMatchObject({
      code: "ingest_unsupported",
    });
  });
});

test("a run that is stopped keeps what was done, and the next one does the rest", async () => {
  const csv = `text\n${Array.from({ length: 7_000 }, (_, n) => `row ${n}`).join("\n")}\n`;
  const stop = new AbortController();
  const progress = ({ done, total }: { done: number; total?: number }) => {
    expect(total).toBe(7_000);
    if (done === 3_000) stop.abort(new Error("enough"));
  };
  await expect(run("a.csv", csv, { progress, signal: stop.signal })).rejects.toThrow("enough");
  const before = await store.rows.count();
  expect(before).toBeGreaterThanOrEqual(2_000);
  expect(before).toBeLessThan(7_000);
  expect(await run("a.csv", csv)).toMatchObject({ files: 7_000, added: 7_000 - before });
});
