import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ConvOptions } from "../builder.ts";
import { inferTypes } from "../infer-types.ts";
import { openSession } from "../session.ts";
import { floats, type TensorOf } from "../tensor.ts";
import { type GradientCase, gradientsOf, modelOf, randomTensor } from "../testing.ts";
import { lower } from "./lower.ts";
import { detectTarget, portableTarget } from "./target.ts";

const target = await detectTarget();

type Shape = {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly options: ConvOptions;
  readonly activation?: "Relu" | "Clip";
};

const caseOf = ({ x, w, options, activation }: Shape): GradientCase => ({
  inputs: { x: randomTensor(x, "x"), w: randomTensor(w, "w"), b: randomTensor([w[0]!], "b") },
  build: (g, v) => {
    const y = g.conv(v["x"]!, v["w"]!, v["b"], options);
    if (activation === "Clip") return g.op("Clip", [y, g.scalar(0), g.scalar(2)]);
    return activation ? g.op(activation, [y]) : y;
  },
});

/** Largest difference, relative to the largest value. */
function difference(left: TensorOf<"float32">, right: TensorOf<"float32">): number {
  expect(left.dims).toEqual(right.dims);
  const scale = right.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-6);
  return (
    left.data.reduce((largest, value, index) => Math.max(largest, Math.abs(value - right.data[index]!)), 0) / scale
  );
}

async function expectSame(shape: Shape): Promise<void> {
  const gradientCase = caseOf(shape);
  const portable = await gradientsOf(gradientCase);
  const fast = await gradientsOf(gradientCase, (model, types) => lower(model, { types, target }));
  for (const [name, gradient] of Object.entries(portable)) {
    expect({ name, error: difference(fast[name]!, gradient) }).toEqual({
      name,
      error: expect.toSatisfy((e: number) => e < 2e-5),
    });
  }
  await expectSameForward(gradientCase);
}

async function expectSameForward(gradientCase: GradientCase): Promise<void> {
  const model = modelOf(gradientCase);
  await using plain = await openSession(model, { threads: 1 });
  await using fast = await openSession(lower(model, { types: await inferTypes(model, {}), target }), { threads: 1 });
  const [left, right] = [await fast.run(gradientCase.inputs), await plain.run(gradientCase.inputs)];
  expect(difference(left["y0"] as TensorOf<"float32">, right["y0"] as TensorOf<"float32">)).toBeLessThan(2e-5);
}

const depthwise = (channels: number, kernel: number, size: readonly [number, number], options: ConvOptions): Shape => ({
  x: [3, channels, ...size],
  w: [channels, 1, kernel, kernel],
  options: { group: channels, ...options },
});

describe("fast paths give what the portable ones give", () => {
  test.each<[string, Shape]>([
    ["depthwise 3×3, whole blocks", depthwise(32, 3, [7, 6], { pads: 1 })],
    ["depthwise 5×5, a part of a block", depthwise(20, 5, [9, 8], { pads: 2 })],
    ["depthwise 3×3, stride 2, even side", depthwise(16, 3, [8, 10], { pads: 1, strides: 2 })],
    ["depthwise 5×5, stride 2, odd side", depthwise(24, 5, [7, 9], { pads: 2, strides: 2 })],
    ["depthwise 3×3, stride 3", depthwise(16, 3, [9, 11], { pads: 1, strides: 3 })],
    ["depthwise 3×3, unequal strides and pads", depthwise(16, 3, [8, 8], { pads: [0, 1, 2, 1], strides: [1, 2] })],
    ["depthwise, stride beyond the kernel", depthwise(16, 2, [9, 9], { strides: 3 })],
    ["depthwise without padding", depthwise(16, 3, [6, 6], {})],
    ["depthwise, channels not in fours (portable)", depthwise(18, 3, [6, 6], { pads: 1 })],
    ["depthwise, dilated (portable)", depthwise(16, 3, [7, 7], { pads: 2, dilations: 2 })],
    ["depthwise with Relu", { ...depthwise(24, 3, [6, 6], { pads: 1 }), activation: "Relu" }],
    ["depthwise with Clip", { ...depthwise(24, 3, [6, 6], { pads: 1, strides: 2 }), activation: "Clip" }],
    ["pointwise", { x: [3, 6, 5, 4], w: [10, 6, 1, 1], options: {} }],
    ["pointwise, more channels than pixels", { x: [3, 20, 2, 3], w: [24, 20, 1, 1], options: {} }],
    ["pointwise with Relu", { x: [3, 6, 5, 4], w: [10, 6, 1, 1], options: {}, activation: "Relu" }],
    ["pointwise on one pixel", { x: [3, 6, 1, 1], w: [10, 6, 1, 1], options: {} }],
    ["pointwise on one pixel with Relu", { x: [3, 6, 1, 1], w: [10, 6, 1, 1], options: {}, activation: "Relu" }],
    ["a first layer", { x: [2, 3, 9, 8], w: [16, 3, 3, 3], options: { pads: 1, strides: 2 } }],
    ["dense 3×3", { x: [2, 12, 6, 7], w: [5, 12, 3, 3], options: { pads: 1 } }],
    [
      "dense, strided and dilated",
      { x: [2, 12, 9, 9], w: [5, 12, 3, 3], options: { pads: 1, strides: 2, dilations: 2 } },
    ],
    ["strided 1×1", { x: [2, 12, 7, 8], w: [5, 12, 1, 1], options: { strides: 2 } }],
  ])("%s", async (_, shape) => {
    await expectSame(shape);
  });

  test.each<[string, typeof target]>([
    ["in blocks", target],
    ["portably", portableTarget],
  ])("hard-swish has its slope at and beyond the kinks, %s", async (_, used) => {
    const at = [-100, -3.0001, -2.9999, -1.5, -1e-8, 0, 1.5, 2.9999, 3.0001, 100, -3, 3, 4, 5, 6, 7];
    const swish: GradientCase = { inputs: { x: floats(at) }, build: (g, v) => g.op("HardSwish", [v["x"]!]) };
    const same: GradientCase = { inputs: { x: floats(at) }, build: (g, v) => g.op("Identity", [v["x"]!]) };
    const { x: gradient } = await gradientsOf(swish, (model, types) => lower(model, { types, target: used }));
    const { x: seeds } = await gradientsOf(same);
    const slopes = [...gradient!.data].map((value, index) => value / seeds!.data[index]!);
    const expected = [0, 0, -0.5, 0, 0.5, 0.5, 1, 1.5, 1, 1, 0, 1, 1, 1, 1, 1];
    expect(slopes).toEqual(expected.map((slope) => expect.closeTo(slope, 4)));
  });

  test("for any depthwise geometry", async () => {
    const anyShape = fc
      .record({
        channels: fc.constantFrom(4, 16, 20, 36),
        kernel: fc.integer({ min: 1, max: 5 }),
        size: fc.tuple(fc.integer({ min: 5, max: 10 }), fc.integer({ min: 5, max: 10 })),
        strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
        pad: fc.integer({ min: 0, max: 2 }),
      })
      .map(({ channels, kernel, size, strides, pad }) => depthwise(channels, kernel, size, { strides, pads: pad }));
    await fc.assert(fc.asyncProperty(anyShape, expectSame), { numRuns: 25 });
  });
});
