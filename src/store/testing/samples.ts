/** @file Records for tests of the store. */

import { createHash } from "node:crypto";
import { blobId, type Decision, type Row, rowId, type TeacherAnnotation } from "../../records.ts";

export const hex = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Records that differ by `name` only. */
export const sampleRow = (name: string, changes: Partial<Row> = {}): Row => ({
  id: rowId(hex(name)),
  input: { kind: "image", blob: blobId(hex(`blob ${name}`)), width: 4, height: 3, mediaType: "image/png" },
  source: `${name}.png`,
  origin: "ingest",
  uniform: true,
  split: "train",
  propensity: 1,
  createdAt: 1_700_000_000_000,
  ...changes,
});

export const sampleAnnotation = (
  row: Pick<Row, "id">,
  pass: number,
  changes: Partial<TeacherAnnotation> = {},
): TeacherAnnotation => ({
  id: hex(`${row.id} ${pass} ${changes.promptVersion ?? "v1"}`),
  rowId: row.id,
  at: 1_700_000_000_000 + pass,
  annotator: "teacher",
  teacher: "compatible/simulated",
  simulated: true,
  pass,
  promptVersion: "v1",
  value: "apple",
  usage: { inputTokens: 100, outputTokens: 5 },
  costUsd: 0.001,
  latencyMs: 12.5,
  ...changes,
});

export const sampleDecision = (name: string, changes: Partial<Decision> = {}): Decision => ({
  id: name,
  rowId: rowId(hex(name)),
  at: 1,
  route: "answered",
  value: "apple",
  confidence: 0.93,
  propensity: 0.03,
  uniform: false,
  latencyMs: 4.25,
  costUsd: 0,
  ...changes,
});
