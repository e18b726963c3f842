import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Row } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import { exportReviewCsv, importReviewCsv } from "./csv.ts";
import type { ReviewItem } from "./review-item.ts";
import { openTemporaryStore, putRows, stillClock, textRow, textTask } from "./testing.ts";

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "review-csv-"));
  file = join(folder, "review.csv");
});
afterAll(() => rm(folder, { recursive: true }));

const task = textTask(["glad", "sad", "+1"]);

const suspectItem = (row: Row, suggestion: string): ReviewItem => ({
  kind: "suspect",
  row,
  priority: 0.5,
  reasons: ["split", "doubtful"],
  suggestion,
  votes: [],
});
const auditItem = (row: Row): ReviewItem => ({ kind: "audit", row, priority: 0.5, reasons: ["audit"] });

async function importText(store: Store, text: string | Uint8Array, given: { task?: Task } = {}) {
  await writeFile(file, text);
  return importReviewCsv({ store, task: given.task ?? task, path: file, person: "ann", clock: stillClock });
}

const rulingsOf = async (store: Store, row: Row) =>
  (await store.annotations.ofRow(row.id)).filter((one) => one.annotator === "person");

describe("exportReviewCsv", () => {
  test("opens in spreadsheets: byte-order mark, no running formulas, no suggestion beside audits", async () => {
    await using store = await openTemporaryStore();
    const [evil, plain] = [textRow('=HYPERLINK("http://evil")'), textRow("plain\n“text”")];
    await exportReviewCsv({ store, path: file, items: [suspectItem(evil, "+1"), auditItem(plain)] });
    const text = await readFile(file, "utf8");
    expect(text.startsWith("\ufeffrow,file,source,priority,reasons,suggested,label,reviewer,note\n")).toBe(true);
    expect(parse(text, { bom: true, columns: true })).toMatchObject([
      {
        row: evil.id,
        file: `'=HYPERLINK("http://evil")`,
        source: `'${evil.source}`,
        suggested: "'+1",
        reasons: "split doubtful",
        label: "",
      },
      { row: plain.id, file: "plain\n“text”", suggested: "", reasons: "audit" },
    ]);
  });
});

