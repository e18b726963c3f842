/**
 * @file Ingest: a folder of images, or a list of them, becomes rows.
 *
 * A row is its content: the same picture twice is one row, and its split follows from its hash. A file that has not
 * changed since it was last read is not read again. What cannot be read is listed with its reason; the rest goes on.
 */

import { stat } from "node:fs/promises";
import { dirname, extname, normalize, resolve } from "node:path";
import type { Clock, Progress } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { type Rejection, type Row, Split } from "../records.ts";
import type { SeenFile, Store } from "../store/contract.ts";
import { splitOf, type Task } from "../task.ts";
import type { Candidate, Finding, Refusal } from "./candidate.ts";
import { createGate } from "./gate.ts";
import { inGroups, mapInOrder } from "./in-order.ts";
import { checkGold, type GoldSummary, readGold } from "./read-gold.ts";
import { type Fingerprint, fingerprintOf, orRefusal, type ReadImage, readImage } from "./read-image.ts";
import { readList } from "./read-list.ts";
import { TABLE_EXTENSION } from "./read-table.ts";
import { walkFolder } from "./walk-folder.ts";

/** Files looked up, and rows written, at once. */
const GROUP = 200;
/** Rejections kept for people to read; all are in the store. */
const SHOWN = 100;
/**
 * Files under way at once. Node's four native threads decode no more than four of them; the others wait for the disk,
 * which flushes sixteen payloads in little more time than one.
 */
const CONCURRENCY = 16;
/** Memory for files under way, and for pixels (up to 8 bytes each while they are decoded): about 400 MB together. */
const MAX_ENCODED_BYTES = 64 * 1024 * 1024;
const MAX_DECODED_PIXELS = 40_000_000;

