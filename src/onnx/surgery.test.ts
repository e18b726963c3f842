import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createGraphBuilder, type GraphBuilder, type Value } from "./builder.ts";
import { foldBatchNormalisation } from "./fold-batch-normalisation.ts";
import type { Model } from "./model.ts";
import { countParameters, parameterNames } from "./parameters.ts";
import { readOnnx } from "./proto.ts";
import { openSession } from "./session.ts";
import { cutAt, featureTensor, splitAt, withClassifierHead } from "./surgery.ts";
import { floats, type TensorOf } from "./tensor.ts";
import { randomTensor, sharedFile } from "./testing.ts";

async function run(model: Model, x: TensorOf<"float32">): Promise<Float32Array> {
  await using session = await openSession(model, { threads: 1 });
  const results = await session.run({ [model.graph.inputs[0]!.name]: x });
  return results[model.graph.outputs[0]!.name]!.data as Float32Array;
}

const close = (expected: Float32Array) => [...expected].map((value) => expect.closeTo(value, 4));

/** images → conv → batch norm → relu → residual conv → pool, then what `finish` adds. */
function network(finish: (g: GraphBuilder, pooled: Value) => Value): Model {
  const g = createGraphBuilder("net");
  const x = g.input("x", "float32", ["N", 3, 8, 8]);
  const parameter = (name: string, dims: number[]) => g.parameter(name, randomTensor(dims, name));
  const conv = g.conv(x, parameter("conv.weight", [4, 3, 3, 3]), undefined, { pads: 1, name: "conv" });
  const variance = g.parameter("bn.variance", floats([0.5, 1, 2, 3]));
  const statistics = [parameter("bn.weight", [4]), parameter("bn.bias", [4]), parameter("bn.mean", [4]), variance];
  const stem = g.op("Relu", [g.op("BatchNormalization", [conv, ...statistics])], {}, { name: "stem" });
  const block = g.conv(stem, parameter("block.weight", [4, 4, 1, 1]), parameter("block.bias", [4]), { name: "inside" });
  const pooled = g.op("GlobalAveragePool", [g.op("Add", [stem, block], {}, { name: "block" })], {}, { name: "pooled" });
  g.output("y", finish(g, pooled), "float32");
  return g.build();
}

const gemm = (g: GraphBuilder, pooled: Value) => {
  const weight = g.parameter("fc.weight", randomTensor([7, 4], "fc"));
  return g.op("Softmax", [g.linear(g.op("Flatten", [pooled], {}, { name: "flat" }), weight)]);
};
const conv = (g: GraphBuilder, pooled: Value) => {
  return g.op("Flatten", [g.conv(pooled, g.parameter("fc.weight", randomTensor([7, 4, 1, 1], "fc")), undefined)]);
};
const matMul = (g: GraphBuilder, pooled: Value) => {
  const product = g.op("MatMul", [
    g.op("Flatten", [pooled], {}, { name: "flat" }),
    g.parameter("fc", randomTensor([4, 7], "w")),
  ]);
  return g.op("Add", [product, g.parameter("fc.bias", randomTensor([7], "b"))]);
};

describe("surgery", () => {
  test.each([
    ["Gemm and Softmax", gemm, "flat"],
    ["1×1 convolution", conv, "pooled"],
    ["MatMul and Add", matMul, "flat"],
    ["no classifier, pooled", (_: GraphBuilder, pooled: Value) => pooled, "pooled"],
  ])("features are found before %s", (_, finish, expected) => {
    expect(featureTensor(network(finish))).toBe(expected);
  });

  test("a new head has as many logits as asked, on the same backbone", async () => {
    const model = network(gemm);
    const headed = await withClassifierHead(model, { classes: 3, seed: 1 });
    const x = randomTensor([2, 3, 8, 8], "x");
    const features = await run(cutAt(model, "flat"), x);
    const { data: weight } = headed.graph.initialisers.get("head.weight") as TensorOf<"float32">;
    const expected = Float32Array.from({ length: 6 }, (_, index) => {
      const [row, k] = [Math.floor(index / 3), index % 3];
      return [0, 1, 2, 3].reduce((sum, c) => sum + features[row * 4 + c]! * weight[k * 4 + c]!, 0);
    });
    expect([...(await run(headed, x))]).toEqual(close(expected));
    expect(parameterNames(headed)).toEqual(expect.arrayContaining(["head.weight", "head.bias", "conv.weight"]));
    expect(parameterNames(headed)).not.toContain("fc.weight");
  });

  test("the same seed makes the same head", async () => {
    const [one, two] = await Promise.all([1, 1].map((seed) => withClassifierHead(network(gemm), { classes: 3, seed })));
    expect(one).toEqual(two);
  });

  test("frozen part then trainable part is the whole", async () => {
    const model = network(gemm);
    const { frozen, trainable } = await splitAt(model, "block");
    const x = randomTensor([2, 3, 8, 8], "x");
    const features = floats(await run(frozen, x), [2, 4, 8, 8]);
    expect([...(await run(trainable, features))]).toEqual(close(await run(model, x)));
    expect(parameterNames(trainable)).toEqual(["fc.weight"]);
  });

  test("a cut inside a residual block is refused, an unknown value too", async () => {
    await expect(splitAt(network(gemm), "inside")).rejects.toMatchObject({ code: "onnx_bad_cut" });
    await expect(splitAt(network(gemm), "nowhere")).rejects.toMatchObject({ code: "onnx_unknown_name" });
  });

  test("folding batch normalisation changes nothing but the node count", async () => {
    const model = network(gemm);
    const folded = foldBatchNormalisation(model);
    expect(folded.graph.nodes.some((node) => node.opType === "BatchNormalization")).toBe(false);
    expect([...folded.graph.initialisers.keys()]).toEqual(expect.arrayContaining(["conv.weight", "conv.bias"]));
    const x = randomTensor([2, 3, 8, 8], "x");
    expect([...(await run(folded, x))]).toEqual(close(await run(model, x)));
  });

  const pretrained = sharedFile("models/mobilenet-v2-1.0-224.onnx");
  test.skipIf(pretrained === undefined)("a pretrained file from elsewhere gets a head", async () => {
    const model = readOnnx(readFileSync(pretrained!));
    const headed = await withClassifierHead(model, { classes: 5, seed: 1 });
    expect(countParameters(headed, ["head.weight"])).toBe(5 * 1280);
    const logits = await run(headed, randomTensor([2, 3, 96, 96], "x"));
    expect(logits).toHaveLength(10);
  });
});
