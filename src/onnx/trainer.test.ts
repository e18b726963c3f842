import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createGraphBuilder } from "./builder.ts";
import type { Model } from "./model.ts";
import { readOnnx, writeOnnx } from "./proto.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";
import { cosineLearningRate } from "./schedule.ts";
import { openSession } from "./session.ts";
import { withClassifierHead } from "./surgery.ts";
import { floats } from "./tensor.ts";
import { randomTensor, sharedFile } from "./testing.ts";
import { type Batch, createTrainer, type TrainerOptions } from "./trainer.ts";

const classes = 3;

/** A convolution with batch norm, dropout and a linear head on [N, 2, 6, 6]. */
function smallNetwork({ dropout = 0 } = {}): Model {
  const g = createGraphBuilder("small");
  const x = g.input("x", "float32", ["N", 2, 6, 6]);
  const parameter = (name: string, dims: number[]) => g.parameter(name, randomTensor(dims, name));
  const conv = g.conv(x, parameter("conv.weight", [8, 2, 3, 3]), undefined, { pads: 1 });
  const ones = (name: string) => g.parameter(name, floats(new Float32Array(8).fill(1)));
  const norm = [ones("bn.weight"), parameter("bn.bias", [8]), parameter("bn.mean", [8]), ones("bn.variance")];
  const normal = g.op("HardSwish", [g.op("BatchNormalization", [conv, ...norm])]);
  const pooled = g.op("Flatten", [g.op("GlobalAveragePool", [normal])]);
  const kept = g.op("Dropout", [pooled, g.scalar(dropout)]);
  g.output("logits", g.linear(kept, parameter("fc.weight", [classes, 8]), parameter("fc.bias", [classes])), "float32");
  return g.build();
}

/** The same for images of any side. */
function withOpenSides(model: Model): Model {
  const inputs = model.graph.inputs.map((input) => ({ ...input, dims: ["N", 2, "H", "W"] }));
  return { ...model, graph: { ...model.graph, inputs } };
}

const options: TrainerOptions = {
  forward: smallNetwork(),
  loss: { kind: "softmax-cross-entropy" },
  optimiser: { kind: "sgd", momentum: 0.9 },
  batchSize: 4,
  threads: 2,
};
const learningRate = 0.05;

function batchOf(rows: number, seed: string): Batch {
  const targets = new Float32Array(rows * classes);
  for (let row = 0; row < rows; row++) targets[row * classes + (row % classes)] = 1;
  return { inputs: { x: randomTensor([rows, 2, 6, 6], seed) }, targets };
}

async function trained(given: TrainerOptions, batches: readonly Batch[]) {
  await using trainer = await createTrainer(given);
  const losses: number[] = [];
  for (const batch of batches) losses.push((await trainer.step(batch, { learningRate })).loss);
  return { losses, parameters: trainer.parameters(), forward: trainer.exportForward() };
}

const twelve = Array.from({ length: 12 }, (_, index) => batchOf(4, `batch ${index % 2}`));

