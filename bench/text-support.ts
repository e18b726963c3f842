/** @file What the benchmarks on texts share: the data sets, a student trained on them in memory, and its peer. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { fitSparseLogistic, type SparseLogistic } from "../src/math/sparse-logistic.ts";
import { writeOnnx } from "../src/onnx/proto.ts";
import { defaultNgrams } from "../src/text/options.ts";
import { inverseDocumentFrequency, weighTerms } from "../src/text/tf-idf.ts";
import { columnsOf, type Vocabulary } from "../src/text/vocabulary.ts";
import { writeVocabulary } from "../src/text/vocabulary-file.ts";
import { stratifiedFolds } from "../src/train/folds.ts";
import { membersFile } from "../src/train/members.ts";
import { modelFile } from "../src/train/model-folder.ts";
import { fitLinear, type LinearStudent } from "../src/train/text/fit-linear.ts";
import { linearNetwork, sideBySide } from "../src/train/text/linear-network.ts";
import { learnVocabulary } from "../src/train/text/linear-work.ts";
import { openLinearStudent, type TextStudent } from "../src/train/text/load-linear-student.ts";
import { vocabularyFile } from "../src/train/text/text-files.ts";

const shared = process.env["FLYWHEEL_SHARED"] ?? join(import.meta.dirname, "../../shared");

export type LabelledText = { readonly text: string; readonly label: string };

/** Rows of a CSV file of the shared data; ends the program where it is not there. */
export function readTexts(file: string, columns: { readonly text: string; readonly label: string }): LabelledText[] {
  const path = join(shared, "data", file);
  if (!existsSync(path)) {
    console.error(`there is no ${path}: set FLYWHEEL_SHARED to the folder of the shared data`);
    process.exit(2);
  }
  const rows: Record<string, string>[] = parse(readFileSync(path), { columns: true });
  return rows.map((row) => ({ text: row[columns.text]!, label: row[columns.label]! }));
}

/** Labels in a fixed order. */
export const classesIn = (rows: readonly LabelledText[]): readonly string[] =>
  [...new Set(rows.map(({ label }) => label))].sort();

export const indicesOf = (rows: readonly LabelledText[], classes: readonly string[]): Int32Array =>
  Int32Array.from(rows, ({ label }) => classes.indexOf(label));

export type Trained = {
  readonly vocabulary: Vocabulary;
  readonly model: SparseLogistic;
  readonly vectoriseMs: number;
  readonly fitMs: number;
  readonly iterations: number;
};

/** One vocabulary and one fit at one C in this thread: what scikit-learn's two calls do. */
export function trainOnce(rows: readonly LabelledText[], classes: readonly string[], c: number): Trained {
  const start = performance.now();
  const { vocabulary, counts } = learnVocabulary(
    rows.map(({ text }) => text),
    defaultNgrams,
  );
  const features = weighTerms(counts, inverseDocumentFrequency(vocabulary));
  const vectorised = performance.now();
  const { iterations, ...model } = fitSparseLogistic(
    { features, k: classes.length, targets: indicesOf(rows, classes) },
    { c },
  );
  const fitMs = performance.now() - vectorised;
  return { vocabulary, model, vectoriseMs: vectorised - start, fitMs, iterations };
}

/** The whole training of a student: C by cross-validation, then every row. */
export async function fitStudent(
  rows: readonly LabelledText[],
  classes: readonly string[],
  threads: number,
  { c = [0.3, 1, 3, 10, 30], keepsFolds }: { readonly c?: readonly number[]; readonly keepsFolds?: boolean } = {},
): Promise<LinearStudent> {
  const k = classes.length;
  const classIndices = indicesOf(rows, classes);
  const targets = new Float32Array(rows.length * k);
  for (const [row, label] of classIndices.entries()) targets[row * k + label] = 1;
  const folds = stratifiedFolds(
    Array.from(classIndices, (classIndex) => ({ classIndex })),
    "bench",
  );
  const weights = new Float64Array(rows.length).fill(1);
  const texts = rows.map(({ text }) => text);
  return await fitLinear(
    { texts, k, targets, classIndices, weights, folds },
    { ngrams: defaultNgrams, c },
    { threads, keepsFolds },
  );
}

/** The student as it would be loaded from its folder. */
export async function studentOf(
  { vocabulary, model, members = [] }: Pick<Trained, "vocabulary" | "model"> & Partial<Pick<LinearStudent, "members">>,
  classes: readonly string[],
): Promise<TextStudent> {
  const files = new Map([
    [modelFile, writeOnnx(linearNetwork(model))],
    [vocabularyFile, writeVocabulary(vocabulary)],
    ...(members.length > 0 ? [[membersFile, writeOnnx(linearNetwork(sideBySide(members)))] as const] : []),
  ]);
  return await openLinearStudent({ folder: "memory", card: { id: "0".repeat(64), classes }, files });
}

export const featuresOf = ({ vocabulary }: Trained): number => columnsOf(vocabulary);

export const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));

export const inputsOf = (rows: readonly LabelledText[]) => rows.map(({ text }) => ({ kind: "text", text }) as const);
