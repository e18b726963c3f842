/**
 * @file Tier 1 of texts: sentence embeddings with logistic regression and nearest texts stacked, on the embeddings of a network
 * (`FLYWHEEL_ENCODER`: a folder) and on static ones (`FLYWHEEL_STATIC_ENCODER`: a folder in Model2Vec's format), beside tier 0.
 *
 * `banking77` on every training row and on 2,000; `news-bias` on 8,000 of its sentences, measured against people. The peer is
 * scikit-learn's logistic regression at the same strength of the penalty, and its five nearest neighbours, on the same
 * embeddings; sentence-transformers embeds 512 of the texts from the same folder, for their time and their difference.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import type { Student } from "../src/contracts.ts";
import { proportionEstimate } from "../src/math/estimate.ts";
import { quantile } from "../src/math/quantile.ts";
import { createRng, shuffle } from "../src/math/random.ts";
import { argmaxRows } from "../src/math/softmax.ts";
import { writeOnnx } from "../src/onnx/proto.ts";
import { stratifiedFolds } from "../src/train/folds.ts";
import { modelFile } from "../src/train/model-folder.ts";
import { choosePenalty } from "../src/train/text/embedding/choose-penalty.ts";
import { openEncoder } from "../src/train/text/embedding/encoder.ts";
import { type EncoderFiles, readEncoderFiles } from "../src/train/text/embedding/encoder-files.ts";
import { type HeadData, openHeadFitter } from "../src/train/text/embedding/fit-head.ts";
import { headNetwork } from "../src/train/text/embedding/head-network.ts";
import { openEmbeddingStudent } from "../src/train/text/embedding/load-embedding-student.ts";
import { votesOutOfFold } from "../src/train/text/embedding/neighbour-votes.ts";
import { fitStack } from "../src/train/text/embedding/stack.ts";
import { startPeer } from "./python-support.ts";
import {
  classesIn,
  fitStudent,
  indicesOf,
  inputsOf,
  type LabelledText,
  readTexts,
  rounded,
  studentOf,
} from "./text-support.ts";

const threads = availableParallelism();
/** Points that the stack may lie below the better of scikit-learn's two. */
const slack = 0.005;
const embeddedByPeer = 512;
const timedDecisions = 200;

type DataSet = {
  readonly name: string;
  readonly train: readonly LabelledText[];
  readonly test: readonly LabelledText[];
};

function dataSets(): readonly DataSet[] {
  const intents = { text: "text", label: "category" };
  const banking = shuffle(readTexts("banking77/train.csv", intents), createRng("banking77"));
  const questions = readTexts("banking77/test.csv", intents);
  const news = readTexts("news-bias/llm-labelled.csv", { text: "text", label: "llm_majority_label" });
  return [
    { name: "banking77", train: banking, test: questions },
    { name: "banking77, 2,000 rows", train: banking.slice(0, 2000), test: questions },
    {
      name: "news-bias, 8,000 rows",
      train: shuffle(news, createRng("text-embeddings")).slice(0, 8000),
      test: readTexts("news-bias/gold-test.csv", { text: "text", label: "label" }),
    },
  ];
}

