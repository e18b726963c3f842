/**
 * @file Inputs that the task does not cover, however sure the student is. Three times, 10 of the 77 intents of `banking77` are
 * held out: a student of 3,000 rows of the others is calibrated and certified on rows of the others alone, and then meets both
 * kinds. What it answers is counted with the limit of novelty, without it, and without it at a threshold raised until it
 * answers as little of what is in scope as with it: that a detector costs coverage is no news, it has to buy more for it than
 * a higher threshold does.
 *
 * Held-out intents are the nearest to scope that there are: the same bank, the same customers, the same words. Sentences of
 * the news (`news-bias`) are far from it, and shown beside.
 *
 * Where `FLYWHEEL_ENCODER` names an encoder's folder, the same is measured of the embedding student, and printed beside.
 */

import { systemClock } from "../src/clock.ts";
import { quantile } from "../src/math/quantile.ts";
import { createRng, fork, shuffle } from "../src/math/random.ts";
import { writeOnnx } from "../src/onnx/proto.ts";
import { openSession } from "../src/onnx/session.ts";
import { floats } from "../src/onnx/tensor.ts";
import { TextEncoder } from "../src/text/text-encoder.ts";
import { writeVocabulary } from "../src/text/vocabulary-file.ts";
import { modelFile } from "../src/train/model-folder.ts";
import { type EncoderFiles, readEncoderFiles } from "../src/train/text/embedding/encoder-files.ts";
import { linearNetwork } from "../src/train/text/linear-network.ts";
import { openLinearStudent } from "../src/train/text/load-linear-student.ts";
import { collectNeighbours } from "../src/train/text/neighbours.ts";
import { writeNeighbours } from "../src/train/text/neighbours-file.ts";
import { neighboursFile, vocabularyFile } from "../src/train/text/text-files.ts";
import { embedOnce, fitHead, threads } from "./embedding-support.ts";
import { costOf, figuresOf, heard, meet, type Outcome, share, slack } from "./out-of-scope-support.ts";
import { classesIn, indicesOf, type LabelledText, readTexts, trainOnce } from "./text-support.ts";

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

/** A student as the measurement sees it. */
type Subject = {
  readonly classes: readonly string[];
  readonly noveltyBytes: number;
  hear(texts: readonly string[]): Promise<{ readonly logits: Float32Array; readonly novelty: Float32Array }>;
};

type Fit = (train: readonly LabelledText[], classes: readonly string[]) => Promise<Subject>;

const fitLinearSubject: Fit = async (train, classes) => {
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
  return {
    classes,
    noveltyBytes: neighbours.length,
    async hear(asked) {
      const inputs = asked.map((text) => ({ kind: "text", text }) as const);
      return { logits: await student.predictLogits(inputs), novelty: await student.novelty!(inputs) };
    },
  };
};

/** Every text is embedded once for all three sets of intents; the head is the one that would serve. */
const fitEmbeddingSubject =
  (files: EncoderFiles): Fit =>
  async (train, classes) => {
    const embedded = await embedOnce(
      files,
      train.map(({ text }) => text),
    );
    const { headOf, shares } = await fitHead(embedded, train, classes);
    const head = await openSession(headOf(shares), { threads });
    return {
      classes,
      noveltyBytes: embedded.embeddings.byteLength,
      async hear(asked) {
        const { embeddings, width } = await embedOnce(files, asked);
        const { logits, novelty } = await head.run({ embeddings: floats(embeddings, [asked.length, width]) });
        return { logits: logits!.data as Float32Array, novelty: novelty!.data as Float32Array };
      },
    };
  };

async function say({ classes, hear }: Subject, rows: readonly LabelledText[]) {
  return { ...(await hear(rows.map(({ text }) => text))), reference: indicesOf(rows, classes) };
}

/** Microseconds of one text heard, its embedding left out (it is known by then), median. */
async function questionTime(subject: Subject, rows: readonly LabelledText[]): Promise<number> {
  const times: number[] = [];
  for (const { text } of rows.slice(0, 300)) {
    const started = performance.now();
    await subject.hear([text]);
    times.push(1000 * (performance.now() - started));
  }
  return quantile(times, 0.5);
}

type Draw = { readonly outcome: Outcome<"near" | "far">; readonly microseconds: number; readonly bytes: number };

async function draw(seed: string, teach: Fit): Promise<Draw> {
  const rng = createRng(fork("out-of-scope", seed));
  const outside = new Set(shuffle(classesIn(everything), rng).slice(0, heldOutIntents));
  const inside = shuffle(
    everything.filter(({ label }) => !outside.has(label)),
    rng,
  );
  const train = inside.slice(0, trainingRows);
  const subject = await teach(train, classesIn(train));
  const certifyFrom = trainingRows + calibrateRows;
  const half = certifyFrom + Math.floor((inside.length - certifyFrom) / 2);
  const unknown = everything.filter(({ label }) => outside.has(label));
  const outcome = meet({
    calibrate: heard("calibrate", await say(subject, inside.slice(trainingRows, certifyFrom))),
    certify: heard("certify", await say(subject, inside.slice(certifyFrom, half))),
    inScope: heard("certify", await say(subject, inside.slice(half))),
    outside: { near: heard("certify", await say(subject, unknown)), far: heard("certify", await say(subject, news)) },
    target,
  });
  console.log(seed, outcome);
  return { outcome, microseconds: await questionTime(subject, inside.slice(certifyFrom)), bytes: subject.noveltyBytes };
}

async function measure(teach: Fit) {
  const draws: Draw[] = [];
  for (const seed of seeds) draws.push(await draw(seed, teach));
  const figures = figuresOf(draws.map(({ outcome }) => outcome));
  const middle = (values: readonly number[]) => Math.round(quantile(values, 0.5));
  return {
    ...figures,
    cost: costOf(figures),
    questionMicroseconds: middle(draws.map(({ microseconds }) => microseconds)),
    neighboursBytes: middle(draws.map(({ bytes }) => bytes)),
  };
}

const weights = process.env["FLYWHEEL_ENCODER"];
const linear = await measure(fitLinearSubject);
const embedding = weights
  ? await measure(fitEmbeddingSubject(await readEncoderFiles({ weights, clock: systemClock })))
  : "not measured: FLYWHEEL_ENCODER names no encoder";
const keeps = ({ answered, cost }: typeof linear): boolean =>
  answered.with.near[0]! < answered.without.near[0]! && cost <= share + slack;
console.log(
  JSON.stringify({
    bar: "out-of-scope",
    figures: { "linear-text": linear, "embedding-text": embedding },
    target: { near: "fewer than without", cost: share + slack },
    met: keeps(linear) && (typeof embedding === "string" || keeps(embedding)),
  }),
);
