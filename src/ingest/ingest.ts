/**
 * @file Ingest: a folder or a list of images, a table of texts or records, or a log of an LLM becomes rows.
 *
 * A row is its content: the same picture or text twice is one row, and its split follows from its hash. What cannot be
 * read is listed with its reason; the rest goes on.
 */

import { FlywheelError } from "../errors.ts";
import { type Rejection, Split } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { createGoldBook, type GoldBook } from "./gold-book.ts";
import { openImages } from "./images.ts";
import { inGroups } from "./in-order.ts";
import type { IngestOptions } from "./ingest-options.ts";
import type { LineProblems } from "./line-problems.ts";
import type { LogSummary } from "./logs/log-summary.ts";
import { type ColumnsSeen, type InputSource, type Outcome, toRejection } from "./outcome.ts";
import { locate, type Place } from "./place.ts";
import { checkGold, type GoldProblems, type GoldSummary, readGold } from "./read-gold.ts";
import { checkGoldTable, namesFiles, readGoldTable } from "./read-gold-table.ts";
import { openTexts } from "./texts.ts";

/**
 * Rows written at once. Images one by one take long, and what is written is not lost; lines of a table are cheap, and many
 * together touch fewer pages of the indexes. Of more than this SQLite's cache overflows in the middle of a transaction.
 */
const GROUP = { image: 200, text: 5_000, record: 5_000 } as const;
/** Of texts and records, characters: a group of long ones must not fill the memory. */
const MAX_GROUP = { of: sizeOf, most: 32_000_000 };
/** Rejections kept for people to read; all are in the store. */
const SHOWN = 100;

export type IngestSummary = {
  /** Inputs found, image files or records: added + duplicates + unchanged + rejected. */
  readonly files: number;
  readonly added: number;
  /** Inputs whose content is a row already. */
  readonly duplicates: number;
  /** Files that are as they were when last read. */
  readonly unchanged: number;
  readonly rejected: number;
  /** The first of them; all are in `store.rows.rejections()`. */
  readonly rejections: readonly Rejection[];
  /** Other files, by extension. */
  readonly ignored: Readonly<Record<string, number>>;
  readonly gold?: GoldSummary;
  /** Ingested rows in the store, by split. */
  readonly splits: { readonly [S in Split]: number };
  /** Of a table. */
  readonly columns?: ColumnsSeen["columns"];
  readonly log?: LogSummary;
  /** What a person should look at. */
  readonly notes: readonly string[];
};

/**
 * Ingests `path`, then the gold file. May be stopped at any time and run again: what is done is not done twice.
 * @throws FlywheelError `ingest_path_missing`, `ingest_nothing_found`, `ingest_unsupported`, `ingest_download_failed`,
 *   `ingest_extension_missing`, `gold_missing`, `table_malformed`, `table_empty`, `table_column_missing`,
 *   `column_looks_like_answer`, `column_looks_like_id`; the signal's reason when aborted
 */
export async function ingest(options: IngestOptions): Promise<IngestSummary> {
  const { store, task, goldPath, signal } = options;
  const place = await locate(options.path, task);
  const isImage = task.input === "image";
  const goldKind = goldPath === undefined ? undefined : await goldKindOf(goldPath, options, place);
  const source = isImage ? await openImages(place, options) : openTexts(place, options);
  const tally = createTally(options, source);
  const book = createGoldBook(store);
  for await (const outcomes of inGroups(tally.watch(source.outcomes()), GROUP[task.input], MAX_GROUP)) {
    await write(outcomes, options, { tally, book });
  }
  signal?.throwIfAborted();
  const done = tally.summary();
  if (done.files === 0) throw nothingFound(options, done.ignored);
  const gold = await goldOf(source, options, { kind: goldKind, book });
  const seen = source.columns?.();
  const log = source.log?.();
  return {
    ...done,
    ...(gold && { gold }),
    ...(seen && { columns: seen.columns }),
    ...(log && { log }),
    notes: [...raggedNotes(done), ...(seen?.notes ?? [])],
    splits: await countSplits(store),
  };
}

/** Whether lines of the gold file name files, or say what the row says. Refuses a file that is neither before the long work. */
async function goldKindOf(goldPath: string, options: IngestOptions, { kind }: Place): Promise<"files" | "content"> {
  const { task } = options;
  const isFolderOfTexts = task.input === "text" && kind === "folder";
  if (task.input === "image" || (isFolderOfTexts && (await namesFiles(goldPath, task, options)))) {
    await checkGold(goldPath, task, options);
    return "files";
  }
  await checkGoldTable(goldPath, options);
  return "content";
}

/** Of the data's own column, and of the gold file. */
async function goldOf(
  source: InputSource,
  options: IngestOptions,
  { kind, book }: { readonly kind: "files" | "content" | undefined; readonly book: GoldBook },
): Promise<GoldSummary | undefined> {
  const { store, task, goldPath, signal } = options;
  const within = source.gold?.();
  if (goldPath === undefined) return within && summaryOf(within, book);
  const read =
    kind === "files"
      ? await readGold({ store, book, task, goldPath, root: source.root, form: options, signal })
      : await readGoldTable({ store, book, task, goldPath, form: options, signal });
  return summaryOf(within ? { ...read, unknownLabels: both(read, within) } : read, book);
}

