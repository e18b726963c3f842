/**
 * @file Text tier 2 beside tier 1 on the same encoder: 77 intents of bank customers, 2,000 rows to learn from, all test rows to
 * measure with (`FLYWHEEL_ROWS` and `FLYWHEEL_TEST_ROWS` give fewer). Tier 1 is logistic regression on the encoder's embeddings with the penalty
 * that loses least out of fold; tier 2 the same encoder fine-tuned by the usual recipe, without rows for early stopping.
 *
 * Then texts a second of the training step, 32 texts of 16 tokens, two threads, beside PyTorch's step of the same network;
 * both take turns, so that they see the same machine. `FLYWHEEL_ENCODER` names the encoder's folder (all-MiniLM-L6-v2, say);
 * PyTorch needs `FLYWHEEL_PYTHON` (default `python3`) with torch and transformers.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { quantile } from "../src/math/quantile.ts";
import { createRng, shuffle } from "../src/math/random.ts";
import { argmaxRows } from "../src/math/softmax.ts";
import type { Model } from "../src/onnx/model.ts";
import { createTrainer } from "../src/onnx/trainer.ts";
import { rowId } from "../src/records.ts";
import { defineTask } from "../src/task.ts";
import { stratifiedFolds } from "../src/train/folds.ts";
import { choosePenalty } from "../src/train/text/embedding/choose-penalty.ts";
import { openEncoder } from "../src/train/text/embedding/encoder.ts";
import { type EncoderFiles, readEncoderFiles } from "../src/train/text/embedding/encoder-files.ts";
import { type HeadData, openHeadFitter } from "../src/train/text/embedding/fit-head.ts";
import { classifierOn, isHead, trainableParameters } from "../src/train/text/encoder/classifier-network.ts";
import { fitEncoder } from "../src/train/text/encoder/fit-encoder.ts";
import { openReading, readNetwork } from "../src/train/text/encoder/reading.ts";
import { recipeFor } from "../src/train/text/encoder/recipe.ts";
import { tokenFeeds } from "../src/train/text/encoder/token-feeds.ts";
import { openTokenNetwork } from "../src/train/text/encoder/token-network.ts";
import { startPeer } from "./python-support.ts";
import { classesIn, indicesOf, readTexts, rounded } from "./text-support.ts";

const threads = 2;
const step = { batch: 32, length: 16 };
const rounds = 4;
/** Fine-tuning must beat the head alone; a step must cost no more than half as much again as PyTorch's. */
const target = { accuracyOverTierOne: 0, ratioToPytorch: 0.67 };

const folder = process.env["FLYWHEEL_ENCODER"];
if (folder === undefined) {
  const reason = "no encoder: set FLYWHEEL_ENCODER to a folder with model.onnx, tokenizer.json and config.json";
  console.log(JSON.stringify({ bar: "text-encoder", figures: {}, target, met: null, reason }));
  process.exit(0);
}

const columns = { text: "text", label: "category" };
const count = Number(process.env["FLYWHEEL_ROWS"] ?? 2000);
const train = shuffle(readTexts("banking77/train.csv", columns), createRng("banking77")).slice(0, count);
const everyTest = shuffle(readTexts("banking77/test.csv", columns), createRng("banking77 test"));
const test = everyTest.slice(0, Number(process.env["FLYWHEEL_TEST_ROWS"] ?? everyTest.length));
const classes = classesIn(everyTest);
const k = classes.length;
const rows = [...indicesOf(train, classes)].map((classIndex, index) => {
  const target = new Float32Array(k);
  target[classIndex] = 1;
  const input = { kind: "text", text: train[index]!.text } as const;
  return { id: rowId(String(index)), input, target, classIndex, weight: 1 };
});
const truth = indicesOf(test, classes);

const share = (logits: Float32Array): number =>
  rounded(argmaxRows(logits, k).filter((label, row) => label === truth[row]).length / test.length, 4);

async function seconds<T>(what: string, work: () => Promise<T>): Promise<readonly [T, number]> {
  const start = performance.now();
  const result = await work();
  const taken = rounded((performance.now() - start) / 1000, 1);
  console.log(`${what}: ${taken} s`);
  return [result, taken];
}

async function embed(files: EncoderFiles) {
  await using encoder = await openEncoder(files, { threads });
  const embeddings = await encoder.embed(train.map(({ text }) => text));
  const questions = await encoder.embed(test.map(({ text }) => text));
  const targets = Float32Array.from(rows.flatMap((row) => [...row.target]));
  const weights = new Float64Array(rows.length).fill(1);
  return { data: { embeddings, width: encoder.width, k, targets, weights }, questions };
}

/** Tier 1's regression: right on the test rows, and the head that tier 2 starts from. */
async function probe(data: HeadData, questions: Float32Array) {
  await using fitter = await openHeadFitter(data, { threads });
  const classIndices = Int32Array.from(rows, ({ classIndex }) => classIndex);
  const { penalty } = await choosePenalty(fitter, { data, folds: stratifiedFolds(rows, "bench"), classIndices });
  const { weights, bias } = await fitter.fit(penalty);
  const logits = new Float32Array(test.length * k);
  for (let row = 0; row < test.length; row++) {
    for (let c = 0; c < k; c++) {
      let sum = bias[c]!;
      for (let j = 0; j < data.width; j++) sum += questions[row * data.width + j]! * weights[j * k + c]!;
      logits[row * k + c] = sum;
    }
  }
  return { penalty, accuracy: share(logits), start: await fitter.fit(0.1) };
}

