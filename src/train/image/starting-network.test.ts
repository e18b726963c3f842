import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../clock.ts";
import type { Model } from "../../onnx/model.ts";
import { writeOnnx } from "../../onnx/proto.ts";
import { writeSafetensors } from "../../onnx/safetensors.ts";
import { openSession } from "../../onnx/session.ts";
import { floats } from "../../onnx/tensor.ts";
import { inTwoFiles } from "../../onnx/testing.ts";
import type { StudentOptions } from "../../task.ts";
import { tintTask, tinyNetwork } from "../testing.ts";
import { architectureOf, buildNetwork } from "./build-network.ts";
import { seededInitialiser } from "./initialise.ts";
import { recipeFor, trainsBackbone } from "./recipe.ts";
import { skippedStridesFor, startingNetwork } from "./starting-network.ts";
import { unfrozenParameters } from "./unfrozen-parameters.ts";
import { resolveWeights } from "./weights.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flywheel-start-"));
});
afterAll(() => rm(folder, { recursive: true }));

const start = (student: Parameters<typeof tintTask>[0]) =>
  startingNetwork({ student: tintTask(student).student, classes: ["red", "green"], seed: "1", clock: systemClock });

async function fileOf(name: string, model: Model): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, writeOnnx(model));
  return path;
}

async function logitsOf(model: Model, size: number): Promise<readonly number[]> {
  await using session = await openSession(model, { threads: 1 });
  const images = floats(
    Float32Array.from({ length: 3 * size * size }, (_, i) => Math.sin(i)),
    [1, 3, size, size],
  );
  const { logits } = await session.run({ images });
  return [...(logits!.data as Float32Array)];
}

describe("an ONNX file", () => {
  test("gets a new head, and one input called images", async () => {
    const model = tinyNetwork(5);
    const [input] = model.graph.inputs;
    const nodes = model.graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((each) => (each === "images" ? "x" : each)),
    }));
    const renamed = { ...model, graph: { ...model.graph, nodes, inputs: [{ ...input!, name: "x" }] } };
    const weights = await fileOf("renamed.onnx", renamed);
    const network = await start({ trainer: "onnx", weights, normalisation: { mean: [0, 0, 0], std: [1, 1, 1] } });
    expect(network).toMatchObject({ trainer: "onnx:renamed", isPretrained: true, isOurs: false });
    expect(network.preprocessing).toEqual({ size: 16, resize: 16, mean: [0, 0, 0], std: [1, 1, 1] });
    expect(await logitsOf(network.model, 16)).toHaveLength(2);
  });

  test("may say itself how its pixels are normalised", async () => {
    const preprocessing = { size: 16, resize: 16, mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] };
    const ours = { ...tinyNetwork(), metadata: { "flywheel.preprocessing": JSON.stringify(preprocessing) } };
    const { preprocessing: read } = await start({ trainer: "onnx", weights: await fileOf("ours.onnx", ours) });
    expect(read).toEqual(preprocessing);
    const theirs = { ...tinyNetwork(), metadata: { names: "{0: 'a'}", imgsz: "[16, 16]" } };
    const { preprocessing: plain } = await start({ trainer: "onnx", weights: await fileOf("theirs.onnx", theirs) });
    expect(plain).toMatchObject({ mean: [0, 0, 0], std: [1, 1, 1] });
  });

  test("may have its weights in a file beside it, and is known by both", async () => {
    const { onnx, data } = inTwoFiles(tinyNetwork(5), "beside.onnx.data");
    const weights = join(folder, "beside.onnx");
    await writeFile(weights, onnx);
    await writeFile(`${weights}.data`, data);
    const student: Parameters<typeof tintTask>[0] = {
      trainer: "onnx",
      weights,
      normalisation: { mean: [0, 0, 0], std: [1, 1, 1] },
    };
    const network = await start(student);
    const whole = await start({ ...student, weights: await fileOf("whole.onnx", tinyNetwork(5)) });
    expect(await logitsOf(network.model, 16)).toEqual(await logitsOf(whole.model, 16));
    const sha256 = createHash("sha256").update(onnx).update(data).digest("hex");
    expect(network.weightsSha256).toBe(sha256);
    expect(await resolveWeights(weights, { sha256, clock: systemClock })).toBe(weights);
    data[0]! ^= 1;
    await writeFile(`${weights}.data`, data);
    expect((await start(student)).weightsSha256).not.toBe(sha256);
    await expect(resolveWeights(weights, { sha256, clock: systemClock })).rejects.toMatchObject({
      code: "weights_corrupt",
    });
  });

  test("is refused where its input is no batch of RGB images of the size asked for", async () => {
    const weights = await fileOf("size.onnx", tinyNetwork());
    const asked = start({
      trainer: "onnx",
      weights,
      imageSize: 32,
      normalisation: { mean: [0, 0, 0], std: [1, 1, 1] },
    });
    await expect(asked).rejects.toMatchObject({ code: "onnx_unexpected_interface" });
  });
});

