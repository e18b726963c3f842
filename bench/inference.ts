/**
 * @file Bar 3: one image through our code, tensor in to label out, within 10 % of a bare ONNX Runtime session on the same
 * file; PyTorch eager beside. The three take turns, a few images each, so that all see the same machine.
 *
 * PyTorch needs `FLYWHEEL_PYTHON` (default `python3`) with torch and timm; without it that figure is absent.
 *
 * Then the same student behind the HTTP server: a JPEG of 640 × 480 in, a decision out, one at a time, no audits. Ours is
 * what is left of it after decoding with libvips (`prepareImage`) and the network (the bare session): HTTP, JSON, hashing,
 * routing, and the decision made durable.
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { InferenceSession, Tensor } from "onnxruntime-node";
import sharp from "sharp";
import { prepareImage } from "../src/image/prepare.ts";
import { quantiles } from "../src/math/quantile.ts";
import { createRng } from "../src/math/random.ts";
import { foldBatchNormalisation } from "../src/onnx/fold-batch-normalisation.ts";
import { countParameters } from "../src/onnx/parameters.ts";
import { type ModelCard, modelId, policyId } from "../src/records.ts";
import { startServer } from "../src/serve/server.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { defineTask, promptVersion } from "../src/task.ts";
import { architectureOf, buildNetwork } from "../src/train/image/build-network.ts";
import { withImageInput } from "../src/train/image/image-input.ts";
import { seededInitialiser } from "../src/train/image/initialise.ts";
import { loadImageStudent } from "../src/train/image/load-image-student.ts";
import { metadataOf, modelFile, writeModelFolder } from "../src/train/model-folder.ts";

const network = "mobilenet-v3-small";
const size = 224;
const classes = Array.from({ length: 10 }, (_, index) => `class ${index}`);
const threads = availableParallelism();
const rounds = 40;
const perRound = 15;
const requests = 400;
/**
 * Milliseconds. The idle threads of a bare session spin for tens of them, on cores that whoever comes next needs; those of our
 * own sessions stop after 0.3. Without a pause, we would pay for its manners and it would not for ours.
 */
const untilNeighboursSleep = 100;
const preprocessing = { size, resize: size, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;

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
async function writeStudent(folder: string): Promise<ModelCard> {
  const fresh = buildNetwork(architectureOf(network), { classes: classes.length, initialise: seededInitialiser(1) });
  const facts = { id: modelId("0".repeat(64)), classes, preprocessing, dataHash: "0", trainer: network };
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
  return await writeModelFolder(folder, { model, card });
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

type Timing = { readonly p50Ms: number; readonly p95Ms: number; readonly n: number };

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

function timing(times: readonly number[]): Timing {
  const [p50 = 0, p95 = 0] = quantiles(times, [0.5, 0.95]);
  return { p50Ms: rounded(p50), p95Ms: rounded(p95), n: times.length };
}

const show = (name: string, { p50Ms, p95Ms, n }: Timing): void =>
  console.log(`${name.padEnd(16)} p50 ${p50Ms.toFixed(2)} ms, p95 ${p95Ms.toFixed(2)} ms, n ${n}`);

/** Interleaved. */
async function race(folder: string): Promise<ReadonlyMap<string, Timing>> {
  await using student = await loadImageStudent(folder, { threads });
  const ours: Contestant = {
    name: "flywheel",
    run: (count) => timed(count, async () => student.classes[argMax(await student.predictTensor(image))]!),
  };
  const peer = await pytorch();
  const contestants = [ours, await bareSession(join(folder, modelFile)), ...(peer ? [peer] : [])];
  const times = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (const { run } of contestants) await run(perRound); // warm-up
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of contestants) {
      await setTimeout(untilNeighboursSleep);
      times.get(name)!.push(...(await run(perRound)));
    }
  }
  peer?.stop();
  return new Map([...times].map(([name, own]) => [name, timing(own)]));
}

/** Different photos: a decision on one that was seen before could be remembered. */
async function photographs(count: number): Promise<readonly Uint8Array[]> {
  const [width, height] = [640, 480];
  return await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const noise = createRng(`photo ${index}`);
      const small = Uint8Array.from({ length: 40 * 30 * 3 }, () => noise.integer(256));
      return sharp(small, { raw: { width: 40, height: 30, channels: 3 } })
        .resize(width, height)
        .jpeg()
        .toBuffer();
    }),
  );
}