describe("a trainer", () => {
  test.each(["sgd", "adamw"] as const)("%s lowers the loss on what it has seen", async (kind) => {
    const { losses } = await trained({ ...options, optimiser: { kind } }, twelve);
    expect(losses.at(-1)).toBeLessThan(losses[1]! * 0.9);
  });

  test("the same seed, data and threads give the same weights bit for bit", async () => {
    const given = {
      ...options,
      forward: smallNetwork({ dropout: 0.5 }),
      batchNormalisation: "batch",
      seed: 7,
    } as const;
    const [one, two] = [await trained(given, twelve), await trained(given, twelve)];
    expect(one.parameters).toEqual(two.parameters);
    const other = await trained({ ...given, seed: 8 }, twelve);
    expect(other.losses).not.toEqual(one.losses);
  });

  test("a checkpoint, through a file, continues bit for bit", async () => {
    const forward = smallNetwork({ dropout: 0.3 });
    const given = { ...options, forward, optimiser: { kind: "adamw" }, batchNormalisation: "batch", seed: 3 } as const;
    await using straight = await createTrainer(given);
    for (const batch of twelve.slice(0, 5)) await straight.step(batch, { learningRate });
    const file = writeSafetensors(straight.checkpoint());
    await using resumed = await createTrainer(given);
    resumed.restore(readSafetensors(file));
    expect(resumed.steps).toBe(5);
    for (const batch of twelve.slice(5)) {
      const [left, right] = [await straight.step(batch, { learningRate }), await resumed.step(batch, { learningRate })];
      expect(right).toEqual(left);
    }
    expect(resumed.parameters()).toEqual(straight.parameters());
  });

  test("a checkpoint of another model is refused", async () => {
    await using trainer = await createTrainer(options);
    await using other = await createTrainer({ ...options, parameters: ["fc.weight"] });
    expect(() => other.restore(trainer.checkpoint())).toThrow(/another model/);
    const { tensors, metadata } = trainer.checkpoint();
    const torn = { tensors: new Map([...tensors].slice(1)), metadata };
    expect(() => trainer.restore(torn)).toThrow(expect.objectContaining({ code: "onnx_checkpoint_mismatch" }));
  });

  test("what was trained is what is served", async () => {
    await using trainer = await createTrainer(options);
    for (const batch of twelve) await trainer.step(batch, { learningRate });
    const served = readOnnx(writeOnnx(trainer.exportForward()));
    await using session = await openSession(served, { threads: 1 });
    const batch = batchOf(4, "fresh");
    const { logits } = await session.run(batch.inputs);
    const { logits: seen } = await trainer.step(batch, { learningRate: 0 });
    expect([...(logits!.data as Float32Array)]).toEqual([...seen].map((value) => expect.closeTo(value, 4)));
  });

  test("a row of weight 0 changes nothing, nor does filling up a small batch", async () => {
    const full = batchOf(4, "full");
    const x = full.inputs["x"]!;
    const three: Batch = {
      inputs: { x: floats((x.data as Float32Array).slice(0, 3 * 72), [3, 2, 6, 6]) },
      targets: full.targets.slice(0, 3 * classes),
    };
    const weighted = { ...full, weights: Float32Array.of(1, 1, 1, 0) };
    const [small, masked] = [await trained(options, [three]), await trained(options, [weighted])];
    expect(small.losses[0]).toBeCloseTo(masked.losses[0]!, 6);
    for (const [name, value] of small.parameters) {
      const other = masked.parameters.get(name)!.data;
      expect([...value.data]).toEqual([...other].map((each) => expect.closeTo(each, 5)));
    }
  });

  test("weights scale out: doubling them all changes nothing", async () => {
    const batch = batchOf(4, "w");
    const weights = Float32Array.of(0.5, 1, 2, 0.25);
    const [one, two] = await Promise.all(
      [1, 2].map((scale) => trained(options, [{ ...batch, weights: weights.map((each) => each * scale) }])),
    );
    expect(one!.parameters).toEqual(two!.parameters);
  });

  test("only the named parameters move", async () => {
    const { parameters, forward } = await trained({ ...options, parameters: ["fc.weight", "fc.bias"] }, twelve);
    expect([...parameters.keys()]).toEqual(["fc.weight", "fc.bias"]);
    expect(forward.graph.initialisers.get("conv.weight")).toEqual(
      options.forward.graph.initialisers.get("conv.weight"),
    );
    expect(forward.graph.initialisers.get("fc.weight")).not.toEqual(
      options.forward.graph.initialisers.get("fc.weight"),
    );
  });

  test("inputs of several sizes share parameters and moments: one size after the other as if each had a trainer", async () => {
    const image = (side: number): Batch => ({
      ...batchOf(4, `side ${side}`),
      inputs: { x: randomTensor([4, 2, side, side], `side ${side}`) },
    });
    const forward = withOpenSides(options.forward);
    const sizes = [
      { H: 6, W: 6 },
      { H: 9, W: 9 },
    ];
    const given = { ...options, optimiser: { kind: "adamw" } } as const;
    await using both = await createTrainer({ ...given, forward, sizes });
    await using small = await createTrainer({ ...given, forward, sizes: sizes[0]! });
    await using large = await createTrainer({ ...given, forward, sizes: sizes[1]! });
    await both.step(image(6), { learningRate });
    await small.step(image(6), { learningRate });
    large.restore(small.checkpoint());
    expect(await both.step(image(9), { learningRate })).toEqual(await large.step(image(9), { learningRate }));
    expect(both.parameters()).toEqual(large.parameters());
    await expect(both.step(image(7), { learningRate })).rejects.toMatchObject({ code: "onnx_bad_batch" });
  });

  test.each(["sgd", "adamw"] as const)(
    "%s: a parameter's share of the learning rate is as a rate of its own",
    async (kind) => {
      const given = { ...options, optimiser: { kind, weightDecay: 0.1 } } as const;
      const isHead = (name: string): boolean => name.startsWith("fc.");
      const scaled = { ...given, learningRateScale: ({ name }: { name: string }) => (isHead(name) ? 3 : 1) };
      await using plain = await createTrainer(given);
      await using tripled = await createTrainer(given);
      await using mixed = await createTrainer(scaled);
      await plain.step(batchOf(4, "rates"), { learningRate });
      await tripled.step(batchOf(4, "rates"), { learningRate: 3 * learningRate });
      await mixed.step(batchOf(4, "rates"), { learningRate });
      for (const [name, { data }] of mixed.parameters()) {
        const expected = (isHead(name) ? tripled : plain).parameters().get(name)!.data;
        expect([...data]).toEqual([...expected].map((value) => expect.closeTo(value, 5)));
      }
    },
  );

  test("frozen statistics stay, the batch's are followed", async () => {
    const frozen = await trained(options, twelve);
    const followed = await trained({ ...options, batchNormalisation: "batch" }, twelve);
    const mean = options.forward.graph.initialisers.get("bn.mean");
    expect(frozen.forward.graph.initialisers.get("bn.mean")).toEqual(mean);
    expect(followed.forward.graph.initialisers.get("bn.mean")).not.toEqual(mean);
  });

  test("divergence is an error that leaves the parameters as they were", async () => {
    await using trainer = await createTrainer(options);
    const before = trainer.parameters();
    const batch = batchOf(4, "nan");
    (batch.inputs["x"]!.data as Float32Array)[3] = Number.NaN;
    await expect(trainer.step(batch, { learningRate })).rejects.toMatchObject({ code: "onnx_diverged" });
    expect(trainer.parameters()).toEqual(before);
    expect(trainer.steps).toBe(0);
  });

  const pretrained = sharedFile("models/mobilenet-v2-1.0-224.onnx");
  test.skipIf(pretrained === undefined)("a pretrained file gets a head and learns with all its layers", async () => {
    const forward = await withClassifierHead(readOnnx(readFileSync(pretrained!)), { classes, seed: 1 });
    const optimiser = { kind: "adamw" } as const;
    await using trainer = await createTrainer({
      ...options,
      forward,
      optimiser,
      batchSize: 6,
      sizes: { H: 64, W: 64 },
    });
    expect(trainer.parameterNames).toContain("conv00.weight");
    const { targets } = batchOf(6, "labels");
    const batch = { inputs: { images: randomTensor([6, 3, 64, 64], "images") }, targets };
    const losses: number[] = [];
    for (let step = 0; step < 4; step++) losses.push((await trainer.step(batch, { learningRate: 1e-4 })).loss);
    expect(losses.at(-1)).toBeLessThan(losses[0]! * 0.8);
  });

  test("a step that was not awaited is refused, not mixed up", async () => {
    await using trainer = await createTrainer(options);
    const first = trainer.step(batchOf(4, "a"), { learningRate });
    await expect(trainer.step(batchOf(4, "b"), { learningRate })).rejects.toMatchObject({ code: "onnx_trainer_busy" });
    expect((await first).loss).toBeGreaterThan(0);
    expect(trainer.steps).toBe(1);
  });

  test("an unknown option is refused", async () => {
    const given = { ...options, momentum: 0.9 };
    await expect(createTrainer(given)).rejects.toThrow(/unknown option momentum/);
  });

  const badBatch = { code: "onnx_bad_batch" };
  test.each([
    ["more rows than the batch size", batchOf(5, "x")],
    ["no rows", { inputs: { x: floats([], [0, 2, 6, 6]) }, targets: new Float32Array() }],
    ["targets of another length", { ...batchOf(4, "x"), targets: new Float32Array(9) }],
    ["weights that are all 0", { ...batchOf(4, "x"), weights: new Float32Array(4) }],
    ["a negative weight", { ...batchOf(4, "x"), weights: Float32Array.of(1, 1, 1, -1) }],
  ])("%s: a bad batch", async (_, batch) => {
    await using trainer = await createTrainer(options);
    await expect(trainer.step(batch, { learningRate })).rejects.toMatchObject(badBatch);
  });

  test.each<[string, Partial<TrainerOptions>, string]>([
    ["a batch of 0", { batchSize: 0 }, "onnx_bad_option"],
    ["momentum 1", { optimiser: { kind: "sgd", momentum: 1 } }, "onnx_bad_option"],
    ["negative decay", { optimiser: { kind: "adamw", weightDecay: -1 } }, "onnx_bad_option"],
    ["smoothing 1", { loss: { kind: "softmax-cross-entropy", labelSmoothing: 1 } }, "onnx_bad_option"],
    ["a clip of 0", { clipNorm: 0 }, "onnx_bad_option"],
    ["no size at all", { sizes: [] }, "onnx_bad_option"],
    ["no parameters", { parameters: [] }, "onnx_bad_option"],
    ["a parameter the model lacks", { parameters: ["nope"] }, "onnx_unknown_name"],
  ])("%s is refused", async (_, change, code) => {
    await expect(createTrainer({ ...options, ...change })).rejects.toMatchObject({ code });
  });
});

