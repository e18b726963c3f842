/** @file Pooling: an average is spread evenly over what it was taken of, a maximum goes back to where it came from. */

import type { Value } from "../builder.ts";
import { type Geometry, geometryOf } from "../convolution-geometry.ts";
import { intAttribute, intsAttribute } from "../model.ts";
import { elementCount, floats } from "../tensor.ts";
import { convInputGradient } from "./convolution.ts";
import {
  gradientOf,
  input,
  inputDims,
  outputDims,
  type Rule,
  type RuleContext,
  type Rules,
  reshape,
  scalar,
  scalarLike,
  unary,
} from "./rule.ts";

const globalAveragePool = unary((c, dy) => {
  const dims = inputDims(c);
  const mean = c.g.op("Mul", [dy, scalarLike(c, 1 / elementCount(dims.slice(2)))]);
  return c.g.op("Expand", [mean, c.g.shape(dims)]);
});

function geometry(c: RuleContext): Geometry {
  const kernel = intsAttribute(c.node, "kernel_shape", []);
  return geometryOf({ node: c.node, inputDims: inputDims(c), outputDims: outputDims(c), kernel });
}

/** Averaging is a depthwise convolution with equal weights, divided by how many cells each window counts. */
const averagePool: Rule = (c) => {
  const channels = inputDims(c)[1]!;
  const shape = geometry(c);
  const weightDims = [channels, 1, ...shape.kernel];
  const ones = c.g.constant(floats(new Float32Array(elementCount(weightDims)).fill(1), weightDims));
  const dy = c.g.op("Mul", [gradientOf(c), inverseCounts(c, shape)]);
  const details = { dy, weight: ones, weightDims, inputDims: inputDims(c), outputDims: outputDims(c) };
  return [convInputGradient(c.g, { ...details, geometry: { ...shape, group: channels } })];
};

/** `[1, 1, ...out]`: 1 / cells in each window, padding counted only if the node says so. */
function inverseCounts(c: RuleContext, shape: Geometry): Value {
  const isPaddingCounted = intAttribute(c.node, "count_include_pad", 0) === 1;
  const sizes = outputDims(c).slice(2);
  const perAxis = sizes.map((size, axis) =>
    Array.from({ length: size }, (_, position) => cellsInWindow(c, shape, { axis, position, isPaddingCounted })),
  );
  const counts = perAxis.reduce((left, right) => left.flatMap((a) => right.map((b) => a * b)), [1]);
  return c.g.constant(
    floats(
      counts.map((count) => 1 / count),
      [1, 1, ...sizes],
    ),
  );
}

type Window = { readonly axis: number; readonly position: number; readonly isPaddingCounted: boolean };

function cellsInWindow(c: RuleContext, shape: Geometry, { axis, position, isPaddingCounted }: Window): number {
  const start = position * shape.strides[axis]! - shape.padBegins[axis]!;
  const cells = Array.from({ length: shape.kernel[axis]! }, (_, k) => start + k * shape.dilations[axis]!);
  const size = inputDims(c)[axis + 2]!;
  // With ceil_mode a window may hang over the padding's end; those cells are never counted.
  const [low, high] = isPaddingCounted ? [-shape.padBegins[axis]!, size + shape.padEnds[axis]!] : [0, size];
  return cells.filter((cell) => cell >= low && cell < high).length;
}

/** The runtime's own MaxPool tells which element of the flattened input won; gradients are added there. */
const maxPool: Rule = (c) => {
  const dims = inputDims(c);
  const attributes = Object.fromEntries(Object.entries(c.node.attributes).filter(([name]) => name !== "storage_order"));
  const [, indices] = c.g.ops(2, "MaxPool", [input(c)], attributes);
  const zeros = c.g.op("Expand", [scalar(c, 0), c.g.shape([elementCount(dims)])]);
  const flat = (value: Value): Value => reshape(c.g, value, [-1]);
  const scattered = c.g.op("ScatterElements", [zeros, flat(indices!), flat(gradientOf(c))], { reduction: "add" });
  return [reshape(c.g, scattered, dims)];
};

export const poolingRules: Rules = {
  GlobalAveragePool: globalAveragePool,
  AveragePool: averagePool,
  MaxPool: maxPool,
};
