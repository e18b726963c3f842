/** @file Reductions: the gradient of a sum is repeated over the axes that were summed. */

import type { Value } from "../builder.ts";
import { intAttribute, type Node } from "../model.ts";
import { elementCount } from "../tensor.ts";
import {
  constantInput,
  gradientOf,
  inputDims,
  positiveAxis,
  type Rule,
  type RuleContext,
  type Rules,
  reshape,
  scalarLike,
} from "./rule.ts";

/** Axes as an input (operator set 18 on); none means all, unless the node says that none means none. */
function reducedAxes(c: RuleContext): readonly number[] {
  const rank = inputDims(c).length;
  const given = constantInput(c, 1) ?? [];
  if (given.length > 0) return given.map((axis) => positiveAxis(axis, rank));
  return isNoop(c.node) ? [] : inputDims(c).map((_, axis) => axis);
}

const isNoop = (node: Node): boolean => intAttribute(node, "noop_with_empty_axes", 0) === 1;

/** `dy` with the reduced axes back as ones, repeated to the input's shape. */
function repeated(c: RuleContext, dy: Value): Value {
  const dims = inputDims(c);
  const axes = reducedAxes(c);
  const kept = dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return c.g.op("Expand", [reshape(c.g, dy, kept), c.g.shape(dims)]);
}

const reduceSum: Rule = (c) => [repeated(c, gradientOf(c))];

const reduceMean: Rule = (c) => {
  const dims = inputDims(c);
  const count = elementCount(reducedAxes(c).map((axis) => dims[axis]!));
  return [repeated(c, c.g.op("Mul", [gradientOf(c), scalarLike(c, 1 / count)]))];
};

export const reduceRules: Rules = { ReduceSum: reduceSum, ReduceMean: reduceMean };
