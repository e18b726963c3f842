/**
 * @file Bar 3: one image through our code, tensor in to label out, within 10 % of a bare ONNX Runtime session on the same
 * file; PyTorch eager beside. The three take turns, a few images each, so that all see the same machine.
 *
 * PyTorch needs `FLYWHEEL_PYTHON` (default `python3`) with torch and timm; without it that figure is absent.
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { quantile } from "../src/math/quantile.ts";
import { createRng } from "../src/math/random.ts";
import { foldBatchNormalisation } from "../src/onnx/fold-batch-normalisation.ts";
import { countParameters } from "../src/onnx/parameters.ts";
import { modelId } from "../src/records.ts";
import { architectureOf, buildNetwork } from "../src/train/build-network.ts";
import { withImageInput } from "../src/train/image-input.ts";
import { seededInitialiser } from "../src/train/initialise.ts";
import { loadStudent } from "../src/train/load-student.ts";
import { metadataOf, modelFile, writeModelFolder } from "../src/train/model-folder.ts";

const network = "mobilenet-v3-small";
const size = 224;
const classes = Array.from({ length: 10 }, (_, index) => `class ${index}`);
const threads = availableParallelism();
const rounds = 40;
const perRound = 15;

/** One image, start to label; milliseconds. */
type Contestant = { readonly name: string; run(count: number): Promise<readonly number[]> };

const rng = createRng("inference");
const image = Float32Array.from({ length: 3 * size * size }, () => rng.normal());

function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index;
  return best;
}

async function timed(count: number, once: () => Promise<string>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = performance.now();
    await once();
    times.push(performance.now() - start);
  }
  return times;
}

/** A student with random weights: time does not depend on what it has learned. */
async function writeStudent(folder: string): Promise<void> {
  const fresh = buildNetwork(architectureOf(network), { classes: classes.length, initialise: seededInitialiser(1) });
  const preprocessing = { size, resize: size, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;
  const facts = { id: modelId("0"), classes, preprocessing, dataHash: "0", trainer: network };
  const model = { ...withImageInput(foldBatchNormalisation(fresh), size), metadata: metadataOf(facts) };
  const card = {
    ...facts,
    inputKind: "image",
    parameters: countParameters(model),
    seed: "1",
    trainingRows: 0,
    options: {},
    history: [],
    codeVersion: "bench",
    createdAt: 0,
    trainingMs: 0,
  } as const;
  await writeModelFolder(folder, { model, card });
}

async function bareSession(path: string): Promise<Contestant> {
  const session = await InferenceSession.create(path, { intraOpNumThreads: threads });
  return {
    name: "bare session",
    run: (count) =>
      timed(count, async () => {
        const { logits } = await session.run({ images: new Tensor("float32", image, [1, 3, size, size]) });
        return classes[argMax(logits!.data as Float32Array)]!;
      }),
  };
}

/** Absent where there is no Python with torch and timm. */
async function pytorch(): Promise<(Contestant & { stop(): void }) | undefined> {
  const script = join(import.meta.dirname, "peers", "inference.py");
  const child = spawn(process.env["FLYWHEEL_PYTHON"] ?? "python3", [script], { stdio: ["pipe", "pipe", "ignore"] });
  const started = new Promise<boolean>((resolve) =>
    child.once("spawn", () => resolve(true)).once("error", () => resolve(false)),
  );
  if (!(await started)) return undefined;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.on("error", () => {}); // it may have ended for want of torch, which the next line tells
  child.stdin.write(`${architectureOf(network).timm} ${size} ${threads}\n`);
  const hello = await lines.next();
  if (hello.done === true) return undefined;
  console.log(`PyTorch ${hello.value}`);
  return {
    name: "PyTorch eager",
    async run(count) {
      child.stdin.write(`run ${count}\n`);
      const { value } = await lines.next();
      return JSON.parse(String(value));
    },
    stop: () => child.kill(),
  };
}

const folder = join(await mkdtemp(join(tmpdir(), "flywheel-inference-")), "model");
await writeStudent(folder);
await using student = await loadStudent(folder, { threads });
const ours: Contestant = {
  name: "flywheel",
  run: (count) => timed(count, async () => student.classes[argMax(await student.predictTensor(image))]!),
};
const peer = await pytorch();
const contestants = [ours, await bareSession(join(folder, modelFile)), ...(peer ? [peer] : [])];

const times = new Map(contestants.map(({ name }) => [name, [] as number[]]));
for (const { run } of contestants) await run(perRound); // warm-up
for (let round = 0; round < rounds; round++) {
  // Whoever follows a neighbour that spins or allocates pays for it, so the order turns.
  const order = contestants.map((_, index) => contestants[(index + round) % contestants.length]!);
  for (const { name, run } of order) times.get(name)!.push(...(await run(perRound)));
}
peer?.stop();
await rm(join(folder, ".."), { recursive: true });

const rounded = (value: number): number => Math.round(value * 1000) / 1000;
const figures = Object.fromEntries(
  contestants.map(({ name }) => {
    const own = Float64Array.from(times.get(name)!).sort();
    const [p50, p95] = [quantile(own, 0.5), quantile(own, 0.95)];
    console.log(`${name.padEnd(14)} p50 ${p50.toFixed(2)} ms, p95 ${p95.toFixed(2)} ms, n ${own.length}`);
    return [name, { p50Ms: rounded(p50), p95Ms: rounded(p95), n: own.length }];
  }),
);
const ratio = figures["flywheel"]!.p50Ms / figures["bare session"]!.p50Ms;
console.log(`${network}, ${size}², ${threads} threads: ${ratio.toFixed(3)} of a bare session's time`);
console.log(
  JSON.stringify({
    bar: "inference",
    figures: { network, size, threads, ratioToBareSession: rounded(ratio), ...figures },
    target: { ratioToBareSession: 1.1 },
    met: ratio <= 1.1,
  }),
);
