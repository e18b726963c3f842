/**
 * @file Resizing is linear, axis by axis: y = R x, where R depends on sizes and mode alone; so dx = Rᵀ dy. R is what the operator
 * itself makes of an identity matrix (a constant, computed when the session opens): each of its modes is then right.
 */

import { FlywheelError } from "../../errors.ts";
import type { Value } from "../builder.ts";
import { describeNode, intsAttribute, stringAttribute } from "../model.ts";
import { floats } from "../tensor.ts";
import {
  constantInput,
  inputDims,
  outputDims,
  positiveAxis,
  type RuleContext,
  type Rules,
  reshape,
  unary,
} from "./rule.ts";

const resize = unary((c, dy) => {
  checkMode(c);
  const [from, to] = [inputDims(c), outputDims(c)];
  const scales = scalesOf(c);
  return from.reduce((gradient, size, axis) => {
    const [length, scale] = [to[axis]!, scales?.[axis]];
    return size === length ? gradient : alongAxis(c, gradient, { axis, size, length, scale });
  }, dy);
});

function checkMode({ node }: RuleContext): void {
  const policy = stringAttribute(node, "keep_aspect_ratio_policy", "stretch");
  const coordinates = stringAttribute(node, "coordinate_transformation_mode", "half_pixel");
  if (policy === "stretch" && coordinates !== "tf_crop_and_resize") return;
  throw new FlywheelError(
    "onnx_no_gradient_rule",
    `${describeNode(node)} (${policy}, ${coordinates}) has no gradient`,
    {
      hint: "export it with sizes or scales that stretch the whole picture",
    },
  );
}

/** One for each axis, where the node has them rather than sizes. */
function scalesOf(c: RuleContext): readonly number[] | undefined {
  const given = constantInput(c, 2) ?? [];
  if (given.length === 0) return undefined;
  const rank = inputDims(c).length;
  const axes = intsAttribute(
    c.node,
    "axes",
    inputDims(c).map((_, axis) => axis),
  );
  const scales = new Array<number>(rank).fill(1);
  for (const [at, axis] of axes.entries()) scales[positiveAxis(axis, rank)] = given[at]!;
  return scales;
}

type Axis = {
  readonly axis: number;
  readonly size: number;
  readonly length: number;
  readonly scale: number | undefined;
};

/** The gradient `[…, length, …]` → `[…, size, …]`. */
function alongAxis(c: RuleContext, gradient: Value, along: Axis): Value {
  const rank = inputDims(c).length;
  const perm = Array.from({ length: rank }, (_, each) => each);
  [perm[along.axis], perm[rank - 1]] = [rank - 1, along.axis];
  const isLast = along.axis === rank - 1;
  const swapped = isLast ? gradient : c.g.op("Transpose", [gradient], { perm });
  const product = c.g.op("MatMul", [swapped, matrixOf(c, along)]);
  return isLast ? product : c.g.op("Transpose", [product], { perm });
}

/** R `[length, size]`: the identity as `size` pictures of one column each, resized. */
function matrixOf({ g, node }: RuleContext, { size, length, scale }: Axis): Value {
  const identity = new Float32Array(size * size);
  for (let at = 0; at < size; at++) identity[at * size + at] = 1;
  const columns = g.constant(floats(identity, [size, 1, size, 1]));
  const sizes = scale === undefined ? g.shape([size, 1, length, 1]) : undefined;
  const scales = scale === undefined ? undefined : g.constant(floats([1, 1, scale, 1]));
  const { axes: _, ...attributes } = node.attributes;
  const resized = g.op("Resize", [columns, undefined, scales, sizes], attributes);
  return g.op("Transpose", [reshape(g, resized, [size, length])], { perm: [1, 0] });
}

export const resizeRules: Rules = { Resize: resize };
