/** @file Tables as spreadsheets, pandas, DuckDB and people write them: read right, or refused by name (`test/cases/README.md`). */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readNumber } from "../cells/number.ts";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import type { Task, TaskDefinition } from "../task.ts";
import { type IngestSummary, ingest } from "./ingest.ts";
import type { IngestOptions } from "./ingest-options.ts";
import { clock, moodTask } from "./testing.ts";

let root: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-columns-"));
  store = await openSqliteStore({ directory: join(root, "store") });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

const late = (columns: TaskDefinition["columns"] = {}): Task =>
  moodTask({ name: "late", input: "record", output: { kind: "predicate" }, columns });
const numbers = moodTask({ output: { kind: "choice", choices: ["0", "1"] }, columns: { gold: "label" } });

const read = (name: string, task: Task, more: Partial<IngestOptions> = {}): Promise<IngestSummary> =>
  ingest({ store, task, path: join("test/cases/tables", name), clock, ...more });

async function readLines(lines: readonly string[], task: Task, more: Partial<IngestOptions> = {}) {
  const path = join(root, "a.csv");
  await writeFile(path, `${lines.join("\n")}\n`);
  return await ingest({ store, task, path, clock, ...more });
}

const formats = ({ columns = [] }: IngestSummary) =>
  Object.fromEntries(
    columns.flatMap(({ name, format, leftOut }) => (format ? [[name, format]] : leftOut ? [[name, "left out"]] : [])),
  );
const records = async () =>
  (await Array.fromAsync(store.rows.list())).flatMap(({ input }) => (input.kind === "record" ? [input.fields] : []));