export type IngestOptions = {
  readonly store: Store;
  readonly task: Task;
  /** A folder of images, or a CSV, TSV or JSONL that lists them in a column `file`, relative to its own folder. */
  readonly path: string;
  /** A CSV or JSONL with the columns `file` and `label`. Gold only ever measures. */
  readonly goldPath?: string | undefined;
  readonly clock: Clock;
  readonly progress?: Progress | undefined;
  /** Files under way at once. */
  readonly concurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type IngestSummary = {
  /** Image files found: added + duplicates + unchanged + rejected. */
  readonly files: number;
  readonly added: number;
  /** Files whose content is a row already. */
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
};

/**
 * Ingests `path`, then the gold file. May be stopped at any time and run again: what is done is not done twice.
 * @throws FlywheelError `ingest_path_missing`, `ingest_nothing_found`, `ingest_unsupported`, `gold_missing`,
 *   `table_malformed`, `table_column_missing`; the signal's reason when aborted
 */
export async function ingest(options: IngestOptions): Promise<IngestSummary> {
  const { store, task, goldPath, signal } = options;
  if (task.input !== "image") {
    throw new FlywheelError("ingest_unsupported", `this version ingests images, the task's input is "${task.input}"`);
  }
  const place = await locate(options.path);
  if (goldPath !== undefined) await checkGold(goldPath);
  const tally = createTally(options, await countFiles(place));
  for await (const outcomes of inGroups(tally.watch(examine(place, options)), GROUP)) {
    await write(outcomes, options, tally);
  }
  signal?.throwIfAborted();
  const done = tally.summary();
  if (done.files === 0) throw nothingFound(options.path, done.ignored);
  const gold = goldPath === undefined ? undefined : await readGold({ store, task, goldPath, root: place.root, signal });
  return { ...done, ...(gold && { gold }), splits: await countSplits(store) };
}

// ── what there is ───────────────────────────────────────────────────────────────────────────────────────────────────

/** `source` is the path as the user wrote it, `root` the folder that gold may be relative to. */
type Place = {
  readonly kind: "folder" | "list";
  readonly path: string;
  readonly source: string;
  readonly root: string;
};

async function locate(given: string): Promise<Place> {
  const path = resolve(given);
  const kind = await kindOf(given, path);
  return { kind, path, source: normalize(given), root: kind === "folder" ? path : dirname(path) };
}

async function kindOf(given: string, path: string): Promise<Place["kind"]> {
  try {
    if ((await stat(path)).isDirectory()) return "folder";
  } catch (thrown) {
    throw new FlywheelError("ingest_path_missing", `there is nothing to read at ${given}`, {
      hint: "give a folder of images, or a CSV or JSONL that lists them",
      cause: thrown,
    });
  }
  if (TABLE_EXTENSION.test(extname(path))) return "list";
  throw new FlywheelError("ingest_unsupported", `${given} is neither a folder nor a list of images`, {
    hint: "give the folder that the file is in, or a .csv, .tsv or .jsonl that lists the files",
  });
}

const findingsOf = (place: Place): AsyncGenerator<Finding> =>
  place.kind === "folder" ? walkFolder(place) : readList(place);

/** Reads names only, so that progress knows its total from the start. */
async function countFiles(place: Place): Promise<number> {
  let files = 0;
  for await (const finding of findingsOf(place)) if (finding.kind !== "ignored") files++;
  return files;
}

// ── what becomes of it ──────────────────────────────────────────────────────────────────────────────────────────────

type Outcome =
  | { readonly kind: "row"; readonly row: Row; readonly file: SeenFile }
  | { readonly kind: "unchanged" }
  | Exclude<Finding, { readonly kind: "file" }>;

type Known = { readonly finding: Finding; readonly seen: SeenFile | undefined };

/** Once aborted it ends early, and what was under way is still yielded: its work is not lost. */
function examine(place: Place, options: IngestOptions): AsyncGenerator<Outcome> {
  const { concurrency = CONCURRENCY } = options;
  const room = { encoded: createGate(MAX_ENCODED_BYTES), decoded: createGate(MAX_DECODED_PIXELS) };
  return mapInOrder(withKnown(findingsOf(place), options), concurrency, async ({ finding, seen }) => {
    if (finding.kind !== "file") return finding;
    const fingerprint = await orRefusal(finding.source, () => fingerprintOf(finding.path));
    if ("code" in fingerprint) return { kind: "refused", ...fingerprint };
    if (isUnchanged(seen, fingerprint)) return { kind: "unchanged" };
    return room.encoded.run(fingerprint.sizeBytes, async () => {
      const read = await orRefusal(finding.source, () => readImage(finding.path, room.decoded));
      return "code" in read ? { kind: "refused", ...read } : toOutcome(finding, read, fingerprint, options);
    });
  });
}

function isUnchanged(seen: SeenFile | undefined, { sizeBytes, modifiedMs }: Fingerprint): boolean {
  return seen?.sizeBytes === sizeBytes && seen.modifiedMs === modifiedMs;
}

/** Each finding with what the store knows of its file. */
async function* withKnown(findings: AsyncIterable<Finding>, { store, signal }: IngestOptions): AsyncGenerator<Known> {
  for await (const group of inGroups(findings, GROUP)) {
    const paths = group.flatMap((finding) => (finding.kind === "file" ? [finding.path] : []));
    const byPath = new Map((await store.files.getMany(paths)).map((file) => [file.path, file]));
    for (const finding of group) {
      if (signal?.aborted) return;
      yield { finding, seen: finding.kind === "file" ? byPath.get(finding.path) : undefined };
    }
  }
}

/** The fingerprint was taken before the bytes were read: a file that changed meanwhile is read again next time. */
async function toOutcome(
  candidate: Candidate,
  { id, bytes, image }: ReadImage,
  fingerprint: Fingerprint,
  { store, task, clock }: IngestOptions,
): Promise<Outcome> {
  const file = { path: candidate.path, rowId: id, ...fingerprint };
  const known = await store.rows.get(id);
  if (known !== undefined) return { kind: "row", row: { ...known, source: candidate.source }, file };
  const input = { kind: "image", blob: await store.blobs.put(bytes), ...image } as const;
  const split = splitOf(id, task.splits);
  const row: Row = {
    id,
    input,
    source: candidate.source,
    origin: "ingest",
    uniform: true,
    split,
    propensity: 1,
    createdAt: clock.now(),
  };
  return { kind: "row", row, file };
}

/** Rows before files: a file that is known has its row, whenever the process is killed. */
async function write(outcomes: readonly Outcome[], { store, clock }: IngestOptions, tally: Tally): Promise<void> {
  const rows = outcomes.flatMap((outcome) => (outcome.kind === "row" ? [outcome] : []));
  const at = clock.now();
  const rejections = outcomes.flatMap((outcome) => (outcome.kind === "refused" ? [toRejection(outcome, at)] : []));
  tally.wrote(await store.rows.put(rows.map(({ row }) => row)), rejections);
  await Promise.all([store.files.put(rows.map(({ file }) => file)), store.rows.reject(rejections)]);
}

function toRejection({ source, code, message }: Refusal, at: number): Rejection {
  return { source, code, message, at };
}

// ── how many ────────────────────────────────────────────────────────────────────────────────────────────────────────

type Tally = {
  /** Passes the outcomes on, counting and reporting progress. */
  watch(outcomes: AsyncIterable<Outcome>): AsyncGenerator<Outcome>;
  wrote(rows: { readonly added: number; readonly duplicates: number }, rejections: readonly Rejection[]): void;
  summary(): Omit<IngestSummary, "gold" | "splits">;
};

function createTally({ progress }: IngestOptions, total: number): Tally {
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
        progress?.({ stage: "ingest", done: count.files, total, details: { rejected: `${count.rejected}` } });
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

function nothingFound(path: string, ignored: IngestSummary["ignored"]): FlywheelError {
  const others = Object.entries(ignored).map(([extension, count]) => `${count} ${extension || "without extension"}`);
  const found = others.length > 0 ? `; other files: ${others.join(", ")}` : "";
  return new FlywheelError("ingest_nothing_found", `${path} holds no images${found}`, {
    hint: "jpeg, png, webp, avif, gif and tiff are read; hidden files are not",
  });
}
