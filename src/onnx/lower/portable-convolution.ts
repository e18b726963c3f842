/**
 * @file The adjoints of a convolution in standard ONNX, correct for every geometry and number of spatial axes. The fast
 * paths beside this file must give the same numbers.
 *
 * - Input, stride 1: convolution of `dy` with the weights transposed and flipped. Otherwise `ConvTranspose`.
 * - Weights: convolution of the input with `dy` as kernel, channels and batch exchanged, strides and dilations exchanged
 *   (Dumoulin & Visin, A guide to convolution arithmetic, 2016, ch. 4).
 */

import type { GraphBuilder, Value } from "../builder.ts";
import { type Geometry, geometryAttributes, reachOf } from "../convolution-geometry.ts";
import { elementCount } from "../tensor.ts";
import { type ConvShapes, reshape } from "./lowering.ts";

export type ConvGradient = ConvShapes & { readonly g: GraphBuilder };

/** Reverses the spatial axes of `[a, b, ...kernel]`. */
export function flipKernel(g: GraphBuilder, weight: Value, dims: readonly number[]): Value {
  const size = elementCount(dims.slice(2));
  if (size === 1) return weight;
  const reversed = g.shape(Array.from({ length: size }, (_, index) => size - 1 - index));
  const flat = reshape(g, weight, [dims[0]!, dims[1]!, size]);
  return reshape(g, g.op("Gather", [flat, reversed], { axis: 2 }), dims);
}

/** `[O, C / group, ...]` → `[C, O / group, ...]`, within each group. */
export function exchangeChannels({ g, geometry, weightDims }: ConvGradient, weight: Value): Value {
  const { group } = geometry;
  const [o, i, ...kernel] = weightDims as [number, number, ...number[]]; // weights have rank ≥ 2
  if (o === group && i === 1) return weight;
  const k = elementCount(kernel);
  const grouped = reshape(g, weight, [group, o / group, i, k]);
  const exchanged = g.op("Transpose", [grouped], { perm: [0, 2, 1, 3] });
  return reshape(g, exchanged, [i * group, o / group, ...kernel]);
}

export function portableInputGradient(c: ConvGradient, dy: Value, weight: Value): Value {
  const { g, geometry } = c;
  const { kernel, strides, dilations, padBegins, padEnds } = geometry;
  const reach = reachOf(geometry, c.outputDims.slice(2));
  const flippedBegins = kernel.map((size, axis) => dilations[axis]! * (size - 1) - padBegins[axis]!);
  const flippedEnds = kernel.map((size, axis) => dilations[axis]! * (size - 1) - padEnds[axis]!);
  if (strides.every((each) => each === 1) && [...flippedBegins, ...flippedEnds].every((each) => each >= 0)) {
    const flipped = flipKernel(g, exchangeChannels(c, weight), exchangedDims(c));
    const back = { ...geometry, padBegins: flippedBegins, padEnds: flippedEnds };
    return g.op("Conv", [dy, flipped], geometryAttributes(back));
  }
  // Input cells that no window reaches get no gradient; they are what `output_padding` appends.
  const made = reach.map((size, axis) => size - padBegins[axis]! - padEnds[axis]!);
  const output_padding = made.map((size, axis) => c.inputDims[axis + 2]! - size);
  return g.op("ConvTranspose", [dy, weight], { ...geometryAttributes(geometry), output_padding });
}

function exchangedDims({ geometry, weightDims }: ConvGradient): readonly number[] {
  const [o, i, ...kernel] = weightDims as [number, number, ...number[]]; // as above
  return [i * geometry.group, o / geometry.group, ...kernel];
}

export function portableWeightGradient(c: ConvGradient, x: Value, dy: Value): Value {
  const { g, geometry } = c;
  const { group } = geometry;
  const [n, channels, ...inSpatial] = c.inputDims as [number, number, ...number[]];
  const [, o, ...outSpatial] = c.outputDims as [number, number, ...number[]];
  const perGroup = channels / group;
  // [N, g, C/g, in] → [C/g, g·N, in] as input; [N, g, O/g, out] → [g·O/g, N, out] as kernel.
  const images = rearrange(c, x, [n, group, perGroup, elementCount(inSpatial)], [2, 1, 0, 3]);
  const kernels = rearrange(c, dy, [n, group, o / group, elementCount(outSpatial)], [1, 2, 0, 3]);
  const attributes = { ...geometryAttributes(exchanged(c)), kernel_shape: outSpatial };
  const products = g.op(
    "Conv",
    [reshape(g, images, [perGroup, group * n, ...inSpatial]), reshape(g, kernels, [o, n, ...outSpatial])],
    attributes,
  );
  // [C/g, O, kernel] → [O, C/g, kernel]
  const size = elementCount(geometry.kernel);
  const cropped = cropSpatial(g, products, geometry.kernel);
  return reshape(g, rearrange(c, cropped, [perGroup, o, size], [1, 0, 2]), c.weightDims);
}

/** Input cells that no window reaches would otherwise yield products beyond the kernel. */
function cropSpatial(g: GraphBuilder, value: Value, kernel: readonly number[]): Value {
  const axes = kernel.map((_, axis) => axis + 2);
  return g.op("Slice", [value, g.shape(kernel.map(() => 0)), g.shape(kernel), g.shape(axes)]);
}

function rearrange({ g }: ConvGradient, value: Value, dims: readonly number[], perm: readonly number[]): Value {
  return g.op("Transpose", [reshape(g, value, dims)], { perm });
}

/** Strides and dilations exchanged, and as much end padding as makes the result at least the kernel's size. */
function exchanged({ geometry, inputDims, outputDims }: ConvGradient): Geometry {
  const reach = reachOf(geometry, outputDims.slice(2));
  const padEnds = reach.map((size, axis) => Math.max(size - inputDims[axis + 2]! - geometry.padBegins[axis]!, 0));
  return { ...geometry, strides: geometry.dilations, dilations: geometry.strides, padEnds };
}
