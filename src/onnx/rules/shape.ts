/** @file Operators that move elements about. Their adjoints move the gradients back. */

import type { Value } from "../builder.ts";
import { intAttribute, intsAttribute } from "../model.ts";
import { elementCount } from "../tensor.ts";
import {
  constantInput,
  gradientOf,
  input,
  inputDims,
  outputDims,
  positiveAxis,
  type Rule,
  type RuleContext,
  type Rules,
  reduceSum,
  reshape,
  scalar,
  toInputShape,
  unary,
  whenNeeded,
} from "./rule.ts";

/** Same elements in the same order: Reshape, Flatten, Squeeze, Unsqueeze. */
const reshaped = unary((c, dy) => reshape(c.g, dy, inputDims(c)));

const transpose = unary((c, dy) => {
  const rank = inputDims(c).length;
  const reversed = Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const perm = intsAttribute(c.node, "perm", reversed);
  return c.g.op("Transpose", [dy], { perm: reversed.map((_, axis) => perm.indexOf(axis)) });
});

const concat: Rule = (c) => {
  const axis = positiveAxis(intAttribute(c.node, "axis", 0), outputDims(c).length);
  const sizes = c.node.inputs.map((_, index) => inputDims(c, index)[axis]!);
  return c.g.ops(sizes.length, "Split", [gradientOf(c), c.g.shape(sizes)], { axis });
};

const split: Rule = (c) => {
  const axis = positiveAxis(intAttribute(c.node, "axis", 0), inputDims(c).length);
  const parts = c.node.outputs.map((_, index) => c.gradients[index] ?? zeros(c, outputDims(c, index)));
  return [c.g.op("Concat", parts, { axis })];
};

function zeros(c: RuleContext, dims: readonly number[]): Value {
  return c.g.op("Expand", [scalar(c, 0), c.g.shape(dims)]);
}

/**
 * A slice of step 1 is undone by padding; any other step by adding into zeros at the positions it read.
 */
const slice: Rule = (c) => {
  const dims = inputDims(c);
  const starts = constantInput(c, 1) ?? [];
  const axes = (constantInput(c, 3) ?? starts.map((_, axis) => axis)).map((axis) => positiveAxis(axis, dims.length));
  const steps = constantInput(c, 4) ?? starts.map(() => 1);
  if (steps.some((each) => each !== 1)) return [scattered(c, axes, starts, steps)];
  const begins = dims.map((size, axis) => {
    const at = axes.indexOf(axis);
    return at < 0 ? 0 : clampStart(starts[at]!, size);
  });
  const ends = dims.map((size, axis) => size - begins[axis]! - outputDims(c)[axis]!);
  return [c.g.op("Pad", [gradientOf(c), c.g.shape([...begins, ...ends]), scalar(c, 0)])];
};

const clampStart = (start: number, size: number): number =>
  Math.min(Math.max(start < 0 ? start + size : start, 0), size);

/** Strided slices one axis at a time: indices that were read are known, so `ScatterElements` would do; Gather's adjoint is used. */
function scattered(
  c: RuleContext,
  axes: readonly number[],
  starts: readonly number[],
  steps: readonly number[],
): Value {
  const dims = [...outputDims(c)];
  return axes.reduce((gradient, axis, at) => {
    const size = inputDims(c)[axis]!;
    const step = steps[at]!;
    const first =
      step < 0 ? Math.min(starts[at]! < 0 ? starts[at]! + size : starts[at]!, size - 1) : clampStart(starts[at]!, size);
    const indices = Array.from({ length: dims[axis]! }, (_, position) => first + position * step);
    const from = [...dims];
    dims[axis] = size;
    return gatherAdjoint(c, {
      gradient,
      dataDims: dims.slice(),
      axis,
      indices: c.g.shape(indices),
      indexDims: [from[axis]!],
    });
  }, gradientOf(c));
}

const pad: Rule = (c) => {
  const dims = inputDims(c);
  const pads = constantInput(c, 1) ?? [];
  const axes = (constantInput(c, 3) ?? dims.map((_, axis) => axis)).map((axis) => positiveAxis(axis, dims.length));
  const begins = axes.map((_, at) => pads[at]!);
  const ends = axes.map((axis, at) => pads[at]! + dims[axis]!);
  return [c.g.op("Slice", [gradientOf(c), c.g.shape(begins), c.g.shape(ends), c.g.shape(axes)])];
};

type GatherAdjoint = {
  readonly gradient: Value;
  readonly dataDims: readonly number[];
  readonly axis: number;
  readonly indices: Value;
  readonly indexDims: readonly number[];
};

/** Adds each gathered slice's gradient into zeros at the row it came from; repeated indices accumulate. */
function gatherAdjoint(c: RuleContext, { gradient, dataDims, axis, indices, indexDims }: GatherAdjoint): Value {
  const { g } = c;
  const outer = dataDims.slice(0, axis);
  const inner = dataDims.slice(axis + 1);
  const rank = dataDims.length;
  const [o, n, i] = [elementCount(outer), elementCount(indexDims), elementCount(inner)];
  const rows = g.op("Transpose", [reshape(g, gradient, [o, n, i])], { perm: [1, 0, 2] });
  const target = zeros(c, [dataDims[axis]!, o, i]);
  const summed = g.op("ScatterND", [target, reshape(g, indices, [n, 1]), rows], { reduction: "add" });
  const ordered = g.op("Transpose", [summed], { perm: [1, 0, 2] });
  return rank === 0 ? ordered : reshape(g, ordered, dataDims);
}

const gather: Rule = (c) => {
  const dataDims = inputDims(c, 0);
  const axis = positiveAxis(intAttribute(c.node, "axis", 0), dataDims.length);
  const details = { gradient: gradientOf(c), dataDims, axis, indices: input(c, 1), indexDims: inputDims(c, 1) };
  return [gatherAdjoint(c, details), undefined];
};

/** Adds each gathered number's gradient into zeros at the place it came from; repeated indices accumulate. */
const gatherElements: Rule = (c) => {
  const axis = intAttribute(c.node, "axis", 0);
  const into = zeros(c, inputDims(c));
  return [c.g.op("ScatterElements", [into, input(c, 1), gradientOf(c)], { axis, reduction: "add" }), undefined];
};

/** The copies of each axis become an axis of their own, before it, and are summed. */
const tile: Rule = (c) => {
  const dims = inputDims(c);
  const repeats = constantInput(c, 1) ?? [];
  const apart = reshape(
    c.g,
    gradientOf(c),
    dims.flatMap((size, axis) => [repeats[axis]!, size]),
  );
  const copies = dims.flatMap((_, axis) => (repeats[axis] === 1 ? [] : [2 * axis]));
  return [reshape(c.g, reduceSum(c.g, apart, copies, 0), dims)];
};

/** Only what training graphs contain after `prepareForTraining`: dropout that is switched off. */
const passed: Rule = (c) => [gradientOf(c)];

const cast: Rule = (c) => [whenNeeded(c, 0, () => c.g.op("CastLike", [gradientOf(c), input(c)]))];

export const shapeRules: Rules = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Gather: gather,
  GatherElements: gatherElements,
  Tile: tile,
  Expand: (c) => [toInputShape(c, 0, gradientOf(c))],
  Identity: passed,
  Dropout: passed,
  Cast: cast,
};