describe("the cosine schedule", () => {
  const schedule = { peak: 0.1, totalSteps: 100, warmupSteps: 10, floor: 0.01 };

  test("rises to the peak, then falls to the floor and stays", () => {
    expect(cosineLearningRate(0, schedule)).toBeCloseTo(0.01);
    expect(cosineLearningRate(9, schedule)).toBeCloseTo(0.1);
    expect(cosineLearningRate(10, schedule)).toBeCloseTo(0.1);
    expect(cosineLearningRate(99, schedule)).toBeCloseTo(0.001);
    expect(cosineLearningRate(500, schedule)).toBeCloseTo(0.001);
  });

  test("never rises after the warm-up nor leaves [floor, peak]", () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 200 }), (step) => {
        const [now, next] = [cosineLearningRate(step, schedule), cosineLearningRate(step + 1, schedule)];
        expect(next).toBeLessThanOrEqual(now);
        expect(now).toBeGreaterThanOrEqual(0.001 - 1e-12);
        expect(now).toBeLessThanOrEqual(0.1);
      }),
    );
  });

  test("a warm-up that does not fit is refused", () => {
    expect(() => cosineLearningRate(0, { peak: 1, totalSteps: 5, warmupSteps: 5 })).toThrow(/do not fit/);
  });
});