const summaryOf = (problems: GoldProblems, book: GoldBook): GoldSummary => ({
  matched: book.matched,
  ...problems,
  conflicts: book.conflicts(),
});

const both = (a: GoldProblems, b: GoldProblems): LineProblems => ({
  count: a.unknownLabels.count + b.unknownLabels.count,
  first: [...b.unknownLabels.first, ...a.unknownLabels.first],
});

/** What a wrong delimiter makes of lines, bare and quoted. */
const SPLIT_WRONGLY: readonly string[] = ["row_ragged", "quote_unclosed"];

function raggedNotes({
  files,
  rejections,
  rejected,
}: {
  readonly files: number;
  readonly rejected: number;
  readonly rejections: readonly Rejection[];
}) {
  const isRagged = rejected > files / 2 && rejections.every(({ code }) => SPLIT_WRONGLY.includes(code));
  return isRagged
    ? ["most rows fall into other cells than the header: is the delimiter right? Give it with --delimiter"]
    : [];
}

function sizeOf(outcome: Outcome): number {
  if (outcome.kind !== "row") return 0;
  const { input } = outcome.row;
  if (input.kind === "image") return 0;
  return input.kind === "text" ? input.text.length : 20 * Object.keys(input.fields).length;
}

/** Rows before files: a file that is known has its row, whenever the process is killed. */
async function write(
  outcomes: readonly Outcome[],
  { store, clock }: IngestOptions,
  { tally, book }: { readonly tally: Tally; readonly book: GoldBook },
): Promise<void> {
  const rows = outcomes.flatMap((outcome) => (outcome.kind === "row" ? [outcome] : []));
  const at = clock.now();
  const rejections = outcomes.flatMap((outcome) => (outcome.kind === "refused" ? [toRejection(outcome, at)] : []));
  tally.wrote(await store.rows.put(rows.map(({ row }) => row)), rejections);
  const gold = rows.flatMap(({ row, gold: given = [] }) =>
    given.map((one) => ({ rowId: row.id, source: row.source, ...one })),
  );
  const annotations = rows.flatMap(({ annotations: given = [] }) => given);
  await Promise.all([
    store.files.put(rows.flatMap(({ file }) => file ?? [])),
    store.rows.reject(rejections),
    book.put(gold),
    store.annotations.put(annotations),
  ]);
}

// ── how many ────────────────────────────────────────────────────────────────────────────────────────────────────────

type Tally = {
  /** Passes the outcomes on, counting and reporting progress. */
  watch(outcomes: AsyncIterable<Outcome>): AsyncGenerator<Outcome>;
  wrote(rows: { readonly added: number; readonly duplicates: number }, rejections: readonly Rejection[]): void;
  summary(): Omit<IngestSummary, "gold" | "splits" | "columns" | "log" | "notes">;
};

function createTally({ progress }: IngestOptions, source: InputSource): Tally {
  const count = { files: 0, added: 0, duplicates: 0, unchanged: 0, rejected: 0 };
  const ignored: Record<string, number> = {};
  const shown: Rejection[] = [];
  return {
    async *watch(outcomes) {
      for await (const outcome of outcomes) {
        if (outcome.kind === "ignored") ignored[outcome.extension] = (ignored[outcome.extension] ?? 0) + 1;
        else count.files++;
        if (outcome.kind === "unchanged") count.unchanged++;
        if (outcome.kind === "refused") count.rejected++;
        const { total } = source;
        progress?.({
          stage: "ingest",
          done: count.files,
          ...(total !== undefined && { total }),
          details: { rejected: `${count.rejected}` },
        });
        yield outcome;
      }
    },
    wrote({ added, duplicates }, rejections) {
      count.added += added;
      count.duplicates += duplicates;
      shown.push(...rejections.slice(0, SHOWN - shown.length));
    },
    summary: () => ({ ...count, rejections: shown, ignored }),
  };
}

async function countSplits(store: Store): Promise<IngestSummary["splits"]> {
  const [train, calibrate, certify] = await Promise.all(
    Split.map((split) => store.rows.count({ split, origin: "ingest" })),
  );
  return { train: train ?? 0, calibrate: calibrate ?? 0, certify: certify ?? 0 };
}

function nothingFound({ path, task }: IngestOptions, ignored: IngestSummary["ignored"]): FlywheelError {
  const others = Object.entries(ignored).map(([extension, count]) => `${count} ${extension || "without extension"}`);
  const found = others.length > 0 ? `; other files: ${others.join(", ")}` : "";
  const [what, hint] =
    task.input === "image"
      ? ["images", "jpeg, png, webp, avif, gif and tiff are read; hidden files are not"]
      : [
          "rows",
          "csv, tsv, jsonl, json and parquet are read (txt and md too where the task reads text); hidden files are not",
        ];
  return new FlywheelError("ingest_nothing_found", `${path} holds no ${what}${found}`, { hint });
}