/** As small as they come, by both of PyTorch's exporters (`scripts/networks/export_networks.py --golden`). */
describe("a vision transformer, whose shapes are computed from the batch", () => {
  const golden = join(import.meta.dirname, "../../../test/golden/exported");

  test.each(["dynamo", "script"])(
    "gets a new head and is fine-tuned in full, without its mask: %s",
    async (exporter) => {
      const weights = join(golden, `vit.${exporter}.onnx`);
      const network = await start({ trainer: "onnx", weights, normalisation: { mean: [0, 0, 0], std: [1, 1, 1] } });
      expect(network.preprocessing.size).toBe(16);
      expect(await logitsOf(network.model, 16)).toHaveLength(2);
      const names = await unfrozenParameters(network.model, 16);
      expect(names).toEqual(expect.arrayContaining(["cls_token", "pos_embed", "gamma", "head.weight", "head.bias"]));
      expect(names).toHaveLength(15);
    },
  );
});

describe("a network of our own", () => {
  test("with pretrained weights has its batch norm folded away, and computes the same", async () => {
    const initialise = seededInitialiser(3);
    const pretrained = buildNetwork(architectureOf("mobilenet-v3-small"), { classes: 2, initialise });
    const tensors = new Map(
      [...pretrained.graph.initialisers].flatMap(([name, value]) =>
        value.dtype !== "string" && name.includes(".") ? [[name, value]] : [],
      ),
    );
    const weights = join(folder, "w.safetensors");
    await writeFile(weights, writeSafetensors({ tensors, metadata: {} }));
    const network = await start({ trainer: "mobilenet-v3-small", weights, imageSize: 64 });
    expect(network.model.graph.nodes.filter(({ opType }) => opType === "BatchNormalization")).toEqual([]);
    const [ours, theirs] = [await logitsOf(network.model, 64), await logitsOf(pretrained, 64)];
    ours.forEach((value, index) => {
      expect(value).toBeCloseTo(theirs[index]!, 4);
    });
  });

  test("from scratch keeps some extent of a small photograph", () => {
    expect([32, 48, 64, 96, 224].map(skippedStridesFor)).toEqual([2, 1, 0, 0, 0]);
  });
});

describe("fine-tuning", () => {
  const student = (changes: Partial<StudentOptions>) => ({ ...tintTask().student, ...changes });
  const pretrained = { isPretrained: true, isOurs: false };

  test("unfreezes from 50 rows a class, or as it is told", () => {
    const at = (rows: number, changes = {}) => trainsBackbone(student(changes), { ...pretrained, rows, classes: 2 });
    expect([at(99), at(100)]).toEqual([false, true]);
    expect([at(1000, { finetune: "head" }), at(2, { finetune: "all" })]).toEqual([false, true]);
    expect(trainsBackbone(student({}), { isPretrained: false, rows: 4, classes: 2 })).toBe(true);
  });

  test("starts at a sixteenth of the resolution", async () => {
    const { model } = await start({ trainer: "mobilenet-v2" });
    const names = await unfrozenParameters(model, 224);
    expect(names).toContain("blocks.3.0.conv_pwl.weight");
    expect(names).toContain("classifier.bias");
    expect(names).not.toContain("blocks.3.0.conv_dw.weight");
    expect(names).not.toContain("blocks.2.0.conv_pw.weight");
  });

  test("takes what the task says over what experience says", () => {
    const options = { epochs: 3, learningRate: 0.1, batchSize: 7, weightDecay: 0, labelSmoothing: 0.2, augment: false };
    const recipe = recipeFor(student(options), pretrained);
    const { augment: _, ...rest } = options;
    expect(recipe).toMatchObject({ ...rest, augmentation: undefined });
  });
});

const shared = `${process.env["FLYWHEEL_SHARED"] ?? new URL("../../../../shared", import.meta.url).pathname}/models`;
test.skipIf(!existsSync(shared))("MobileNetV2 as published is fine-tuned from its fourth stage on", async () => {
  const weights = `${shared}/mobilenet-v2-1.0-224.onnx`;
  const network = await start({
    trainer: "onnx",
    weights,
    normalisation: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  });
  expect(network.preprocessing.size).toBe(224);
  const names = await unfrozenParameters(network.model, 224);
  expect([names[0], names.at(-1)]).toEqual(["conv20.weight", "head.bias"]);
});
