import { describe, expect, test } from "vitest";
import { createGraphBuilder, type GraphBuilder, type Value } from "../builder.ts";
import { differentiableOperators, differentiate } from "../differentiate.ts";
import { inferTypes } from "../infer-types.ts";
import { floats, integers } from "../tensor.ts";
import { expectGradients, type GradientCase, randomTensor } from "../testing.ts";

type Inputs = Readonly<Record<string, Value>>;

const draw = (dims: readonly number[], seed = "x") => randomTensor(dims, seed);
/** Magnitudes in [0.5, …): away from kinks, zeros and singularities. */
const away = (dims: readonly number[], seed = "x") => {
  const { data } = draw(dims, seed);
  return floats(
    data.map((value) => value + Math.sign(value) * 0.5),
    dims,
  );
};
const positive = (dims: readonly number[], seed = "x") => floats(away(dims, seed).data.map(Math.abs), dims);

const one = (x: ReturnType<typeof draw>, build: (g: GraphBuilder, x: Value) => Value): GradientCase => ({
  inputs: { x },
  build: (g, inputs) => build(g, inputs["x"]!),
});
const two = (
  a: ReturnType<typeof draw>,
  b: ReturnType<typeof draw>,
  build: (g: GraphBuilder, a: Value, b: Value) => Value,
): GradientCase => ({ inputs: { a, b }, build: (g, inputs) => build(g, inputs["a"]!, inputs["b"]!) });

const x = draw([2, 3, 4]);

