/**
 * @file Dense k×k convolutions as matrix products over patches. With few input channels (a network's first layer) all
 * patches are stacked and multiplied once; with many, one product per tap keeps the memory down.
 */

import type { Value } from "../builder.ts";
import { type Geometry, reachOf } from "../convolution-geometry.ts";
import { elementCount, floats } from "../tensor.ts";
import {
  blockedDomain,
  type ConvShapes,
  type ConvStrategy,
  type ForwardOperands,
  fusedAttributes,
  type Lowering,
  paddedVector,
  reshape,
} from "./lowering.ts";
import { portableInputGradient } from "./portable-convolution.ts";

export function isDense({ geometry }: ConvShapes): boolean {
  return geometry.group === 1 && geometry.kernel.length === 2;
}

/** The blocked kernels read an input of fewer channels than a block in the plain layout. */
const isFirstLayer = ({ inputDims }: ConvShapes, blockSize: number): boolean => inputDims[1]! < blockSize;

export const patchesStrategy = (blockSize: number | undefined): ConvStrategy => ({
  forward: (l, shapes, operands) =>
    blockSize !== undefined && isFirstLayer(shapes, blockSize) ? firstLayer(l, shapes, blockSize, operands) : undefined,
  inputGradient: (l, shapes, { dy, weight }) => portableInputGradient({ g: l.g, ...shapes }, dy, weight),
  weightGradient: (l, shapes, operands) =>
    blockSize !== undefined && isFirstLayer(shapes, blockSize)
      ? blockedPatches(l, shapes, { ...operands, blockSize })
      : perTap(l, shapes, operands),
});

/** A blocked convolution that reads the plain layout, where the runtime's own would first copy all patches. */
function firstLayer(
  l: Lowering,
  { geometry, weightDims }: ConvShapes,
  blockSize: number,
  { x, weight, bias, activation }: ForwardOperands,
): Value {
  const { g } = l;
  const [o, ...rest] = weightDims as [number, ...number[]]; // weights have rank ≥ 2
  const padded = Math.ceil(o / blockSize) * blockSize;
  const whole = o === padded ? weight : g.op("Pad", [weight, g.shape([0, 0, 0, 0, padded - o, 0, 0, 0])]);
  const blocks = reshape(g, whole, [padded / blockSize, blockSize, elementCount(rest)]);
  const filters = reshape(g, g.op("Transpose", [blocks], { perm: [0, 2, 1] }), [padded, ...rest]);
  const shift = bias && paddedVector(l, bias, o, padded);
  const { kernel, strides, dilations, padBegins, padEnds } = geometry;
  const attributes = { kernel_shape: kernel, strides, dilations, pads: [...padBegins, ...padEnds], group: 1 };
  const y = g.op("Conv", [x, filters, shift], { ...attributes, ...fusedAttributes(activation) }, blockedDomain);
  return g.op("ReorderOutput", [y], { channels: o }, blockedDomain);
}

type Operands = { readonly x: Value; readonly dy: Value };

/**
 * dW `[O, C · k²]` = Σₙ dY `[O, P]` · patches `[P, C · k²]`. The patches come from a blocked convolution whose filters each
 * pick one value: twice as fast as slicing them out.
 */
function blockedPatches(
  l: Lowering,
  shapes: ConvShapes,
  { x, dy, blockSize }: Operands & { readonly blockSize: number },
): Value {
  const { g } = l;
  const [batch, o, ...out] = shapes.outputDims as [number, number, ...number[]]; // [N, O, ...out]
  const size = elementCount(shapes.weightDims.slice(1));
  const blocks = Math.ceil(size / blockSize);
  const pixels = elementCount(out);
  const { kernel, strides, dilations, padBegins, padEnds } = shapes.geometry;
  const attributes = { kernel_shape: kernel, strides, dilations, pads: [...padBegins, ...padEnds], group: 1 };
  const picked = g.op("Conv", [x, pickingFilters(l, shapes, blockSize)], attributes, blockedDomain);
  const patches = reshape(g, picked, [batch, blocks, pixels, blockSize]);
  const products = g.op("MatMul", [reshape(g, dy, [batch, 1, o, pixels]), patches]);
  const summed = g.op("ReduceSum", [products, g.shape([0])], { keepdims: 0 });
  const rows = reshape(g, g.op("Transpose", [summed], { perm: [1, 0, 2] }), [o, blocks * blockSize]);
  return reshape(g, g.op("Slice", [rows, g.shape([0]), g.shape([size]), g.shape([1])]), shapes.weightDims);
}

/** Filter i picks the i-th value of a patch. Layout `[filters / b, C, kH, kW, b]`, as the blocked kernels read it. */
function pickingFilters({ g }: Lowering, { weightDims }: ConvShapes, blockSize: number): Value {
  const size = elementCount(weightDims.slice(1));
  const filters = Math.ceil(size / blockSize) * blockSize;
  const data = new Float32Array(filters * size);
  for (let i = 0; i < size; i++) {
    data[(Math.floor(i / blockSize) * size + i) * blockSize + (i % blockSize)] = 1;
  }
  return g.constant(floats(data, [filters, ...weightDims.slice(1)]));
}

/** For each tap, dW `[O, C]` = Σₙ dY `[O, P]` · shifted input `[C, P]`ᵀ. */
function perTap(l: Lowering, shapes: ConvShapes, { x, dy }: Operands): Value {
  const { g } = l;
  const [o, channels] = shapes.weightDims as [number, number]; // weights have rank ≥ 2
  const [batch, , ...out] = shapes.outputDims as [number, number, ...number[]]; // [N, O, ...out]
  const pixels = elementCount(out);
  const left = reshape(g, dy, [batch, o, pixels]);
  const taps = shiftedInputs(l, shapes, x).map((shifted) => {
    const right = reshape(g, shifted, [batch, channels, pixels]);
    const products = g.op("FusedMatMul", [left, right], { transB: 1 }, { domain: "com.microsoft" });
    return reshape(g, g.op("ReduceSum", [products, g.shape([0])], { keepdims: 0 }), [o, channels, 1]);
  });
  return reshape(g, taps.length === 1 ? taps[0]! : g.op("Concat", taps, { axis: 2 }), shapes.weightDims);
}

/** For each tap, what it reads: `[N, C, ...out]`. */
function shiftedInputs(l: Lowering, shapes: ConvShapes, x: Value): readonly Value[] {
  const { g } = l;
  const { geometry, outputDims } = shapes;
  const { kernel, strides, dilations, padBegins } = geometry;
  const padEnds = neededPadEnds(geometry, shapes);
  const isPadded = [...padBegins, ...padEnds].some((each) => each > 0);
  const padded = isPadded ? g.op("Pad", [x, g.shape([0, 0, ...padBegins, 0, 0, ...padEnds])]) : x;
  const [height, width] = kernel as [number, number]; // two spatial axes
  return Array.from({ length: height * width }, (_, tap) => {
    const at = [Math.floor(tap / width) * dilations[0]!, (tap % width) * dilations[1]!];
    const ends = at.map((start, axis) => start + (outputDims[axis + 2]! - 1) * strides[axis]! + 1);
    return g.op("Slice", [padded, g.shape(at), g.shape(ends), g.shape([2, 3]), g.shape(strides)]);
  });
}

/** Padding that the last window reaches into; the node may declare more than is read. */
function neededPadEnds(geometry: Geometry, { inputDims, outputDims }: ConvShapes): readonly number[] {
  const reach = reachOf(geometry, outputDims.slice(2));
  return reach.map((size, axis) => Math.max(size - inputDims[axis + 2]! - geometry.padBegins[axis]!, 0));
}