describe("importReviewCsv", () => {
  test("rulings become annotations with who and when; importing again changes nothing", async () => {
    await using store = await openTemporaryStore();
    const rows = await putRows(store, 3);
    const text = `row,label,reviewer,note\n${rows[0]!.id},Glad,,\n${rows[1]!.id},sad,bob,"two\nlines"\n${rows[2]!.id},,,\n`;
    expect(await importText(store, text)).toEqual({
      recorded: 2,
      unchanged: 0,
      rowIds: [rows[0]!.id, rows[1]!.id],
      blank: 1,
      problems: [],
    });
    expect(await rulingsOf(store, rows[0]!)).toMatchObject([{ person: "ann", value: "glad", at: stillClock.now() }]);
    expect(await rulingsOf(store, rows[1]!)).toMatchObject([{ person: "bob", value: "sad", note: "two\nlines" }]);
    expect(await importText(store, text)).toMatchObject({ recorded: 0, unchanged: 2, rowIds: [] });
    expect(await rulingsOf(store, rows[1]!)).toHaveLength(1);
  });

  test("a person may change their mind, and back", async () => {
    await using store = await openTemporaryStore();
    const [row] = await putRows(store, 1);
    for (const value of ["glad", "sad", "glad"]) await importText(store, `row,label\n${row!.id},${value}\n`);
    const rulings = (await rulingsOf(store, row!)).sort((a, b) => a.at - b.at);
    expect(rulings.map(({ value }) => value)).toEqual(["glad", "sad", "glad"]);
    expect(new Set(rulings.map(({ at }) => at)).size).toBe(3);
  });

  test("what cannot be taken is reported by line, and the rest is taken", async () => {
    await using store = await openTemporaryStore();
    const [a, b, c, d] = await putRows(store, 4);
    const lines = [
      "row,label,note", // line 1
      `${a!.id},glad,"a note`,
      `over two lines"`, // lines 2 and 3
      `${"0".repeat(64)},glad,`, // 4
      `${b!.id},furious,`, // 5
      "",
      `${c!.id},glad,`, // 7
      `${d!.id},+1,`, // 8
      `${c!.id},sad,`, // 9
    ];
    const { recorded, rowIds, problems } = await importText(store, lines.join("\n"));
    expect({ recorded, rowIds }).toEqual({ recorded: 2, rowIds: [a!.id, d!.id] });
    expect(problems).toMatchObject([
      { where: "line 4", code: "unknown_row" },
      { where: "line 5", code: "unknown_label", message: expect.stringContaining('"furious"') },
      { where: "line 7", code: "conflicting_rulings", message: expect.stringContaining("line 7, line 9") },
      { where: "line 9", code: "conflicting_rulings" },
    ]);
  });

  test("two people may differ about one row", async () => {
    await using store = await openTemporaryStore();
    const [row] = await putRows(store, 1);
    const text = `row,label,reviewer\n${row!.id},glad,ann\n${row!.id},sad,bob\n`;
    expect(await importText(store, text)).toMatchObject({ recorded: 2, rowIds: [row!.id], problems: [] });
  });

  test.each([
    [
      "semicolons, as spreadsheets write where the comma is a decimal sign",
      (text: string) => text.replaceAll(",", ";"),
    ],
    [
      "tabs and UTF-16, as “Unicode text”",
      (text: string) => Buffer.from(`\ufeff${text.replaceAll(",", "\t")}`, "utf16le"),
    ],
    ["Windows line ends and other columns", (text: string) => `\ufeff${text.replaceAll("\n", ",x\r\n")}`],
  ])("reads %s", async (_, convert) => {
    await using store = await openTemporaryStore();
    const [row] = await putRows(store, 1);
    const imported = await importText(store, convert(`Row,LABEL,note\n${row!.id.toUpperCase()}, sad ,nø\n`));
    expect(imported).toMatchObject({ recorded: 1, problems: [] });
    expect(await rulingsOf(store, row!)).toMatchObject([{ value: "sad", note: "nø" }]);
  });

  test("finds rows by file where the column of ids was deleted", async () => {
    await using store = await openTemporaryStore();
    const [row] = await putRows(store, 1);
    expect(await importText(store, `file,label\n${row!.source},glad\n`)).toMatchObject({ recorded: 1 });
  });

  test.each([
    ["an empty file", ""],
    ["another table", "name,age\nann,7\n"],
    ["a quote that never ends", 'row,label\n"abc,glad\n'],
    ["Latin-1", Buffer.from("row,label\nå,glad\n", "latin1")],
  ])("refuses %s", async (_, content) => {
    await using store = await openTemporaryStore();
    await expect(importText(store, content)).rejects.toMatchObject({ code: "review_file_unreadable" });
  });

  test("whatever the labels and texts, what was exported and filled in is read back", async () => {
    await using store = await openTemporaryStore();
    const unicode = fc.string({ unit: "binary", minLength: 1, maxLength: 8 }).filter((text) => text.trim() === text);
    const signed = fc.constantFrom("=1+1", "+1", "-", "@home", "a,b", 'say "x"', "two\nlines", "naïve", "日本");
    const labels = fc.uniqueArray(fc.oneof(signed, unicode), {
      minLength: 2,
      maxLength: 4,
      selector: (text) => text.toLowerCase(),
    });
    await fc.assert(
      fc.asyncProperty(labels, fc.string({ unit: "binary" }), fc.nat(), async (given, text, seed) => {
        const choices = ambiguityFree(given);
        fc.pre(choices !== undefined);
        const row = textRow(`${text} ${seed}`);
        await store.rows.put([row]);
        const value = given[seed % given.length]!;
        await exportReviewCsv({ store, path: file, items: [suspectItem(row, value)] });
        const lines = parse<Record<string, string>>(await readFile(file), { columns: true, bom: true });
        const filled = lines.map((line) => ({ ...line, label: line["suggested"] }));
        const imported = await importText(store, stringify(filled, { header: true }), { task: choices! });
        expect(imported.problems).toEqual([]);
        expect((await rulingsOf(store, row)).at(-1)?.value).toBe(value);
      }),
      { numRuns: 12 },
    );
  });
});

/** The task with these choices, or undefined where it would refuse them as alike. */
function ambiguityFree(choices: readonly string[]): Task | undefined {
  try {
    return textTask(choices as unknown as [string, string]);
  } catch {
    return undefined;
  }
}