const folder = mkdtempSync(join(tmpdir(), "flywheel-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true }));

function accuracyOf(predicted: ArrayLike<number>, { train, test }: DataSet) {
  const reference = indicesOf(test, classesIn(train));
  const right = reference.filter((label, row) => label === predicted[row]).length;
  const { value, low, high } = proportionEstimate(right, reference.length);
  return [value, low, high].map((one) => rounded(one, 4));
}

async function measure(student: Student, set: DataSet) {
  const predicted = argmaxRows(await student.predictLogits(inputsOf(set.test)), student.classes.length);
  const times: number[] = [];
  for (const input of inputsOf(set.test.slice(0, timedDecisions))) {
    const started = performance.now();
    await student.predictLogits([input]);
    times.push(performance.now() - started);
  }
  return { accuracy: accuracyOf(predicted, set), decisionP50Ms: rounded(quantile(times, 0.5)) };
}

async function tierZero(set: DataSet) {
  const classes = classesIn(set.train);
  const started = performance.now();
  const fitted = await fitStudent(set.train, classes, threads);
  const trainingSeconds = rounded((performance.now() - started) / 1000, 1);
  await using student = await studentOf(fitted, classes);
  return { ...(await measure(student, set)), trainingSeconds };
}

const embedded = new Map<string, Float32Array>();

/** Texts that two data sets share are embedded once. */
async function embedOnce(files: EncoderFiles, texts: readonly string[]) {
  await using encoder = await openEncoder(files, { threads });
  const keyOf = (text: string): string => `${files.source}\n${text}`;
  const fresh = [...new Set(texts.filter((text) => !embedded.has(keyOf(text))))].sort((a, b) => a.length - b.length);
  const started = performance.now();
  const { width } = encoder;
  for (let first = 0; first < fresh.length; first += 256) {
    const piece = fresh.slice(first, first + 256);
    const rows = await encoder.embed(piece);
    piece.forEach((text, row) => void embedded.set(keyOf(text), rows.slice(row * width, (row + 1) * width)));
  }
  const seconds = (performance.now() - started) / 1000;
  const embeddings = new Float32Array(texts.length * width);
  texts.forEach((text, row) => void embeddings.set(embedded.get(keyOf(text))!, row * width));
  return { embeddings, width, textsPerSecond: fresh.length > 0 ? Math.round(fresh.length / seconds) : undefined };
}

async function tierOne(files: EncoderFiles, set: DataSet) {
  const classes = classesIn(set.train);
  const k = classes.length;
  const classIndices = indicesOf(set.train, classes);
  const n = set.train.length;
  const train = await embedOnce(
    files,
    set.train.map(({ text }) => text),
  );
  const { embeddings, width } = train;
  const started = performance.now();
  const targets = Float32Array.from({ length: n * k }, (_, at) => Number(classIndices[Math.floor(at / k)] === at % k));
  const data: HeadData = { embeddings, width, k, targets, weights: new Float64Array(n).fill(1) };
  const folds = stratifiedFolds(
    Array.from(classIndices, (classIndex) => ({ classIndex })),
    "bench",
  );
  await using fitter = await openHeadFitter(data, { threads });
  const chosen = await choosePenalty(fitter, { data, folds, classIndices });
  const votes = await votesOutOfFold({ ...data, folds }, { threads });
  const shares = fitStack({ ...data, linear: chosen.outOfFold, votes });
  const linear = await fitter.fit(chosen.penalty, { start: chosen.head });
  const trainingSeconds = rounded((performance.now() - started) / 1000, 1);
  const open = (own: typeof shares) => {
    const head = writeOnnx(headNetwork({ data, classIndices, linear, shares: own }));
    const card = { id: "0".repeat(64), classes, options: { encoder: files.kind } };
    const model = { folder: "memory", card, files: new Map([...files.files, [modelFile, head]]) };
    return openEmbeddingStudent(model, { threads });
  };
  await using stack = await open(shares);
  await using linearAlone = await open({ linear: 1, votes: 0 });
  await using votesAlone = await open({ linear: 0, votes: 1 });
  const peer = await scikitLearn(files, set, { ...train, c: width / (chosen.penalty * n) });
  return {
    stack: await measure(stack, set),
    linear: (await measure(linearAlone, set)).accuracy,
    votes: (await measure(votesAlone, set)).accuracy,
    penalty: chosen.penalty,
    losses: chosen.history.map(({ loss }) => rounded(loss)),
    shares: { linear: rounded(shares.linear), votes: rounded(shares.votes) },
    textsPerSecond: train.textsPerSecond,
    trainingSeconds,
    peer,
  };
}

type Embedded = { readonly embeddings: Float32Array; readonly width: number; readonly c: number };

async function scikitLearn(files: EncoderFiles, set: DataSet, { embeddings, width, c }: Embedded) {
  using peer = await startPeer("text_embeddings.py");
  if (!peer) return undefined;
  const classes = classesIn(set.train);
  const test = await embedOnce(
    files,
    set.test.map(({ text }) => text),
  );
  const write = (name: string, numbers: Float32Array): string => {
    const path = join(folder, name);
    writeFileSync(path, new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
    return path;
  };
  const fitted = await peer.ask({
    command: "fit",
    train: write("train", embeddings),
    test: write("test", test.embeddings),
    width,
    labels: [...indicesOf(set.train, classes)],
    c,
  });
  const texts = set.test.slice(0, embeddedByPeer).map(({ text }) => text);
  const reference = write("embedded", test.embeddings.subarray(0, texts.length * width));
  const other = await peer.ask({ command: "embed", folder: files.source, kind: files.kind, texts, reference });
  return {
    linear: accuracyOf(fitted["linear"] as readonly number[], set),
    votes: accuracyOf(fitted["votes"] as readonly number[], set),
    textsPerSecond: Math.round(other["textsPerSecond"] as number),
    largestDifference: other["largestDifference"] as number,
  };
}

const given = [
  ["network", process.env["FLYWHEEL_ENCODER"]],
  ["static", process.env["FLYWHEEL_STATIC_ENCODER"]],
] as const;
const encoders = given.flatMap(([name, weights]) => (weights ? [{ name, weights }] : []));

if (encoders.length === 0) {
  const reason = "no encoder is given: set FLYWHEEL_ENCODER, FLYWHEEL_STATIC_ENCODER or both to a folder";
  console.log(JSON.stringify({ bar: "text-embeddings", figures: { reason }, target: { slack }, met: null }));
  process.exit();
}

const outcomes: Record<string, Record<string, unknown>> = {};
let met: boolean | null = true;
for (const set of dataSets()) {
  const tiers: Record<string, unknown> = { tierZero: await tierZero(set) };
  console.log(set.name, "tier 0", tiers["tierZero"]);
  for (const { name, weights } of encoders) {
    const files = await readEncoderFiles({ weights, clock: systemClock });
    const outcome = await tierOne(files, set);
    console.log(set.name, name, outcome);
    tiers[name] = outcome;
    if (!outcome.peer) met = null;
    else if (outcome.stack.accuracy[0]! < Math.max(outcome.peer.linear[0]!, outcome.peer.votes[0]!) - slack)
      met &&= false;
  }
  outcomes[set.name] = tiers;
}
console.log(JSON.stringify({ bar: "text-embeddings", figures: outcomes, target: { slack }, met }));
