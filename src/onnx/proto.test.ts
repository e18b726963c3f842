import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FlywheelError } from "../errors.ts";
import { createGraphBuilder } from "./builder.ts";
import type { Attribute, Model } from "./model.ts";
import { readOnnx, writeOnnx } from "./proto.ts";
import { floats, integers, type Tensor, tensor } from "./tensor.ts";
import { sharedFile } from "./testing.ts";

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return thrown.code;
    throw thrown;
  }
  return "no error";
};

const names = fc.string({ minLength: 1, maxLength: 12 }).filter((name) => name !== "x" && name !== "__proto__");
const anyTensor: fc.Arbitrary<Tensor> = fc.oneof(
  fc.float32Array({ maxLength: 8 }).map((data) => floats(data)),
  fc.float64Array({ maxLength: 8 }).map((data) => tensor("float64", [data.length, 1], data)),
  fc.bigInt64Array({ maxLength: 8 }).map((data) => tensor("int64", [data.length], data)),
  fc.uint8Array({ maxLength: 8 }).map((data) => tensor("uint8", [1, data.length], data)),
  fc.array(fc.string(), { maxLength: 4 }).map((data) => tensor("string", [data.length], data)),
);
const anyAttribute: fc.Arbitrary<Attribute> = fc.oneof(
  fc.maxSafeInteger().map((value): Attribute => ({ type: "int", value })),
  fc.float({ noNaN: true }).map((value): Attribute => ({ type: "float", value })),
  fc.string().map((value): Attribute => ({ type: "string", value })),
  fc.array(fc.maxSafeInteger()).map((value): Attribute => ({ type: "ints", value })),
  fc.array(fc.float({ noNaN: true })).map((value): Attribute => ({ type: "floats", value })),
  fc.array(fc.string()).map((value): Attribute => ({ type: "strings", value })),
  anyTensor.map((value): Attribute => ({ type: "tensor", value })),
);
const anyModel: fc.Arbitrary<Model> = fc.record({
  graph: fc.record({
    name: fc.string(),
    nodes: fc.dictionary(names, anyAttribute).map((attributes) => [
      {
        opType: "Op",
        domain: "custom",
        name: "n",
        inputs: ["x", ""],
        outputs: ["y-out"],
        attributes: { ...attributes },
      },
    ]),
    initialisers: fc.dictionary(names, anyTensor).map((record) => {
      const { "y-out": _, ...rest } = record;
      return new Map(Object.entries(rest));
    }),
    inputs: fc.constant([{ name: "x", dtype: "float32" as const, dims: ["N", 3, undefined] }]),
    outputs: fc.constantFrom(
      [{ name: "y-out", dtype: "float32" as const, dims: undefined }],
      [{ name: "y-out", dtype: undefined, dims: undefined }],
    ),
  }),
  opsets: fc.constant({ "": 21, custom: 1 }),
  irVersion: fc.integer({ min: 3, max: 12 }),
  producer: fc.string(),
  metadata: fc.dictionary(names, fc.string()).map((record) => ({ ...record })),
});

function tinyModel(): Model {
  const g = createGraphBuilder("tiny");
  const x = g.input("x", "float32", ["N", 2]);
  const w = g.parameter("w", floats([1, 2, 3, 4], [2, 2]));
  g.output("y", g.op("Relu", [g.linear(x, w)]), "float32", ["N", 2]);
  return g.build({ metadata: { labels: '["a","b"]' } });
}

describe("onnx bytes", () => {
  test("what is written is read back", () => {
    fc.assert(
      fc.property(anyModel, (model) => {
        expect(readOnnx(writeOnnx(model))).toEqual(model);
      }),
    );
  });

  test("any truncation of a file is refused, never half read", () => {
    const bytes = writeOnnx({ ...tinyModel(), metadata: {}, opsets: { "": 21 } });
    for (let length = 0; length < bytes.length; length++) {
      // A prefix that ends between two top-level fields is valid protobuf; the operator set comes last but one.
      const outcome = codeOf(() => readOnnx(bytes.subarray(0, length)));
      if (outcome !== "no error") expect(outcome).toBe("onnx_corrupt");
      else expect(readOnnx(bytes.subarray(0, length)).graph).toEqual(tinyModel().graph);
    }
  });

  test.each([
    ["nothing", new Uint8Array()],
    ["text", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")],
    ["a PNG", Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13])],
    ["zeros", new Uint8Array(64)],
  ])("%s is refused with a code", (_, bytes) => {
    expect(codeOf(() => readOnnx(bytes))).toBe("onnx_corrupt");
  });

  test("random bytes never crash the reader", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(["onnx_corrupt", "onnx_unsupported_feature"]).toContain(codeOf(() => readOnnx(bytes)));
      }),
    );
  });

  test("a graph that reads a value nothing makes is corrupt", () => {
    const model = tinyModel();
    const broken = { ...model, graph: { ...model.graph, initialisers: new Map() } };
    expect(codeOf(() => readOnnx(writeOnnx(broken)))).toBe("onnx_corrupt");
  });

  test("'to the end' in a Slice survives", () => {
    const end = integers([2 ** 63, -(2 ** 63)]);
    expect([...end.data]).toEqual([2n ** 63n - 1n, -(2n ** 63n)]);
  });

  const pretrained = sharedFile("models/mobilenet-v2-1.0-224.onnx");
  test.skipIf(pretrained === undefined)(
    "a file written by others reads: 53 convolutions, 3.5 million parameters",
    () => {
      const model = readOnnx(readFileSync(pretrained!));
      expect(model.graph.nodes.filter((node) => node.opType === "Conv")).toHaveLength(53);
      const sizes = [...model.graph.initialisers.values()].map((each) => each.data.length);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(3_400_000);
      expect(readOnnx(writeOnnx(model))).toEqual(model);
    },
  );
});
