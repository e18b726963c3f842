import { describe, expect, test } from "vitest";
import { attributesFrom } from "./attributes.ts";
import { createGraphBuilder } from "./builder.ts";
import { foldConstants } from "./fold-constants.ts";
import type { Model, Node } from "./model.ts";
import { openSession } from "./session.ts";
import { floats, integers } from "./tensor.ts";
import { randomTensor } from "./testing.ts";
import { upgrade } from "./upgrade.ts";

type Step = readonly [opType: string, attributes: Parameters<typeof attributesFrom>[0]];

/** A chain of one-input operators at an old operator set, on x [2, 3, 4]. */
function chain(opset: number, steps: readonly Step[]): Model {
  const nodes = steps.map(([opType, attributes], index): Node => {
    const [from, to] = [index === 0 ? "x" : `v${index}`, index === steps.length - 1 ? "y" : `v${index + 1}`];
    return { opType, domain: "", name: opType, inputs: [from], outputs: [to], attributes: attributesFrom(attributes) };
  });
  const graph = {
    name: "old",
    nodes,
    initialisers: new Map(),
    inputs: [{ name: "x", dtype: "float32" as const, dims: [2, 3, 4] }],
    outputs: [{ name: "y", dtype: undefined, dims: undefined }],
  };
  return { graph, opsets: { "": opset }, irVersion: 4, producer: "test", metadata: {} };
}

async function run(model: Model): Promise<Float32Array> {
  await using session = await openSession(model, { threads: 1 });
  const { y } = await session.run({ x: randomTensor([2, 3, 4], "x") });
  return y!.data as Float32Array;
}

describe("an older operator set is brought up to date without changing results", () => {
  test.each<[string, number, readonly Step[]]>([
    ["Clip with bounds as attributes", 6 + 1, [["Clip", { min: -0.5, max: 0.5 }]]],
    [
      "Unsqueeze and Squeeze with axes as attributes",
      9,
      [
        ["Unsqueeze", { axes: [0, 2] }],
        ["Squeeze", { axes: [0] }],
      ],
    ],
    ["Slice with attributes", 9, [["Slice", { starts: [0, 1], ends: [2, 3], axes: [0, 1] }]]],
    ["Pad with attributes", 9, [["Pad", { pads: [0, 1, 0, 0, 0, 2], value: { type: "float", value: 1.5 } }]]],
    [
      "reductions with axes as attributes",
      12,
      [
        ["ReduceMean", { axes: [1] }],
        ["ReduceSum", { axes: [2], keepdims: 0 }],
      ],
    ],
    ["Dropout with its rate as attribute", 9, [["Dropout", { ratio: 0.3 }]]],
    [
      "Softmax over two axes",
      11,
      [
        ["Flatten", { axis: 1 }],
        ["Softmax", {}],
      ],
    ],
    ["Softmax over the last of three axes, by its number", 11, [["Softmax", { axis: 2 }]]],
    ["LogSoftmax over everything", 12, [["LogSoftmax", { axis: 0 }]]],
    ["ReduceMean at 17", 17, [["ReduceMean", { axes: [-1], keepdims: 1 }]]],
  ])("%s", async (_, opset, steps) => {
    const model = chain(opset, steps);
    const upgraded = upgrade(model);
    expect(upgraded.opsets[""]).toBe(21);
    expect([...(await run(upgraded))]).toEqual([...(await run(model))].map((value) => expect.closeTo(value, 6)));
  });

  test("Split into equal parts learns their number", async () => {
    const model = chain(13, [["Split", { axis: 2 }]]);
    const [split] = model.graph.nodes;
    const nodes: Node[] = [{ ...split!, outputs: ["y", "rest"] }];
    const upgraded = upgrade({ ...model, graph: { ...model.graph, nodes } });
    expect(upgraded.graph.nodes[0]!.attributes["num_outputs"]).toEqual({ type: "int", value: 2 });
    expect(await run(upgraded)).toHaveLength(12);
  });

  test("Constant nodes become initialisers", () => {
    const model = chain(13, [["Relu", {}]]);
    const constant: Node = {
      opType: "Constant",
      domain: "",
      name: "",
      inputs: [],
      outputs: ["c"],
      attributes: attributesFrom({ value: integers([1, 2]) }),
    };
    const upgraded = upgrade({ ...model, graph: { ...model.graph, nodes: [constant, ...model.graph.nodes] } });
    expect(upgraded.graph.initialisers.get("c")).toEqual(integers([1, 2]));
    expect(upgraded.graph.nodes).toHaveLength(1);
  });

  test("what cannot be brought up to date is refused", () => {
    expect(() => upgrade(chain(6, [["Relu", {}]]))).toThrow(/older than 7/);
  });
});

describe("folding constants", () => {
  /** x [2, 6] reshaped by a shape computed from x itself, times a weight times a constant. */
  function dynamic(): Model {
    const g = createGraphBuilder("dynamic");
    const x = g.input("x", "float32", [2, 6]);
    const rows = g.op("Slice", [g.op("Shape", [x]), g.shape([0]), g.shape([1])]);
    const shape = g.op("Concat", [rows, g.shape([-1, 2])], { axis: 0 });
    const scaled = g.op("Mul", [g.parameter("w", floats([2])), g.op("Neg", [g.scalar(3)])]);
    g.output("y", g.op("Mul", [g.op("Reshape", [x, shape]), scaled]));
    return g.build();
  }

  test("evaluates shapes and constants, and leaves what depends on a variable", async () => {
    const folded = await foldConstants(dynamic(), (name) => name === "w");
    const operators = folded.graph.nodes.map((node) => node.opType);
    expect(operators).toEqual(["Mul", "Reshape", "Mul", "Identity"]);
    const reshape = folded.graph.nodes[1]!;
    expect(folded.graph.initialisers.get(reshape.inputs[1]!)).toEqual(integers([2, -1, 2]));
  });

  test("changes no result", async () => {
    const feeds = { x: randomTensor([2, 6], "x") };
    await using before = await openSession(dynamic(), { threads: 1 });
    await using after = await openSession(await foldConstants(dynamic(), () => false), { threads: 1 });
    expect(await after.run(feeds)).toEqual(await before.run(feeds));
  });

  test("a size that is not known is an error", async () => {
    const model = dynamic();
    const inputs = [{ name: "x", dtype: "float32" as const, dims: ["N", 6] }];
    const open = { ...model, graph: { ...model.graph, inputs } };
    await expect(foldConstants(open, () => false)).rejects.toMatchObject({ code: "onnx_unknown_shape" });
  });

  test("what counts the numbers that come in is not folded: its size is not that for zeros", async () => {
    const g = createGraphBuilder("counting");
    const found = g.op("NonZero", [g.input("x", "float32", [4])]);
    g.output("count", g.op("Shape", [found]));
    const model = g.build();
    await using session = await openSession(await foldConstants(model, () => false), { threads: 1 });
    const { count } = await session.run({ x: floats([1, 0, 2, 0]) });
    expect(count).toEqual(integers([1, 2]));
  });
});
