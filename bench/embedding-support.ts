/** @file What the benchmarks on sentence embeddings share: texts embedded once, and a head fitted to them as training fits it. */

import { availableParallelism } from "node:os";
import type { Student } from "../src/contracts.ts";
import { writeOnnx } from "../src/onnx/proto.ts";
import { stratifiedFolds } from "../src/train/folds.ts";
import { modelFile } from "../src/train/model-folder.ts";
import { choosePenalty } from "../src/train/text/embedding/choose-penalty.ts";
import { openEncoder } from "../src/train/text/embedding/encoder.ts";
import { type EncoderFiles, hashOfFiles } from "../src/train/text/embedding/encoder-files.ts";
import { type HeadData, openHeadFitter } from "../src/train/text/embedding/fit-head.ts";
import { headNetwork } from "../src/train/text/embedding/head-network.ts";
import { openEmbeddingStudent } from "../src/train/text/embedding/load-embedding-student.ts";
import { votesOutOfFold } from "../src/train/text/embedding/neighbour-votes.ts";
import { fitStack, type Stack } from "../src/train/text/embedding/stack.ts";
import { indicesOf, type LabelledText } from "./text-support.ts";

export const threads = availableParallelism();

export type Embedded = {
  /** `[texts, width]` */
  readonly embeddings: Float32Array;
  readonly width: number;
  /** Of those that had not been embedded before. */
  readonly textsPerSecond: number | undefined;
};

const embedded = new Map<string, Float32Array>();
/** Texts given to the encoder at once, as training gives them. */
const PIECE = 256;

/** Texts that two data sets share are embedded once. */
export async function embedOnce(files: EncoderFiles, texts: readonly string[]): Promise<Embedded> {
  const keyOf = (text: string): string => `${files.source}\n${text}`;
  const fresh = [...new Set(texts.filter((text) => !embedded.has(keyOf(text))))].sort((a, b) => b.length - a.length);
  const started = performance.now();
  for (const [text, row] of await embedAll(files, fresh)) embedded.set(keyOf(text), row);
  const seconds = (performance.now() - started) / 1000;
  const width = embedded.get(keyOf(texts[0]!))!.length;
  const embeddings = new Float32Array(texts.length * width);
  texts.forEach((text, row) => void embeddings.set(embedded.get(keyOf(text))!, row * width));
  return { embeddings, width, textsPerSecond: fresh.length > 0 ? Math.round(fresh.length / seconds) : undefined };
}

async function embedAll(files: EncoderFiles, texts: readonly string[]): Promise<ReadonlyMap<string, Float32Array>> {
  const rowOf = new Map<string, Float32Array>();
  if (texts.length === 0) return rowOf;
  await using encoder = await openEncoder(files, { threads });
  const { width } = encoder;
  for (let first = 0; first < texts.length; first += PIECE) {
    const piece = texts.slice(first, first + PIECE);
    const rows = await encoder.embed(piece);
    piece.forEach((text, row) => void rowOf.set(text, rows.slice(row * width, (row + 1) * width)));
  }
  return rowOf;
}

export type FittedHead = {
  readonly shares: Stack;
  readonly penalty: number;
  readonly losses: readonly number[];
  readonly trainingSeconds: number;
  /** `model.onnx` with these shares of the two opinions. */
  headOf(shares: Stack): Uint8Array;
};

/** All of training but the embedding. */
export async function fitHead(
  { embeddings, width }: Embedded,
  rows: readonly LabelledText[],
  classes: readonly string[],
): Promise<FittedHead> {
  const started = performance.now();
  const k = classes.length;
  const classIndices = indicesOf(rows, classes);
  const targets = Float32Array.from({ length: rows.length * k }, (_, at) =>
    Number(classIndices[Math.floor(at / k)] === at % k),
  );
  const data: HeadData = { embeddings, width, k, targets, weights: new Float64Array(rows.length).fill(1) };
  const folds = stratifiedFolds(
    Array.from(classIndices, (classIndex) => ({ classIndex })),
    "bench",
  );
  await using fitter = await openHeadFitter(data, { threads });
  const chosen = await choosePenalty(fitter, { data, folds, classIndices });
  const votes = await votesOutOfFold({ ...data, folds }, { threads });
  const shares = fitStack({ ...data, linear: chosen.outOfFold, votes });
  const linear = await fitter.fit(chosen.penalty, { start: chosen.head });
  return {
    shares,
    penalty: chosen.penalty,
    losses: chosen.history.map(({ loss }) => loss),
    trainingSeconds: (performance.now() - started) / 1000,
    headOf: (own) => writeOnnx(headNetwork({ data, classIndices, linear, shares: own })),
  };
}

/** Encoders' folders that the environment names, by kind. */
export const encoderFolders = [
  ["network", process.env["FLYWHEEL_ENCODER"]],
  ["static", process.env["FLYWHEEL_STATIC_ENCODER"]],
].flatMap(([name, weights]) => (name && weights ? [{ name, weights }] : []));

/** As a model folder of them would be opened. */
export async function embeddingStudent(
  files: EncoderFiles,
  { shares, headOf }: FittedHead,
  classes: readonly string[],
): Promise<Student> {
  const options = { encoder: files.kind, encoderHash: hashOfFiles(files) };
  const card = { id: "0".repeat(64), classes, options };
  const own = new Map([...files.files, [modelFile, headOf(shares)] as const]);
  return await openEmbeddingStudent({ folder: "memory", card, files: own }, { threads });
}
