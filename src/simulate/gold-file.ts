/**
 * @file The gold file of a simulated teacher: `file,label` with files relative to the CSV or to the photos, `text,label`, or
 * any table that ingest reads, its columns as the task names them.
 */

import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { z } from "zod";
import { goldColumns } from "../columns.ts";
import { FlywheelError, messageOf } from "../errors.ts";
import { fieldsOf, hasFields } from "../fields.ts";
import { mediaTypeOf } from "../image/media-type.ts";
import { mapInOrder } from "../ingest/in-order.ts";
import { goldLines, openGold } from "../ingest/read-gold-table.ts";
import { presentImage } from "../label/teacher-input.ts";
import type { LabelValue } from "../records.ts";
import { type AnyTask, classesOf, type FieldsTask, normaliseLabel } from "../task.ts";
import { identityOfRecord, identityOfText } from "../text/identity.ts";
import { type FindPhoto, openPhotos } from "./find-photo.ts";

export type GoldFile = {
  /** Label by `contentHash` of the content. */
  readonly gold: ReadonlyMap<string, LabelValue>;
  /** In order of first appearance. */
  readonly classes: readonly LabelValue[];
  /** Of a task of several fields: gold and classes of each. `gold` above then says which inputs are known at all. */
  readonly fields?: Readonly<Record<string, OneGold>>;
};

type OneGold = { readonly gold: ReadonlyMap<string, LabelValue>; readonly classes: readonly LabelValue[] };

/** Of an image's bytes or of a text's UTF-8. 64 hex digits. */
export const contentHash = (content: Uint8Array | string): string => hash("sha256", content);

/** The names under which a text or a record may be in `gold`: its bytes, and what it says. */
export function textHashes(text: string): readonly [string, ...string[]] {
  return [contentHash(text), identityOfText(text), ...recordHashes(text)];
}

function recordHashes(text: string): readonly string[] {
  if (!text.startsWith("{")) return [];
  const fields = Fields.safeParse(parseJson(text));
  return fields.success ? [identityOfRecord(fields.data)] : [];
}

const Fields = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export type LoadGoldOptions = {
  /** Of the workspace: says what the columns of texts and records are; without it, `file` or `text` and `label`. */
  readonly task?: AnyTask | undefined;
  /** The folder that files are in where they are not beside the gold file. */
  readonly photos?: string | undefined;
};

/**
 * @throws FlywheelError `invalid_gold` naming the line that cannot be read, `table_column_missing`
 */
export async function loadGoldFile(path: string, { task, photos }: LoadGoldOptions = {}): Promise<GoldFile> {
  if (!task || task.input === "image") return await loadFilesOrTexts(path, { task, photos });
  const known = openBook(task);
  await using opened = await openGold(path);
  for await (const { id, labels, source } of goldLines(task, opened.table)) {
    for (const [field, label] of Object.entries(labels))
      known.note(id === undefined ? [] : [id], { field, label, source });
  }
  return known.file();
}

type Entry = { readonly field: string; readonly label: string; readonly source: string };

/** What is known of each field, as it is read. */
function openBook(task: AnyTask) {
  const books = fieldsOf(task).map(({ name, task: own }) => ({ name, task: own, gold: new Map<string, LabelValue>() }));
  return {
    note(hashes: readonly string[], { field, label, source }: Entry): void {
      const book = books.find(({ name }) => name === field)!;
      const value = normaliseLabel(book.task, label);
      if (label !== "" && hashes.length === 0) throw invalidGold(source, "no row");
      if (label !== "" && value === undefined) throw invalidGold(source, `"${label}" is no label of the task`);
      if (value !== undefined) for (const hash of hashes) book.gold.set(hash, value);
    },
    file(): GoldFile {
      const [first] = books;
      if (!hasFields(task)) return { gold: first!.gold, classes: classesOf(first!.task) };
      const fields = books.map(({ name, task: own, gold }) => [name, { gold, classes: classesOf(own) }] as const);
      return { gold: new Map(books.flatMap(({ gold }) => [...gold])), classes: [], fields: Object.fromEntries(fields) };
    },
  };
}

const FILES_AT_ONCE = 8;

async function loadFilesOrTexts(path: string, { task, photos }: LoadGoldOptions): Promise<GoldFile> {
  const records = await readRecords(path);
  const find = await openPhotos(path, photos);
  const hashesAt = (record: GoldRecord, index: number) => hashesOf(record, { where: place(path, index), find });
  if (task && hasFields(task)) return await loadFilesOfFields(records, task, { path, hashesAt });
  const gold = new Map<string, LabelValue>();
  const read = async ([index, record]: [number, GoldRecord]) => {
    const { label } = record;
    if (!label) throw invalidGold(place(path, index), "no label");
    return { label, hashes: await hashesAt(record, index) };
  };
  for await (const { label, hashes } of mapInOrder(records.entries(), FILES_AT_ONCE, read)) {
    for (const hash of hashes) gold.set(hash, label);
  }
  return { gold, classes: [...new Set(gold.values())] };
}

/** `file`, and a column for each field. */
async function loadFilesOfFields(
  records: readonly GoldRecord[],
  task: FieldsTask,
  { path, hashesAt }: { readonly path: string; readonly hashesAt: HashesAt },
): Promise<GoldFile> {
  const known = openBook(task);
  const columns = new Map(goldColumns(task.columns).map(({ field, column }) => [field, column]));
  for (const [index, record] of records.entries()) {
    const hashes = await hashesAt(record, index);
    for (const field of Object.keys(task.fields)) {
      const label = record[columns.get(field) ?? field] ?? "";
      known.note(hashes, { field, label, source: place(path, index) });
    }
  }
  return known.file();
}

type GoldRecord = { readonly [column: string]: string | undefined };
type HashesAt = (record: GoldRecord, index: number) => Promise<readonly string[]>;

async function readRecords(path: string): Promise<readonly GoldRecord[]> {
  try {
    return parse<GoldRecord>(await readFile(path), { columns: true, skip_empty_lines: true, trim: true, bom: true });
  } catch (thrown) {
    throw new FlywheelError("invalid_gold", `${path}: ${messageOf(thrown)}`, {
      hint: "give a CSV with a header line: file,label",
      cause: thrown,
    });
  }
}

async function hashesOf(
  record: GoldRecord,
  { where, find }: { readonly where: string; readonly find: FindPhoto },
): Promise<readonly string[]> {
  if (record["text"] !== undefined) return [contentHash(record["text"])];
  if (!record["file"]) throw invalidGold(where, "no file");
  try {
    const bytes = await readFile(find(record["file"]));
    return [contentHash(bytes), ...(await presentedHash(bytes))];
  } catch (thrown) {
    throw invalidGold(where, messageOf(thrown));
  }
}

/** A large photo, or one in a rare format, reaches the teacher re-encoded. None where it goes as it is, or is no image. */
async function presentedHash(bytes: Uint8Array): Promise<readonly string[]> {
  const mediaType = mediaTypeOf(bytes);
  if (!mediaType) return [];
  const { width, height } = await sharp(bytes).metadata();
  const presented = await presentImage(bytes, { width, height, mediaType });
  return presented.bytes === bytes ? [] : [contentHash(presented.bytes)];
}

const place = (path: string, index: number): string => `${path}: record ${index + 1}`;

function invalidGold(where: string, what: string): FlywheelError {
  return new FlywheelError("invalid_gold", `${where}: ${what}`, {
    hint: "every line gives a file (relative to the CSV, or to the folder that --photos names), a text or a record, and its label",
  });
}
