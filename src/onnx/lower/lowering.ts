/** @file What the strategies of lowering share: the graph they emit into and what they may ask of it. */

import type { GraphBuilder, Value } from "../builder.ts";
import type { Geometry } from "../convolution-geometry.ts";

/** A convolution's shapes, for its forward pass and both adjoints. */
export type ConvShapes = {
  readonly geometry: Geometry;
  /** `[N, C, ...in]` */
  readonly inputDims: readonly number[];
  /** `[O, C / group, ...kernel]` */
  readonly weightDims: readonly number[];
  /** `[N, O, ...out]` */
  readonly outputDims: readonly number[];
};

/** What the machine offers. */
export type Target = {
  /** Channels per block of ONNX Runtime's blocked layout (`com.microsoft.nchwc`); `undefined` where it has none. */
  readonly blockSize: number | undefined;
};

export type Lowering = {
  readonly g: GraphBuilder;
  readonly target: Target;
  /** Emits a value once per key: the same tensor is often rearranged for several uses. */
  once(key: string, make: () => Value): Value;
};

/** One way to compute a convolution and its adjoints. */
export type ConvStrategy = {
  readonly forward?: (l: Lowering, c: ConvShapes, operands: ForwardOperands) => Value | undefined;
  readonly inputGradient: (l: Lowering, c: ConvShapes, operands: { dy: Value; weight: Value }) => Value | undefined;
  readonly weightGradient: (l: Lowering, c: ConvShapes, operands: { x: Value; dy: Value }) => Value | undefined;
};

export type ForwardOperands = {
  readonly x: Value;
  readonly weight: Value;
  readonly bias: Value | undefined;
  /** To be applied to the result; only those that a blocked convolution can do on the fly. */
  readonly activation: FusedActivation | undefined;
};

export type FusedActivation = { readonly name: "Relu" | "Clip"; readonly parameters: readonly number[] };

/** Where ONNX Runtime's blocked operators live. */
export const blockedDomain = { domain: "com.microsoft.nchwc" };

/** An activation as attributes of a blocked convolution. */
export function fusedAttributes(activation: FusedActivation | undefined): Record<string, string | readonly number[]> {
  return activation ? { activation: activation.name, activation_params: activation.parameters } : {};
}

/** A vector with zeros appended up to length `to`. */
export function paddedVector({ g }: Lowering, value: Value, length: number, to: number): Value {
  return length === to ? value : g.op("Pad", [value, g.shape([0, to - length])]);
}

export const reshape = (g: GraphBuilder, value: Value, dims: readonly number[]): Value =>
  g.op("Reshape", [value, g.shape(dims)]);
