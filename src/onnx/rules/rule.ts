/**
 * @file What a gradient rule is, and the few operations that most rules share.
 *
 * Notation in the rules: the objective is a scalar; `dy` is its gradient with respect to a node's output, `dx` with
 * respect to its first input. Gradients always have the shape of their value.
 */

import { FlywheelError } from "../../errors.ts";
import type { GraphBuilder, Value } from "../builder.ts";
import { describeNode, type Graph, type Node, type TensorType } from "../model.ts";
import { floats, numbersOf, tensor } from "../tensor.ts";

/** Domain of operators that exist only between differentiation and lowering. */
export const ownDomain = "flywheel";

export type MutableTypes = Map<string, TensorType>;

export type RuleContext = {
  readonly g: GraphBuilder;
  readonly node: Node;
  readonly graph: Graph;
  readonly types: MutableTypes;
  /** Gradient of each output; `undefined` where the objective does not depend on it. */
  readonly gradients: readonly (Value | undefined)[];
  /** Values that need a gradient: rules may skip the others. */
  readonly active: ReadonlySet<string>;
};

/** Gradients of a node's inputs, in order; `undefined` for those that need or have none. */
export type Rule = (context: RuleContext) => readonly (Value | undefined)[];

export type Rules = Readonly<Record<string, Rule>>;

/** A rule of one differentiable input, given `dy`. */
export function unary(dx: (context: RuleContext, dy: Value) => Value): Rule {
  return (context) => [dx(context, gradientOf(context))];
}

/** Gradient of the first output. */
export function gradientOf(context: RuleContext): Value {
  const [dy] = context.gradients;
  if (dy) return dy;
  throw new FlywheelError("onnx_no_gradient_rule", `only the first output of ${describeNode(context.node)} has a rule`);
}

export function input(context: RuleContext, index = 0): Value {
  const name = context.node.inputs[index];
  if (name !== undefined && name !== "") return { name };
  throw new FlywheelError("onnx_corrupt", `${describeNode(context.node)} lacks its input ${index}`);
}

export function hasInput(context: RuleContext, index: number): boolean {
  return (context.node.inputs[index] ?? "") !== "";
}

export function output(context: RuleContext, index = 0): Value {
  return { name: context.node.outputs[index]! };
}

/** Whether input `index` needs a gradient at all. */
export function needs(context: RuleContext, index: number): boolean {
  return context.active.has(context.node.inputs[index] ?? "");
}

/** The gradient of input `index` if it is needed: rules pay only for what is used. */
export function whenNeeded(context: RuleContext, index: number, make: () => Value): Value | undefined {
  return needs(context, index) ? make() : undefined;
}

export function typeOf(context: RuleContext, value: Value): TensorType {
  const type = context.types.get(value.name);
  if (type) return type;
  throw new FlywheelError("onnx_unknown_shape", `the type of "${value.name}" is not known`);
}

export function inputDims(context: RuleContext, index = 0): readonly number[] {
  return typeOf(context, input(context, index)).dims;
}

export function outputDims(context: RuleContext, index = 0): readonly number[] {
  return typeOf(context, output(context, index)).dims;
}

/** The numbers of a constant input, `undefined` when it is absent. @throws FlywheelError `onnx_dynamic_argument` */
export function constantInput(context: RuleContext, index: number): readonly number[] | undefined {
  if (!hasInput(context, index)) return undefined;
  const name = context.node.inputs[index]!;
  const value = context.graph.initialisers.get(name);
  if (value) return numbersOf(value);
  throw new FlywheelError(
    "onnx_dynamic_argument",
    `input ${index} ("${name}") of ${describeNode(context.node)} must be a constant to be differentiated`,
    { hint: "simplify the model so that shapes and axes are initialisers" },
  );
}

/** A scalar constant of the node's own floating-point type. */
export function scalar(context: RuleContext, value: number): Value {
  return constantOf(context, value, []);
}

/**
 * A scalar for arithmetic with values of the output's shape, with as many axes. With none it costs ten times as much beside
 * a tensor that ends in ones, `[N, C, 1, 1]`: ONNX Runtime then goes through that element by element.
 */
export function scalarLike(context: RuleContext, value: number): Value {
  const ones = outputDims(context).map(() => 1);
  return constantOf(context, value, ones);
}

function constantOf(context: RuleContext, value: number, dims: readonly number[]): Value {
  const { dtype } = typeOf(context, output(context));
  return context.g.constant(
    dtype === "float64" ? tensor("float64", dims, Float64Array.of(value)) : floats([value], dims),
  );
}

/** Axis counted from the front. */
export const positiveAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

export function reshape(g: GraphBuilder, value: Value, dims: readonly number[]): Value {
  return g.op("Reshape", [value, g.shape(dims)]);
}

export function reduceSum(g: GraphBuilder, value: Value, axes: readonly number[], keepdims = 1): Value {
  return axes.length === 0 ? value : g.op("ReduceSum", [value, g.shape(axes)], { keepdims });
}

/** The adjoint of NumPy broadcasting: sums `value` of dims `from` down to dims `to`. */
export function unbroadcast(g: GraphBuilder, value: Value, from: readonly number[], to: readonly number[]): Value {
  const lead = from.length - to.length;
  const axes = from.flatMap((size, axis) => (axis < lead || (to[axis - lead] === 1 && size !== 1) ? [axis] : []));
  const summed = reduceSum(g, value, axes);
  return lead === 0 ? summed : reshape(g, summed, to);
}

/** A gradient of the output's shape, summed down to the shape of input `index`. */
export function toInputShape(context: RuleContext, index: number, gradient: Value): Value {
  return unbroadcast(context.g, gradient, outputDims(context), inputDims(context, index));
}
