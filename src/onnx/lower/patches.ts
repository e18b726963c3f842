/**
 * @file Weight gradients of dense k×k convolutions as matrix products over patches. With few input channels (a network's
 * first layer) the k² shifted copies of the input are stacked and multiplied once; with many, one product per tap keeps
 * the memory down.
 */

import type { Value } from "../builder.ts";
import { reachOf } from "../convolution-geometry.ts";
import { elementCount } from "../tensor.ts";
import { type ConvShapes, type ConvStrategy, type Lowering, reshape } from "./lowering.ts";
import { portableInputGradient } from "./portable-convolution.ts";

/** Up to this many input channels all patches are stacked: k² copies of a narrow input stay small. */
const maxStackedChannels = 8;

export function isDense({ geometry }: ConvShapes): boolean {
  return geometry.group === 1 && geometry.kernel.length === 2;
}

export const patchesStrategy: ConvStrategy = {
  inputGradient: (l, shapes, { dy, weight }) => portableInputGradient({ g: l.g, ...shapes }, dy, weight),
  weightGradient: (l, shapes, operands) =>
    shapes.inputDims[1]! <= maxStackedChannels ? stacked(l, shapes, operands) : perTap(l, shapes, operands),
};

type Operands = { readonly x: Value; readonly dy: Value };

/** dW `[O, k² · C]` = Σₙ dY `[O, P]` · patches `[k² · C, P]`ᵀ, then taps and channels exchanged. */
function stacked(l: Lowering, shapes: ConvShapes, { x, dy }: Operands): Value {
  const { g } = l;
  const [o, channels, ...kernel] = shapes.weightDims as [number, number, ...number[]]; // weights have rank ≥ 2
  const patches = g.op("Concat", shiftedInputs(l, shapes, x), { axis: 1 });
  const size = elementCount(kernel);
  const product = multiply(l, shapes, { patches, dy, rows: channels * size });
  const exchanged = g.op("Transpose", [reshape(g, product, [o, size, channels])], { perm: [0, 2, 1] });
  return reshape(g, exchanged, shapes.weightDims);
}

function perTap(l: Lowering, shapes: ConvShapes, { x, dy }: Operands): Value {
  const { g } = l;
  const [o, channels] = shapes.weightDims as [number, number]; // weights have rank ≥ 2
  const taps = shiftedInputs(l, shapes, x).map((patches) => {
    return reshape(g, multiply(l, shapes, { patches, dy, rows: channels }), [o, channels, 1]);
  });
  return reshape(g, taps.length === 1 ? taps[0]! : g.op("Concat", taps, { axis: 2 }), shapes.weightDims);
}

type Product = { readonly patches: Value; readonly dy: Value; readonly rows: number };

function multiply({ g }: Lowering, { outputDims }: ConvShapes, { patches, dy, rows }: Product): Value {
  const [batch, o, ...out] = outputDims as [number, number, ...number[]]; // [N, O, ...out]
  const pixels = elementCount(out);
  const operands = [reshape(g, dy, [batch, o, pixels]), reshape(g, patches, [batch, rows, pixels])];
  const products = g.op("FusedMatMul", operands, { transB: 1 }, { domain: "com.microsoft" });
  return g.op("ReduceSum", [products, g.shape([0])], { keepdims: 0 });
}

/** For each tap, what it reads: `[N, C, ...out]`. */
function shiftedInputs(l: Lowering, { geometry, inputDims, outputDims }: ConvShapes, x: Value): readonly Value[] {
  const { g } = l;
  const { kernel, strides, dilations, padBegins } = geometry;
  const reach = reachOf(geometry, outputDims.slice(2));
  const padEnds = reach.map((size, axis) => Math.max(size - inputDims[axis + 2]! - padBegins[axis]!, 0));
  const isPadded = [...padBegins, ...padEnds].some((each) => each > 0);
  const padded = isPadded ? g.op("Pad", [x, g.shape([0, 0, ...padBegins, 0, 0, ...padEnds])]) : x;
  const [height, width] = kernel as [number, number]; // two spatial axes
  return Array.from({ length: height * width }, (_, tap) => {
    const at = [Math.floor(tap / width) * dilations[0]!, (tap % width) * dilations[1]!];
    const ends = at.map((start, axis) => start + (outputDims[axis + 2]! - 1) * strides[axis]! + 1);
    return g.op("Slice", [padded, g.shape(at), g.shape(ends), g.shape([2, 3]), g.shape(strides)]);
  });
}