describe("a table that somebody else wrote", () => {
  test("money, percentages, dates and grouped thousands are recognised by their column, and said", async () => {
    const summary = await read("09-money-and-dates.csv", late({ gold: "late" }));
    expect(summary).toMatchObject({ files: 59, added: 59, rejected: 0 });
    expect(formats(summary)).toEqual({
      "order no": "left out",
      amount: "number, decimal point, in $",
      amount_eu: "number, decimal comma",
      pct: "number, decimal point, in %",
      date: "date",
      ts: "date and time",
      weight: "number, decimal point",
    });
    expect(summary.notes).toEqual([expect.stringMatching(/"order no" is left out .*columns\.keep: \["order no"\]/)]);
  });

  test("powers of ten with a decimal comma, and digits of other scripts, are numbers", async () => {
    const lines = ["1,25E+03;١٬٢٣٤٫٥;๑๒.๕;yes", "2,5E-01;٣٫٥;๓.๒๕;no"];
    const summary = await readLines(["power;arabic;thai;late", ...lines], late({ gold: "late" }));
    expect(formats(summary)).toEqual({
      power: "number, decimal comma",
      arabic: "number, decimal point",
      thai: "number, decimal point",
    });
    expect(["1,25E+03", "2,5E-01"].map((cell) => readNumber(cell, ",")?.value)).toEqual([1250, 0.25]);
    expect(["١٬٢٣٤٫٥", "๓.๒๕", "１２．５％"].map((cell) => readNumber(cell, ".")?.value)).toEqual([1234.5, 3.25, 12.5]);
  });

  test("numbers among marks for what is missing are told to teach nothing as they stand", async () => {
    const lines = Array.from({ length: 50 }, (_, n) => `${n % 5 === 0 ? "-" : n / 8},${n % 2}`);
    const { notes } = await readLines(["amount,late", ...lines], late({ gold: "late" }));
    expect(notes).toEqual([
      expect.stringMatching(
        /^column "amount" holds numbers \(0\.125 at .*:3\) and words \("-" at .*:2\), 41 different/,
      ),
    ]);
  });

  test("an encoding that it cannot have is refused: no letter becomes a question mark", async () => {
    const path = join(root, "w.csv");
    await writeFile(path, Buffer.from("text,label\nfa\xe7ade \x81,0\n", "latin1"));
    await expect(ingest({ store, task: numbers, path, clock, encoding: "euc-kr" })).rejects.toMatchObject({
      code: "table_malformed",
      message: expect.stringContaining("not in the encoding euc-kr"),
    });
  });

  test.each(["csv", "jsonl", "json"])(
    "a packed %s that breaks off, or is not packed, is refused by name",
    async (ending) => {
      const whole = gzipSync(
        ending === "csv" ? "text,label\na,0\nb,1\n" : '{"text":"a","label":"0"}\n{"text":"b","label":"1"}\n',
      );
      for (const bytes of [whole.subarray(0, -9), Buffer.from("text,label\na,0\n")]) {
        const path = join(root, `cut.${ending}.gz`);
        await writeFile(path, bytes);
        await expect(ingest({ store, task: numbers, path, clock })).rejects.toMatchObject({
          code: "table_malformed",
          message: expect.stringContaining("cannot be unpacked"),
        });
      }
    },
  );

  test("UTF-16 of the other order, with a mark or without, is read", async () => {
    expect(await read("11-utf16be.csv", numbers)).toMatchObject({ added: 60, rejected: 0, gold: { matched: 60 } });
  });

  test("an encoding of Windows is named, and read where it is given", async () => {
    const bytes = Buffer.from("text,label\nfa\xe7ade,0\nplain,1\n", "latin1");
    const path = join(root, "w.csv");
    await writeFile(path, bytes);
    const refused = await ingest({ store, task: numbers, path, clock });
    expect(refused.rejections).toMatchObject(
      [{ code: "invalid_utf8", message: /--encoding windows-1252/ }].map((one) => ({
        ...one,
        message: expect.stringMatching(one.message),
      })),
    );
    await ingest({ store, task: numbers, path, clock, encoding: "windows-1252" });
    const texts = (await Array.fromAsync(store.rows.list())).map(({ input }) =>
      input.kind === "text" ? input.text : "",
    );
    expect(texts.toSorted()).toEqual(["façade", "plain"]);
    await expect(ingest({ store, task: numbers, path, clock, encoding: "utf-9" })).rejects.toMatchObject({
      code: "encoding_unknown",
    });
  });

  test("a gold file is read as the data is: another order of bytes, an encoding that is given, a line sep=", async () => {
    const path = join(root, "data.csv");
    const goldPath = join(root, "gold.csv");
    const table = "text,label\nfaçade,0\nplain,1\n";
    await writeFile(path, Buffer.from("text\nfa\xe7ade\nplain\n", "latin1"));
    const form = {
      store,
      task: moodTask({ output: { kind: "choice", choices: ["0", "1"] } }),
      path,
      goldPath,
      clock,
      encoding: "windows-1252",
    };
    await writeFile(goldPath, Buffer.from(table, "latin1"));
    expect((await ingest(form)).gold).toMatchObject({ matched: 2, unmatched: { count: 0 } });
    await writeFile(path, "text\nfaçade\nplain\n");
    const { encoding: _, ...plain } = form;
    await writeFile(goldPath, Buffer.from(`\uFEFF${table}`, "utf16le").swap16());
    expect((await ingest(plain)).gold).toMatchObject({ matched: 2, unmatched: { count: 0 } });
    await writeFile(goldPath, `sep=;\r\n${table.replaceAll(",", ";").replaceAll("\n", "\r\n")}`);
    expect((await ingest(plain)).gold).toMatchObject({ matched: 2, unmatched: { count: 0 } });
  });

  test("a line sep= names the delimiter, and lines are counted past it", async () => {
    expect(await read("12-sep-line.csv", numbers)).toMatchObject({ added: 60, rejected: 0, gold: { matched: 60 } });
    const ragged = await readLines(["sep=;", "text;label", "a;0", "", "b;1;2", "c;1"], numbers);
    expect(ragged.rejections.map(({ source, code }) => [source.slice(-2), code])).toEqual([[":5", "row_ragged"]]);
  });

  test("cells that are not quoted are read as they are where that is said, and the hint says how", async () => {
    const refused = await read("12-unquoted.tsv", numbers);
    expect(refused.rejections.map(({ message }) => message)).toContainEqual(expect.stringContaining("--quote none"));
    const whole = await read("12-unquoted.tsv", numbers, { quote: "none" });
    expect(whole).toMatchObject({ files: 60, rejected: 0, gold: { matched: 60 } });
  });

  test("a missing header is noticed; its columns are then numbered", async () => {
    await expect(read("13-no-header.csv", late())).rejects.toMatchObject({
      code: "header_missing",
      hint: expect.stringContaining("--header no"),
    });
    const summary = await read("13-no-header.csv", late({ ignore: ["c6"] }), { header: false });
    expect(summary.files).toBe(60);
    expect((await records())[0]).toHaveProperty("c1");
  });

  test.each([
    ["years", "country,2019,2020"],
    ["places", "0,1,2"],
    ["names", "a,b,c"],
  ])("a header of %s is one", async (_what, header) => {
    const rows = Array.from(
      { length: 60 },
      (_, n) => `${header[0] === "c" ? `x${n % 5}` : (n * 37) % 11},${(n * 17) % 13},${(n * 7) % 9}`,
    );
    expect(await readLines([header, ...rows], late())).toMatchObject({ files: 60, rejected: 0 });
  });

  test("an escape of its own is read", async () => {
    await readLines(["text,label", '"say \\"hi\\", you",1'], numbers, { escape: "\\" });
    expect(await Array.fromAsync(store.rows.list())).toMatchObject([{ input: { text: 'say "hi", you' } }]);
  });
});

