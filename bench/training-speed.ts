/**
 * @file Bar 2: training throughput of MobileNetV3-Small, all layers, frozen batch norm (folded into the convolutions),
 * batch 32, 224², two threads, beside PyTorch on the same two cores: default layout and channels-last, with batch norm
 * frozen in place and folded. All take turns, a few steps each, so that they see the same machine.
 *
 * PyTorch needs `FLYWHEEL_PYTHON` (default `python3`) with torch and timm. Without it nothing can be compared, and the bar is
 * reported as not met.
 */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { quantile } from "../src/math/quantile.ts";
import { createRng } from "../src/math/random.ts";
import { foldBatchNormalisation } from "../src/onnx/fold-batch-normalisation.ts";
import { floats } from "../src/onnx/tensor.ts";
import { createTrainer } from "../src/onnx/trainer.ts";
import { architectureOf, buildNetwork } from "../src/train/image/build-network.ts";
import { withImageInput } from "../src/train/image/image-input.ts";
import { seededInitialiser } from "../src/train/image/initialise.ts";

const network = "mobilenet-v3-small";
const side = 224;
const batchSize = 32;
const threads = 2;
const rounds = 6;
const stepsPerTurn = 4;
const target = { ratioToDefault: 0.7, goalRatioToChannelsLast: 1 };

/** Milliseconds of each of `count` steps. */
type Contestant = { readonly name: string; steps(count: number): Promise<readonly number[]> };

async function flywheel(): Promise<Contestant & AsyncDisposable> {
  const fresh = buildNetwork(architectureOf(network), { classes: 5, initialise: seededInitialiser(1) });
  const start = performance.now();
  const trainer = await createTrainer({
    forward: withImageInput(foldBatchNormalisation(fresh), side),
    loss: { kind: "softmax-cross-entropy", labelSmoothing: 0.1 },
    optimiser: { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 1e-4 },
    batchSize,
    threads,
    spin: true, // as PyTorch's threads do
  });
  console.log(`step graph built and opened in ${Math.round(performance.now() - start)} ms`);
  const rng = createRng("training-speed");
  const pixels = Float32Array.from({ length: batchSize * 3 * side * side }, () => rng.normal());
  const targets = new Float32Array(batchSize * 5);
  for (let row = 0; row < batchSize; row++) targets[row * 5 + (row % 5)] = 1;
  const batch = { inputs: { images: floats(pixels, [batchSize, 3, side, side]) }, targets };
  return {
    name: "flywheel",
    async steps(count) {
      const times: number[] = [];
      for (let step = 0; step < count; step++) {
        const begin = performance.now();
        await trainer.step(batch, { learningRate: 1e-3 });
        times.push(performance.now() - begin);
      }
      return times;
    },
    [Symbol.asyncDispose]: () => trainer[Symbol.asyncDispose](),
  };
}

type Peer = { readonly contestants: readonly Contestant[]; readonly version: string; stop(): void };

/** `undefined` where there is no Python with torch and timm. */
async function pytorch(): Promise<Peer | undefined> {
  const script = join(import.meta.dirname, "peers", "training_speed.py");
  const child = spawn(process.env["FLYWHEEL_PYTHON"] ?? "python3", [script], { stdio: ["pipe", "pipe", "ignore"] });
  const started = new Promise<boolean>((resolve) =>
    child.once("spawn", () => resolve(true)).once("error", () => resolve(false)),
  );
  if (!(await started)) return undefined;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.on("error", () => {}); // it may have ended for want of torch, which the next line tells
  child.stdin.write(`${architectureOf(network).timm} ${side} ${batchSize} ${threads}\n`);
  const hello = await lines.next();
  if (hello.done === true) return undefined;
  const { torch, variants }: { torch: string; variants: readonly string[] } = JSON.parse(hello.value);
  const contestants = variants.map((variant) => ({
    name: `PyTorch ${variant}`,
    async steps(count: number) {
      child.stdin.write(`${variant} ${count}\n`);
      const { value } = await lines.next();
      return JSON.parse(String(value));
    },
  }));
  return { contestants, version: torch, stop: () => child.kill() };
}

/** Whoever follows a neighbour that spins pays for it, so each turn begins with a step that does not count. */
async function takeTurns(contestants: readonly Contestant[]): Promise<ReadonlyMap<string, readonly number[]>> {
  const times = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (const { steps } of contestants) await steps(3); // warm-up
  for (let round = 0; round < rounds; round++) {
    const order = contestants.map((_, index) => contestants[(index + round) % contestants.length]!);
    for (const { name, steps } of order) times.get(name)!.push(...(await steps(stepsPerTurn + 1)).slice(1));
  }
  return times;
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

function speedOf(name: string, times: readonly number[]) {
  const sorted = Float64Array.from(times).sort();
  const [fast, median, slow] = [0.1, 0.5, 0.9].map((at) => (batchSize * 1000) / quantile(sorted, at));
  console.log(
    `${name.padEnd(30)} ${median!.toFixed(1).padStart(6)} images/s (${slow!.toFixed(1)} to ${fast!.toFixed(1)}), n ${sorted.length}`,
  );
  return { imagesPerSecond: rounded(median!), low: rounded(slow!), high: rounded(fast!), steps: sorted.length };
}

await using ours = await flywheel();
const peer = await pytorch();
const times = await takeTurns([ours, ...(peer?.contestants ?? [])]);
peer?.stop();
const speeds = Object.fromEntries([...times].map(([name, each]) => [name, speedOf(name, each)]));
const peakRssMb = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(`${network}, ${side}², batch ${batchSize}, ${threads} threads; peak resident ${peakRssMb} MB`);

/** Against the faster of frozen in place and folded. */
function ratioTo(layout: string): number | null {
  const peers = [speeds[`PyTorch ${layout}`], speeds[`PyTorch ${layout}-folded`]];
  const best = Math.max(...peers.map((each) => each?.imagesPerSecond ?? Number.NaN));
  return Number.isNaN(best) ? null : rounded(speeds["flywheel"]!.imagesPerSecond / best);
}
const [ratioToDefault, ratioToChannelsLast] = [ratioTo("default"), ratioTo("channels-last")];
const reason = peer ? {} : { reason: "no Python with torch and timm; set FLYWHEEL_PYTHON" };
if (peer)
  console.log(`of PyTorch ${peer.version}: ${ratioToDefault} (default), ${ratioToChannelsLast} (channels-last)`);
console.log(
  JSON.stringify({
    bar: "training-speed",
    figures: { network, side, batchSize, threads, ratioToDefault, ratioToChannelsLast, peakRssMb, speeds },
    target,
    met: ratioToDefault !== null && ratioToDefault >= target.ratioToDefault,
    ...reason,
  }),
);
