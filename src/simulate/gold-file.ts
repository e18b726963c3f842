/** @file The gold file of a simulated teacher: `file,label` with files relative to the CSV, or `text,label`. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { FlywheelError, messageOf } from "../errors.ts";
import { mediaTypeOf } from "../image/media-type.ts";
import { presentImage } from "../label/teacher-input.ts";
import type { LabelValue } from "../records.ts";

export type GoldFile = {
  /** Label by `contentHash` of the content. */
  readonly gold: ReadonlyMap<string, LabelValue>;
  /** In order of first appearance. */
  readonly classes: readonly LabelValue[];
};

/** Of an image's bytes or of a text's UTF-8. 64 hex digits. */
export const contentHash = (content: Uint8Array | string): string => createHash("sha256").update(content).digest("hex");

/** @throws FlywheelError `invalid_gold` naming the line that cannot be read */
export async function loadGoldFile(path: string): Promise<GoldFile> {
  const records = await readRecords(path);
  const gold = new Map<string, LabelValue>();
  for (const [index, record] of records.entries()) {
    const { label } = record;
    if (!label) throw invalidGold(path, index, "no label");
    for (const hash of await hashesOf(record, path, index)) gold.set(hash, label);
  }
  return { gold, classes: [...new Set(gold.values())] };
}

type Record = { readonly [column: string]: string | undefined };

async function readRecords(path: string): Promise<readonly Record[]> {
  try {
    return parse<Record>(await readFile(path), { columns: true, skip_empty_lines: true, trim: true, bom: true });
  } catch (thrown) {
    throw new FlywheelError("invalid_gold", `${path}: ${messageOf(thrown)}`, {
      hint: "give a CSV with a header line: file,label",
      cause: thrown,
    });
  }
}

async function hashesOf(record: Record, path: string, index: number): Promise<readonly string[]> {
  if (record["text"] !== undefined) return [contentHash(record["text"])];
  if (!record["file"]) throw invalidGold(path, index, "no file");
  try {
    const bytes = await readFile(resolve(dirname(path), record["file"]));
    return [contentHash(bytes), ...(await presentedHash(bytes))];
  } catch (thrown) {
    throw invalidGold(path, index, messageOf(thrown));
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

function invalidGold(path: string, index: number, what: string): FlywheelError {
  return new FlywheelError("invalid_gold", `${path}: record ${index + 1}: ${what}`, {
    hint: "every line gives a file (relative to the CSV) or a text, and its label",
  });
}