const task = defineTask({
  name: "bench",
  input: "image",
  instructions: "Which class?",
  output: { kind: "choice", choices: classes },
  teacher: { model: "compatible/none" },
  audit: { uniformRate: 0, rate: 0 },
  student: { threads },
});

/** JPEG to decision over HTTP, and JPEG to tensor alone, by turns. */
async function serve(directory: string, card: ModelCard): Promise<{ readonly http: Timing; readonly decode: Timing }> {
  await using store = await openSqliteStore({ directory });
  const policy = {
    id: policyId("0".repeat(64)),
    modelId: card.id,
    promptVersion: promptVersion(task),
    classes,
    calibrator: { kind: "temperature", temperature: 1 },
    target: task.target,
    reference: "teacher",
    threshold: 0,
    certificate: {
      target: task.target,
      deltaSpent: 0.1,
      reference: "teacher",
      bound: task.target.risk,
      n: 1000,
      accepted: 1000,
      errors: 0,
      dataHash: "0",
      modelId: card.id,
      promptVersion: promptVersion(task),
      issuedAt: 0,
    },
    coverage: { value: 1, low: 1, high: 1, n: 1 },
    selectiveRisk: { value: 0, low: 0, high: 1, n: 1 },
    warnings: [],
    createdAt: 0,
  } as const;
  await store.models.put(card);
  await store.policies.put(policy);
  await store.policies.promote({ modelId: card.id, policyId: policy.id, at: 0, reason: "bench" }, 0);
  await using server = await startServer({
    task,
    store,
    port: 0,
    loadStudent: (folder) => loadImageStudent(folder, { threads }),
  });
  return await requestsTo(server.url);
}

async function requestsTo(url: string): Promise<{ readonly http: Timing; readonly decode: Timing }> {
  const photos = await photographs(requests + perRound);
  const http: number[] = [];
  const decode: number[] = [];
  for (const [index, jpeg] of photos.entries()) {
    const body = requestBody(jpeg);
    const start = performance.now();
    const response = await fetch(`${url}/v1/decisions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const answer = await response.text();
    const answered = performance.now();
    await prepareImage(jpeg, preprocessing);
    const prepared = performance.now();
    if (response.status !== 200) throw new Error(`HTTP ${response.status}: ${answer}`);
    if (response.headers.get("x-flywheel-route") !== "answered")
      throw new Error(`escalated: ${response.headers.get("x-flywheel-reason")}`);
    if (index < perRound) continue; // warm-up
    http.push(answered - start);
    decode.push(prepared - answered);
  }
  return { http: timing(http), decode: timing(decode) };
}

function requestBody(jpeg: Uint8Array): string {
  const image_url = `data:image/jpeg;base64,${Buffer.from(jpeg).toString("base64")}`;
  const choices = classes.map((value) => ({ value }));
  return JSON.stringify({
    model: task.name,
    input: [{ role: "user", content: [{ type: "input_image", image_url }] }],
    questions: [{ type: "choice", instructions: task.instructions, choices }],
  });
}

const directory = await mkdtemp(join(tmpdir(), "flywheel-inference-"));
try {
  const folder = join(directory, "models", "0".repeat(64));
  const card = await writeStudent(folder);
  const raced = await race(folder);
  for (const [name, own] of raced) show(name, own);
  const { http, decode } = await serve(directory, card);
  show("HTTP", http);
  show("decode alone", decode);
  const bare = raced.get("bare session")!;
  const ratio = raced.get("flywheel")!.p50Ms / bare.p50Ms;
  const ourShare = 1 - (bare.p50Ms + decode.p50Ms) / http.p50Ms;
  console.log(`${network}, ${size}², ${threads} threads: ${ratio.toFixed(3)} of a bare session's time`);
  console.log(`of a decision over HTTP ${(100 * ourShare).toFixed(0)} % is ours`);
  const figures = {
    network,
    size,
    threads,
    ratioToBareSession: rounded(ratio),
    tensorToLabel: Object.fromEntries(raced),
    http: { ...http, decodeP50Ms: decode.p50Ms, ourShare: rounded(ourShare) },
  };
  console.log(JSON.stringify({ bar: "inference", figures, target: { ratioToBareSession: 1.1 }, met: ratio <= 1.1 }));
} finally {
  await rm(directory, { recursive: true });
}