async function fineTune(forward: Model, files: EncoderFiles) {
  const { student } = defineTask({
    name: "bench",
    input: "text",
    instructions: "Which intent?",
    output: { kind: "predicate" },
    teacher: { model: "compatible/none" },
  });
  const { encode } = openReading(files);
  const work = await mkdtemp(join(tmpdir(), "flywheel-bench-"));
  const recipe = recipeFor(student);
  const { model } = await fitEncoder({
    forward,
    rows,
    ids: train.map(({ text }) => encode(text)),
    recipe,
    threads,
    seed: "bench",
    checkpointPath: join(work, "checkpoint.safetensors"),
    clock: systemClock,
    progress({ done, details }) {
      if (done % 20 === 0) console.log(`  step ${done}`, details);
    },
  });
  await rm(work, { recursive: true });
  await using network = await openTokenNetwork(model, threads);
  const said = await network.run(
    test.map(({ text }) => encode(text)),
    ["logits"],
  );
  const accuracy = share(said.get("logits")!);
  return { accuracy, epochs: recipe.epochs, learningRate: recipe.learningRate };
}

// ── speed ───────────────────────────────────────────────────────────────────────────────────────────────────────────

type Contestant = { readonly name: string; steps(count: number): Promise<readonly number[]> };

async function ourSteps(forward: Model): Promise<Contestant & AsyncDisposable> {
  const { batch, length } = step;
  const parameters = trainableParameters(forward);
  const trainer = await createTrainer({
    forward,
    parameters,
    loss: { kind: "softmax-cross-entropy", labelSmoothing: 0.05 },
    optimiser: { kind: "adamw", weightDecay: 0.01 },
    learningRateScale: ({ name }) => (isHead(name) ? 10 : 1),
    clipNorm: 1,
    sizes: { L: length },
    batchSize: batch,
    threads,
    spin: true, // as PyTorch's threads do
  });
  const ids = Array.from({ length: batch }, (_, row) =>
    Array.from({ length }, (_unused, at) => 1000 + ((31 * row + 7919 * at) % 20_000)),
  );
  const targets = new Float32Array(batch * k);
  for (let row = 0; row < batch; row++) targets[row * k + (row % k)] = 1;
  return {
    name: "flywheel",
    async steps(wanted) {
      const times: number[] = [];
      for (let at = 0; at < wanted; at++) {
        const begin = performance.now();
        const inputs = tokenFeeds(forward.graph.inputs, ids, length);
        await trainer.step({ inputs, targets }, { learningRate: 1e-4 });
        times.push(performance.now() - begin);
      }
      return times;
    },
    [Symbol.asyncDispose]: () => trainer[Symbol.asyncDispose](),
  };
}

async function speeds(forward: Model): Promise<Readonly<Record<string, number>>> {
  await using ours = await ourSteps(forward);
  using peer = await startPeer("text_encoder.py");
  const contestants: Contestant[] = [ours];
  if (peer) {
    await peer.ask({ command: "open", folder, ...step, classes: k, threads });
    for (const variant of ["default", "fused"]) {
      const steps = async (wanted: number) =>
        (await peer.ask({ command: "steps", variant, count: wanted }))["times"] as readonly number[]; // bench/peers/text_encoder.py
      contestants.push({ name: `pytorch, ${variant}`, steps });
    }
  }
  const times = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (const { steps } of contestants) await steps(1); // warm-up
  for (let round = 0; round < rounds; round++) {
    // Whoever follows a neighbour that spins pays for it, so each turn begins with a step that does not count.
    for (const { name, steps } of contestants) times.get(name)!.push(...(await steps(3)).slice(1));
  }
  return Object.fromEntries(
    [...times].map(([name, each]) => {
      const median = quantile(Float64Array.from(each).sort(), 0.5);
      return [name, rounded((step.batch * 1000) / median, 1)];
    }),
  );
}

const files = await readEncoderFiles({ weights: folder, clock: systemClock });
const { pooling } = openReading(files);
const network = await readNetwork(files);
const forwardFrom = (head: { weights: Float32Array; bias: Float32Array }, width: number): Model =>
  classifierOn({ ...network, pooling, width, k, head });

const [{ data, questions }, embedSeconds] = await seconds("embeddings", () => embed(files));
const [tierOne, probeSeconds] = await seconds("tier 1", () => probe(data, questions));
console.log(`tier 1, penalty ${tierOne.penalty}: ${tierOne.accuracy}`);
const forward = forwardFrom(tierOne.start, data.width);
const [tierTwo, fineTuneSeconds] = await seconds("tier 2", () => fineTune(forward, files));
console.log(`tier 2: ${tierTwo.accuracy}`);
const textsPerSecond = await speeds(forward);
console.log("texts a second", textsPerSecond);

const peers = Object.entries(textsPerSecond).flatMap(([name, speed]) => (name === "flywheel" ? [] : [speed]));
const ratioToPytorch = peers.length > 0 ? rounded(textsPerSecond["flywheel"]! / Math.max(...peers), 2) : null;
const figures = {
  rows: train.length,
  testRows: test.length,
  tierOne: tierOne.accuracy,
  tierTwo: tierTwo.accuracy,
  epochs: tierTwo.epochs,
  learningRate: tierTwo.learningRate,
  step,
  textsPerSecond,
  ratioToPytorch,
  embedSeconds,
  probeSeconds,
  fineTuneSeconds,
};
const isBetter = tierTwo.accuracy - tierOne.accuracy > target.accuracyOverTierOne;
const met = ratioToPytorch === null ? null : isBetter && ratioToPytorch >= target.ratioToPytorch;
const reason = ratioToPytorch === null ? { reason: "no Python with torch and transformers; set FLYWHEEL_PYTHON" } : {};
console.log(JSON.stringify({ bar: "text-encoder", figures, target, met, ...reason }));