describe("an index", () => {
  test("that pandas wrote without a name is no feature, and that is said", async () => {
    const summary = await read("12-unnamed-index.csv", late({ gold: "left" }));
    expect(summary.columns?.map(({ role }) => role)).toEqual(["unread", "feature", "gold"]);
    expect(summary.notes).toEqual([expect.stringMatching(/"column 1" is left out .*columns\.keep/)]);
    expect(Object.keys((await records())[0]!)).toEqual(["noise"]);
  });

  test("of a shuffled frame in Parquet is none either", async () => {
    const summary = await read("12-shuffled-index.parquet", late({ gold: "left" }));
    expect(summary.notes).toEqual([expect.stringMatching(/"__index_level_0__" is left out/)]);
    expect(Object.keys((await records())[0]!)).toEqual(["noise"]);
  });

  test("is kept where the task says so", async () => {
    const summary = await read("12-shuffled-index.parquet", late({ gold: "left", keep: ["__index_level_0__"] }));
    expect(summary.notes).toEqual([]);
    expect(Object.keys((await records())[0]!)).toEqual(["noise", "__index_level_0__"]);
  });
});

describe("types of Parquet", () => {
  test("dates and times with zones are dates and times; numbers that no double holds are said to be", async () => {
    const summary = await read("21-times-and-big-numbers.parquet", late({ gold: "label" }));
    expect(formats(summary)).toEqual({
      when_tz: "date and time",
      when_naive: "date and time",
      day: "date",
      clock: "time or duration, in seconds",
    });
    expect(summary.notes).toEqual([expect.stringMatching(/"counter" holds 60 whole numbers beyond 2\^53/)]);
  });

  test("a HUGEINT that DuckDB wrote as doubles is said to have lost its digits", async () => {
    const { notes } = await read("21-hugeint.parquet", late());
    expect(notes).toEqual([expect.stringMatching(/"huge" holds 60 whole numbers beyond 2\^53 .*digits may be lost/)]);
  });

  test("lists, objects and bytes are refused by name, unless nobody reads them", async () => {
    for (const [ignore, what] of [
      [[], /"tags" holds lists/],
      [["tags"], /"address" holds objects/],
      [["tags", "address"], /"photo" holds bytes/],
    ] as const) {
      await expect(read("21-nested.parquet", late({ ignore: [...ignore] }))).rejects.toMatchObject({
        code: "column_not_scalar",
        message: expect.stringMatching(what),
      });
    }
    expect(await read("21-nested.parquet", late({ ignore: ["tags", "address", "photo"] }))).toMatchObject({
      added: 60,
    });
  });
});

describe("what stays open is said", () => {
  const column = (values: readonly string[]) => ["x,n", ...values.map((value, n) => `"${value}",${(n * 31) % 7}`)];

  test.each([
    ["3,540", "3,541", /"x" is read as number, decimal point.*columns\.decimal/],
    ["03/04/2025", "05/06/2025", /"x" is read as date.*columns\.dateOrder/],
    ["1,180.24", "1.180,24", /"x" is read as words: .*written in two ways/],
    ["$5", "€6", /"x" is read as words: .*several units/],
    ["3.540", "1.200", /"x" holds "[13]\.[25][04]0" .*where the point separates thousands, set columns\.decimal/],
    ["1.180", "2,5", /"x" is read as number, decimal comma, but 1\.180? came with a point.*columns\.decimal: ","/],
  ])("%s and %s", async (one, other, note) => {
    const { notes } = await readLines(column(Array.from({ length: 40 }, (_, n) => (n % 2 ? one : other))), late());
    expect(notes).toEqual([expect.stringMatching(note)]);
  });

  test("and nothing where the task says what is before the decimals: cells are then read so, here and in requests", async () => {
    const { notes } = await readLines(column(["1.180", "2,5", "1.234.567,25"]), late({ decimal: "," }));
    expect(notes).toEqual([]);
    expect((await records()).map(({ x }) => x).toSorted()).toEqual([1180, 1234567.25, 2.5].toSorted());
  });

  test("a column named paid, valid or covid is no identifier for its name", async () => {
    const lines = Array.from({ length: 60 }, (_, n) => `${((n * 37) % 101) + n / 97},${n % 3}`);
    expect(await readLines(["paid,n", ...lines], late())).toMatchObject({ files: 60 });
  });

  test.each([
    ["UUIDs", (n: number) => `${(n * 2654435761).toString(16).padStart(8, "0").slice(-8)}-aaaa-4bbb-8ccc-0123456789ab`],
    ["ids with a prefix", (n: number) => `CUST-${String(n).padStart(5, "0")}`],
  ])("%s are refused by name", async (_what, id) => {
    const lines = Array.from({ length: 60 }, (_, n) => `${id(n)},${n % 7}`);
    await expect(readLines(["ref,n", ...lines], late())).rejects.toMatchObject({ code: "column_looks_like_id" });
  });
});