const cases: Record<string, Record<string, GradientCase>> = {
  elementwise: {
    "Add, broadcast both ways": two(draw([2, 1, 4], "a"), draw([3, 1], "b"), (g, a, b) => g.op("Add", [a, b])),
    "Add of a value to itself": one(x, (g, v) => g.op("Add", [v, v])),
    Sum: two(draw([2, 3], "a"), draw([3], "b"), (g, a, b) => g.op("Sum", [a, b, a])),
    "Sub, broadcast": two(draw([4], "a"), draw([2, 4], "b"), (g, a, b) => g.op("Sub", [a, b])),
    "Mul, broadcast": two(draw([2, 3, 1], "a"), draw([2, 1, 4], "b"), (g, a, b) => g.op("Mul", [a, b])),
    "Mul by a scalar": two(draw([2, 3], "a"), draw([], "b"), (g, a, b) => g.op("Mul", [a, b])),
    "Div, broadcast": two(draw([2, 3], "a"), away([3], "b"), (g, a, b) => g.op("Div", [a, b])),
    "Pow of both": two(positive([2, 3], "a"), draw([3], "b"), (g, a, b) => g.op("Pow", [a, b])),
    "Pow by a constant, negative base": one(away([5]), (g, v) => g.op("Pow", [v, g.scalar(3)])),
    Max: two(draw([4, 3], "a"), draw([3], "b"), (g, a, b) => g.op("Max", [a, b])),
    Min: two(draw([4, 3], "a"), draw([4, 3], "b"), (g, a, b) => g.op("Min", [a, b])),
    Where: two(draw([4, 3], "a"), draw([3], "b"), (g, a, b) => {
      return g.op("Where", [g.op("Greater", [g.constant(draw([4, 1], "c")), g.scalar(0)]), a, b]);
    }),
    Neg: one(x, (g, v) => g.op("Neg", [v])),
    Abs: one(away([7]), (g, v) => g.op("Abs", [v])),
    Sqrt: one(positive([7]), (g, v) => g.op("Sqrt", [v])),
    Exp: one(x, (g, v) => g.op("Exp", [v])),
    Log: one(positive([7]), (g, v) => g.op("Log", [v])),
    Reciprocal: one(away([7]), (g, v) => g.op("Reciprocal", [v])),
    Erf: one(x, (g, v) => g.op("Erf", [v])),
  },
  activation: {
    Relu: one(away([20]), (g, v) => g.op("Relu", [v])),
    LeakyRelu: one(away([20]), (g, v) => g.op("LeakyRelu", [v], { alpha: 0.1 })),
    Elu: one(away([20]), (g, v) => g.op("Elu", [v], { alpha: 0.7 })),
    "Clip to [0, 6]": one(floats([-3, -0.2, 0.3, 2, 5.9, 6.2, 9]), (g, v) =>
      g.op("Clip", [v, g.scalar(0), g.scalar(6)]),
    ),
    "Clip from below": one(away([20]), (g, v) => g.op("Clip", [v, g.scalar(0)])),
    "Clip from above": one(floats([-1, 0.5, 2, 3]), (g, v) => g.op("Clip", [v, undefined, g.scalar(1)])),
    HardSigmoid: one(floats([-4, -2.5, -1, 0, 1, 2.5, 4]), (g, v) =>
      g.op("HardSigmoid", [v], { alpha: 1 / 6, beta: 0.5 }),
    ),
    HardSwish: one(floats([-9, -3.2, -2.8, -1, 0, 1, 2.8, 3.2, 9]), (g, v) => g.op("HardSwish", [v])),
    Sigmoid: one(x, (g, v) => g.op("Sigmoid", [v])),
    Tanh: one(x, (g, v) => g.op("Tanh", [v])),
    Gelu: one(x, (g, v) => g.op("Gelu", [v])),
    "Gelu, tanh": one(x, (g, v) => g.op("Gelu", [v], { approximate: "tanh" })),
    "QuickGelu (SiLU)": one(x, (g, v) => g.op("QuickGelu", [v], { alpha: 1 }, { domain: "com.microsoft" })),
    Sin: one(x, (g, v) => g.op("Sin", [v])),
    Cos: one(x, (g, v) => g.op("Cos", [v])),
    "Softmax with a row wholly masked, guarded as exporters do": one(draw([3, 4]), (g, v) => {
      const mask = g.constant(floats([0, 0, -Infinity, 0, ...new Array(4).fill(-Infinity), 0, 0, 0, 0], [3, 4]));
      const y = g.op("Softmax", [g.op("Add", [v, mask])], { axis: -1 });
      return g.op("Where", [g.op("IsNaN", [y]), g.scalar(0), y]);
    }),
    Softplus: one(x, (g, v) => g.op("Softplus", [v])),
    Softmax: one(x, (g, v) => g.op("Softmax", [v])),
    "Softmax over another axis": one(x, (g, v) => g.op("Softmax", [v], { axis: 1 })),
    LogSoftmax: one(x, (g, v) => g.op("LogSoftmax", [v], { axis: -1 })),
  },
  matmul: {
    "two matrices": two(draw([3, 4], "a"), draw([4, 5], "b"), (g, a, b) => g.op("MatMul", [a, b])),
    "a batch and one weight": two(draw([2, 3, 4], "a"), draw([4, 5], "b"), (g, a, b) => g.op("MatMul", [a, b])),
    "one weight and a batch": two(draw([3, 4], "a"), draw([2, 4, 5], "b"), (g, a, b) => g.op("MatMul", [a, b])),
    "broadcast batches": two(draw([2, 1, 3, 4], "a"), draw([6, 4, 5], "b"), (g, a, b) => g.op("MatMul", [a, b])),
    "matrix and vector": two(draw([3, 4], "a"), draw([4], "b"), (g, a, b) => g.op("MatMul", [a, b])),
    "vector and matrix": two(draw([4], "a"), draw([2, 4, 3], "b"), (g, a, b) => g.op("MatMul", [a, b])),
    ...Object.fromEntries(
      [0, 1].flatMap((transA) =>
        [0, 1].map((transB) => [
          `Gemm, transA ${transA}, transB ${transB}, with alpha, beta and bias`,
          {
            inputs: {
              a: draw(transA ? [4, 3] : [3, 4], "a"),
              b: draw(transB ? [5, 4] : [4, 5], "b"),
              bias: draw([5], "c"),
            },
            build: (g: GraphBuilder, { a, b, bias }: Inputs) =>
              g.op("Gemm", [a, b, bias], { transA, transB, alpha: 0.5, beta: 2 }),
          },
        ]),
      ),
    ),
  },
  convolution: Object.fromEntries(
    [
      { name: "plain 3×3", x: [2, 3, 6, 5], w: [4, 3, 3, 3], options: { pads: 1 } },
      { name: "no padding", x: [2, 3, 6, 5], w: [4, 3, 3, 2], options: {} },
      {
        name: "stride 2 that leaves a column unread",
        x: [2, 3, 6, 7],
        w: [4, 3, 3, 2],
        options: { strides: 2, pads: 1 },
      },
      { name: "stride 3, kernel 1", x: [1, 2, 7, 8], w: [3, 2, 1, 1], options: { strides: 3 } },
      { name: "dilation 2", x: [2, 2, 8, 7], w: [3, 2, 3, 3], options: { dilations: 2, pads: 2 } },
      {
        name: "dilation and stride",
        x: [1, 2, 9, 9],
        w: [2, 2, 3, 3],
        options: { dilations: 2, strides: 2, pads: [0, 1, 2, 1] },
      },
      { name: "groups", x: [2, 6, 5, 5], w: [4, 3, 3, 3], options: { group: 2, pads: 1 } },
      { name: "grouped, strided", x: [3, 4, 6, 6], w: [8, 2, 3, 3], options: { group: 2, pads: 1, strides: 2 } },
      { name: "depthwise 3×3", x: [2, 5, 6, 6], w: [5, 1, 3, 3], options: { group: 5, pads: 1 } },
      { name: "depthwise 5×5, stride 2", x: [2, 4, 8, 8], w: [4, 1, 5, 5], options: { group: 4, pads: 2, strides: 2 } },
      { name: "depthwise with multiplier 2", x: [2, 3, 5, 5], w: [6, 1, 3, 3], options: { group: 3, pads: 1 } },
      { name: "padding wider than the kernel allows to flip", x: [1, 2, 4, 4], w: [2, 2, 2, 2], options: { pads: 2 } },
      { name: "pointwise", x: [2, 3, 4, 5], w: [6, 3, 1, 1], options: {} },
      { name: "pointwise on one pixel", x: [3, 4, 1, 1], w: [2, 4, 1, 1], options: {} },
    ].map(({ name, x: input, w, options }) => [
      name,
      {
        inputs: { x: draw(input), w: draw(w, "w"), b: draw([w[0]!], "b") },
        build: (g: GraphBuilder, v: Inputs) => g.conv(v["x"]!, v["w"]!, v["b"], options),
      },
    ]),
  ),
  pooling: {
    GlobalAveragePool: one(draw([2, 3, 4, 5]), (g, v) => g.op("GlobalAveragePool", [v])),
    "AveragePool, padding not counted": one(draw([2, 3, 5, 5]), (g, v) => {
      return g.op("AveragePool", [v], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
    }),
    "AveragePool, padding counted": one(draw([2, 3, 5, 5]), (g, v) => {
      return g.op("AveragePool", [v], { kernel_shape: [2, 3], pads: [1, 1, 0, 1], count_include_pad: 1 });
    }),
    "MaxPool, overlapping": one(draw([2, 3, 6, 6]), (g, v) => {
      return g.op("MaxPool", [v], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
    }),
  },
  resize: {
    "linear, up by sizes": one(draw([2, 3, 4, 5]), (g, v) =>
      g.op("Resize", [v, undefined, undefined, g.shape([2, 3, 7, 6])], { mode: "linear" }),
    ),
    "linear, down with corners aligned": one(draw([1, 2, 8, 7]), (g, v) =>
      g.op("Resize", [v, undefined, undefined, g.shape([1, 2, 7, 4])], {
        mode: "linear",
        coordinate_transformation_mode: "align_corners",
      }),
    ),
    "nearest, by scales": one(draw([1, 2, 3, 4]), (g, v) =>
      g.op("Resize", [v, undefined, g.constant(floats([1, 1, 2, 2]))], {
        mode: "nearest",
        coordinate_transformation_mode: "asymmetric",
        nearest_mode: "floor",
      }),
    ),
    "cubic, as PyTorch": one(draw([1, 2, 5, 4]), (g, v) =>
      g.op("Resize", [v, undefined, undefined, g.shape([1, 2, 8, 9])], {
        mode: "cubic",
        coordinate_transformation_mode: "pytorch_half_pixel",
        cubic_coeff_a: { type: "float", value: -0.75 },
      }),
    ),
  },
  normalisation: {
    "BatchNormalization, frozen": {
      inputs: { x: draw([4, 3, 2, 2]), scale: draw([3], "s"), bias: draw([3], "b") },
      build: (g, v) => {
        const statistics = [g.constant(draw([3], "m")), g.constant(positive([3], "v"))];
        return g.op("BatchNormalization", [v["x"], v["scale"], v["bias"], ...statistics], { epsilon: 1e-3 });
      },
    },
    "BatchNormalization, over the batch": {
      inputs: { x: draw([4, 3, 2, 2]), scale: draw([3], "s"), bias: draw([3], "b") },
      build: (g, v) => {
        const statistics = [g.constant(draw([3], "m")), g.constant(positive([3], "v"))];
        const inputs = [v["x"], v["scale"], v["bias"], ...statistics];
        return g.ops(3, "BatchNormalization", inputs, { training_mode: 1 })[0]!;
      },
    },
    LayerNormalization: {
      inputs: { x: draw([3, 2, 8]), scale: draw([8], "s"), bias: draw([8], "b") },
      build: (g, v) => g.op("LayerNormalization", [v["x"], v["scale"], v["bias"]], { axis: -1 }),
    },
    "LayerNormalization over two axes, no bias": {
      inputs: { x: draw([3, 4, 5]), scale: draw([4, 5], "s") },
      build: (g, v) => g.op("LayerNormalization", [v["x"], v["scale"]], { axis: 1 }),
    },
  },
  reduce: {
    "ReduceMean of some": one(x, (g, v) => g.op("ReduceMean", [v, g.shape([0, -1])], { keepdims: 0 })),
    "ReduceMean of all": one(x, (g, v) => g.op("ReduceMean", [v], { keepdims: 0 })),
    ReduceSum: one(x, (g, v) => g.op("ReduceSum", [v, g.shape([1])], { keepdims: 1 })),
  },
  shape: {
    Reshape: one(x, (g, v) => g.op("Reshape", [v, g.shape([4, -1])])),
    Flatten: one(x, (g, v) => g.op("Flatten", [v])),
    Transpose: one(x, (g, v) => g.op("Transpose", [v], { perm: [2, 0, 1] })),
    "Transpose, reversed": one(x, (g, v) => g.op("Transpose", [v])),
    Squeeze: one(draw([2, 1, 3]), (g, v) => g.op("Squeeze", [v, g.shape([1])])),
    Unsqueeze: one(x, (g, v) => g.op("Unsqueeze", [v, g.shape([0, 2])])),
    Concat: two(draw([2, 3], "a"), draw([2, 5], "b"), (g, a, b) => g.op("Concat", [a, b, a], { axis: -1 })),
    Split: {
      inputs: { x },
      build: (g, v) => g.ops(2, "Split", [v["x"], g.shape([1, 3])], { axis: 2 }),
    },
    "Split, one part unused": one(x, (g, v) => g.ops(2, "Split", [v, g.shape([1, 3])], { axis: 2 })[1]!),
    Slice: one(x, (g, v) => g.op("Slice", [v, g.shape([-2, 0]), g.shape([99, 2]), g.shape([1, 2])])),
    "Slice with steps": one(draw([7, 5]), (g, v) => {
      return g.op("Slice", [v, g.shape([1, 4]), g.shape([7, -99]), g.shape([0, 1]), g.shape([2, -3])]);
    }),
    Pad: one(x, (g, v) => g.op("Pad", [v, g.shape([1, 0, 2, 0, 1, 0])])),
    "Gather, repeated and negative": one(draw([5, 3]), (g, v) =>
      g.op("Gather", [v, g.constant(integers([0, 2, 2, -1], [2, 2]))]),
    ),
    "Gather along a middle axis": one(x, (g, v) => g.op("Gather", [v, g.constant(integers([2, 0]))], { axis: 1 })),
    "GatherElements, repeated and negative": one(draw([3, 4]), (g, v) =>
      g.op("GatherElements", [v, g.constant(integers([0, 3, 3, -1, 2, 0], [2, 3]))], { axis: 1 }),
    ),
    "GatherElements over the first axis": one(draw([3, 2]), (g, v) =>
      g.op("GatherElements", [v, g.constant(integers([2, 0, 1, 0, 2, 0, -1, 1], [4, 2]))], { axis: 0 }),
    ),
    Tile: one(draw([2, 3, 1]), (g, v) => g.op("Tile", [v, g.shape([3, 1, 4])])),
    Expand: one(draw([3, 1]), (g, v) => g.op("Expand", [v, g.shape([2, 3, 4])])),
    Identity: one(x, (g, v) => g.op("Identity", [v])),
    "Dropout, switched off": one(x, (g, v) => g.op("Dropout", [v])),
    "Cast there and back": one(x, (g, v) => {
      const wide = g.op("Cast", [v], { to: 11 });
      return g.op("Cast", [g.op("Mul", [wide, wide])], { to: 1 });
    }),
  },
};

for (const [family, members] of Object.entries(cases)) {
  describe(`${family}: the gradient agrees with central differences`, () => {
    test.each(Object.entries(members))("%s", async (_, gradientCase) => {
      await expectGradients(gradientCase);
    });
  });
}

describe("differentiate", () => {
  test("an operator without a rule is named, with its node and the operators that have one", async () => {
    const g = createGraphBuilder();
    const v = g.input("x", "float32", [3]);
    g.output("y", g.op("Cosh", [v], {}, { name: "strange" }));
    const model = g.build();
    const types = new Map(await inferTypes(model, {}));
    const run = () =>
      differentiate({
        builder: createGraphBuilder("d", { from: model.graph }),
        graph: model.graph,
        types,
        seeds: new Map([["y", { name: "x" }]]),
        withRespectTo: ["x"],
      });
    expect(run).toThrow(/Cosh "strange"/);
    expect(run).toThrow(expect.objectContaining({ code: "onnx_no_gradient_rule" }));
    expect(differentiableOperators()).toContain("Conv");
  });

  test("a branch that does not reach the objective costs nothing and gets no gradient", async () => {
    const g = createGraphBuilder();
    const v = g.input("x", "float32", [3]);
    const unused = g.parameter("unused", floats([1, 2, 3]));
    g.op("Cosh", [g.op("Mul", [v, unused])]);
    g.output("y", g.op("Neg", [v]));
    const model = g.build();
    const types = new Map(await inferTypes(model, {}));
    const builder = createGraphBuilder("d", { from: model.graph });
    const seeds = new Map([["y", v]]);
    const found = differentiate({ builder, graph: model.graph, types, seeds, withRespectTo: ["x", "unused"] });
    expect([...found.keys()]).toEqual(["x"]);
  });
});
