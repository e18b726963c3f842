/**
 * @file Texts that the task does not cover, however sure the student is. Three times, 10 of the 77 intents of `banking77` are
 * held out: a student of 3,000 rows of the others is calibrated and certified on rows of the others alone, and then meets both
 * kinds (`out-of-scope-support.ts` says what is counted).
 *
 * Held-out intents are the nearest to scope that there are: the same bank, the same customers, the same words. Sentences of
 * the news (`news-bias`) are far from it, and shown beside.
 */

import { quantile } from "../src/math/quantile.ts";
import { createRng, fork, shuffle } from "../src/math/random.ts";
import { writeOnnx } from "../src/onnx/proto.ts";
import { TextEncoder } from "../src/text/text-encoder.ts";
import { writeVocabulary } from "../src/text/vocabulary-file.ts";
import { modelFile } from "../src/train/model-folder.ts";
import { linearNetwork } from "../src/train/text/linear-network.ts";
import { openLinearStudent, type TextStudent } from "../src/train/text/load-linear-student.ts";
import { collectNeighbours } from "../src/train/text/neighbours.ts";
import { writeNeighbours } from "../src/train/text/neighbours-file.ts";
import { neighboursFile, vocabularyFile } from "../src/train/text/text-files.ts";
import { costOf, figuresOf, heard, meet, type Outcome, share, slack } from "./out-of-scope-support.ts";
import { classesIn, indicesOf, inputsOf, type LabelledText, readTexts, trainOnce } from "./text-support.ts";

const columns = { text: "text", label: "category" };
const seeds = ["first", "second", "third"];
const heldOutIntents = 10;
const trainingRows = 3000;
const calibrateRows = 1500;
/** Fixed, to spare the cross-validation: the strength of the penalty is not what is measured. */
const c = 30;
const target = { kind: "regret", risk: 0.03, delta: 0.1 } as const;

const everything = [...readTexts("banking77/train.csv", columns), ...readTexts("banking77/test.csv", columns)];
const news = readTexts("news-bias/gold-test.csv", { text: "text", label: "label" });

async function studentWithNeighbours(train: readonly LabelledText[], classes: readonly string[]) {
  const { vocabulary, model } = trainOnce(train, classes, c);
  const texts = train.map(({ text }) => text);
  const labelled = { texts, classIndices: indicesOf(train, classes), classes: classes.length };
  const neighbours = writeNeighbours(collectNeighbours(labelled, new TextEncoder(vocabulary)));
  const files = new Map([
    [modelFile, writeOnnx(linearNetwork(model))],
    [vocabularyFile, writeVocabulary(vocabulary)],
    [neighboursFile, neighbours],
  ]);
  const student = await openLinearStudent({ folder: "memory", card: { id: "0".repeat(64), classes }, files });
  return { student, neighboursBytes: neighbours.length };
}

async function say(student: TextStudent, rows: readonly LabelledText[]) {
  return {
    logits: await student.predictLogits(inputsOf(rows)),
    novelty: await student.novelty!(inputsOf(rows)),
    reference: indicesOf(rows, student.classes),
  };
}

/** Microseconds of one question, median. */
async function noveltyTime(student: TextStudent, rows: readonly LabelledText[]): Promise<number> {
  const times: number[] = [];
  for (const input of inputsOf(rows.slice(0, 1000))) {
    const started = performance.now();
    await student.novelty!([input]);
    times.push(1000 * (performance.now() - started));
  }
  return quantile(times, 0.5);
}

const outcomes: Outcome<"near" | "far">[] = [];
const times: number[] = [];
const bytes: number[] = [];

for (const seed of seeds) {
  const rng = createRng(fork("out-of-scope", seed));
  const outside = new Set(shuffle(classesIn(everything), rng).slice(0, heldOutIntents));
  const inside = shuffle(
    everything.filter(({ label }) => !outside.has(label)),
    rng,
  );
  const train = inside.slice(0, trainingRows);
  const { student, neighboursBytes } = await studentWithNeighbours(train, classesIn(train));
  const certifyFrom = trainingRows + calibrateRows;
  const half = certifyFrom + Math.floor((inside.length - certifyFrom) / 2);
  const unknown = everything.filter(({ label }) => outside.has(label));
  const outcome = meet({
    calibrate: heard("calibrate", await say(student, inside.slice(trainingRows, certifyFrom))),
    certify: heard("certify", await say(student, inside.slice(certifyFrom, half))),
    inScope: heard("certify", await say(student, inside.slice(half))),
    outside: { near: heard("certify", await say(student, unknown)), far: heard("certify", await say(student, news)) },
    target,
  });
  console.log(seed, outcome);
  outcomes.push(outcome);
  times.push(await noveltyTime(student, inside.slice(certifyFrom)));
  bytes.push(neighboursBytes);
}

const figures = figuresOf(outcomes);
const cost = costOf(figures);
const { without, with: detected } = figures.answered;
console.log(
  JSON.stringify({
    bar: "out-of-scope",
    figures: {
      ...figures,
      cost,
      noveltyMicroseconds: Math.round(quantile(times, 0.5)),
      neighboursBytes: Math.round(quantile(bytes, 0.5)),
    },
    target: { near: "fewer than without", cost: share + slack },
    met: detected.near[0]! < without.near[0]! && cost <= share + slack,
  }),
);
