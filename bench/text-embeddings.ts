/**
 * @file Tier 1 of texts: sentence embeddings with logistic regression and nearest texts stacked, on the embeddings of a network
 * (`FLYWHEEL_ENCODER`: a folder) and on static ones (`FLYWHEEL_STATIC_ENCODER`: a folder in Model2Vec's format), beside tier 0.
 *
 * `banking77` on 2,000 training rows and on all; `news-bias` on 4,000 of its sentences, measured against people. Tier 0 at a
 * fixed C. The peer is scikit-learn's logistic regression at the same strength of the penalty, and its five nearest neighbours,
 * on the same embeddings; sentence-transformers (or Model2Vec) embeds 512 of the texts from the same folder, for the time that
 * it takes and the difference that it makes.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import type { Student } from "../src/contracts.ts";
import { proportionEstimate } from "../src/math/estimate.ts";
import { quantile } from "../src/math/quantile.ts";
import { createRng, shuffle } from "../src/math/random.ts";
import { argmaxRows } from "../src/math/softmax.ts";
import { openSession } from "../src/onnx/session.ts";
import { floats } from "../src/onnx/tensor.ts";
import { type EncoderFiles, readEncoderFiles } from "../src/train/text/embedding/encoder-files.ts";
import { type Embedded, embeddingStudent, embedOnce, encoderFolders, fitHead, threads } from "./embedding-support.ts";
import { startPeer } from "./python-support.ts";
import {
  classesIn,
  indicesOf,
  inputsOf,
  type LabelledText,
  readTexts,
  rounded,
  studentOf,
  trainOnce,
} from "./text-support.ts";

/** Points that the stack may lie below the better of scikit-learn's two. */
const slack = 0.005;
const embeddedByPeer = 512;
const timedDecisions = 200;

type DataSet = {
  readonly name: string;
  readonly train: readonly LabelledText[];
  readonly test: readonly LabelledText[];
  readonly c: number;
};

function dataSets(): readonly DataSet[] {
  const intents = { text: "text", label: "category" };
  const banking = shuffle(readTexts("banking77/train.csv", intents), createRng("banking77"));
  const questions = readTexts("banking77/test.csv", intents);
  const news = readTexts("news-bias/llm-labelled.csv", { text: "text", label: "llm_majority_label" });
  return [
    { name: "banking77, 2,000 rows", train: banking.slice(0, 2000), test: questions, c: 30 },
    { name: "banking77", train: banking, test: questions, c: 30 },
    {
      name: "news-bias, 4,000 rows",
      train: shuffle(news, createRng("text-embeddings")).slice(0, 4000),
      test: readTexts("news-bias/gold-test.csv", { text: "text", label: "label" }),
      c: 1,
    },
  ];
}

const textsOf = (rows: readonly LabelledText[]): readonly string[] => rows.map(({ text }) => text);

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
  const fitted = trainOnce(set.train, classes, set.c);
  const trainingSeconds = rounded((performance.now() - started) / 1000, 1);
  await using student = await studentOf(fitted, classes);
  return { ...(await measure(student, set)), trainingSeconds };
}

async function tierOne(files: EncoderFiles, set: DataSet) {
  const classes = classesIn(set.train);
  const train = await embedOnce(files, textsOf(set.train));
  const head = await fitHead(train, set.train, classes);
  const { shares, penalty, losses, trainingSeconds, headOf } = head;
  await using student = await embeddingStudent(files, head, classes);
  const test = await embedOnce(files, textsOf(set.test));
  const c = train.width / (penalty * set.train.length);
  return {
    stack: await measure(student, set),
    linear: await accuracyAlone(headOf({ linear: 1, votes: 0 }), test, set),
    votes: await accuracyAlone(headOf({ linear: 0, votes: 1 }), test, set),
    penalty,
    losses: losses.map((loss) => rounded(loss)),
    shares: { linear: rounded(shares.linear), votes: rounded(shares.votes) },
    textsPerSecond: train.textsPerSecond,
    trainingSeconds: rounded(trainingSeconds, 1),
    peer: await scikitLearn(files, set, { train, test, c }),
  };
}

/** Of one of the two opinions. */
async function accuracyAlone(head: Uint8Array, { embeddings, width }: Embedded, set: DataSet) {
  await using session = await openSession(head, { threads });
  const { logits } = await session.run({ embeddings: floats(embeddings, [set.test.length, width]) });
  return accuracyOf(argmaxRows(logits!.data as Float32Array, classesIn(set.train).length), set);
}

type PeerData = { readonly train: Embedded; readonly test: Embedded; readonly c: number };

async function scikitLearn(files: EncoderFiles, set: DataSet, { train, test, c }: PeerData) {
  using peer = await startPeer("text_embeddings.py");
  if (!peer) return undefined;
  const classes = classesIn(set.train);
  const write = (name: string, numbers: Float32Array): string => {
    const path = join(folder, name);
    writeFileSync(path, new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
    return path;
  };
  const fitted = await peer.ask({
    command: "fit",
    train: write("train", train.embeddings),
    test: write("test", test.embeddings),
    width: test.width,
    labels: [...indicesOf(set.train, classes)],
    c,
  });
  const texts = set.test.slice(0, embeddedByPeer).map(({ text }) => text);
  const reference = write("embedded", test.embeddings.subarray(0, texts.length * test.width));
  const other = await peer.ask({ command: "embed", folder: files.source, kind: files.kind, texts, reference });
  return {
    linear: accuracyOf(fitted["linear"] as readonly number[], set),
    votes: accuracyOf(fitted["votes"] as readonly number[], set),
    textsPerSecond: Math.round(other["textsPerSecond"] as number),
    largestDifference: other["largestDifference"] as number,
  };
}

if (encoderFolders.length === 0) {
  const reason = "no encoder is given: set FLYWHEEL_ENCODER, FLYWHEEL_STATIC_ENCODER or both to a folder";
  console.log(JSON.stringify({ bar: "text-embeddings", figures: { reason }, target: { slack }, met: null }));
  process.exit();
}

const outcomes: Record<string, Record<string, unknown>> = {};
let met: boolean | null = true;
for (const set of dataSets()) {
  const tiers: Record<string, unknown> = { tierZero: await tierZero(set) };
  console.log(set.name, "tier 0", tiers["tierZero"]);
  for (const { name, weights } of encoderFolders) {
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
