/**
 * @file Depthwise convolutions in ONNX Runtime's blocked layout. The plain layout's grouped convolution runs one small
 * matrix product per channel and image; the blocked kernels treat 8 or 16 channels as one vector (measured on 96 × 28²,
 * 5×5, batch 32, two cores: forward 2 ms against 16, weight gradient 7 against 48).
 *
 * ONNX Runtime itself uses that layout for constant weights only. But its operators can be named in a graph, and for
 * depthwise weights the blocked filter `[C / b, kH, kW, b]` is just the blocked form of an image `[1, C, kH, kW]`. Both
 * adjoints stay in the family:
 *
 * - Input, stride 1: the same convolution of `dy` with the kernel flipped.
 * - Input, stride s: s² such convolutions, one for each phase of the output grid with that phase's share of the kernel,
 *   interleaved (as in sub-pixel convolution, Shi et al. 2016, backwards).
 * - Weights: the input convolved with `dy` as an enormous kernel, `N · C` channels at once, dilation and stride exchanged;
 *   the blocked form of `[N, C, H, W]` and of `[1, N · C, H, W]` is the same memory.
 */

import type { Value } from "../builder.ts";
import { reachOf } from "../convolution-geometry.ts";
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

/** Two spatial axes, one filter per channel, channels in fours (which the runtime's reordering requires). */
export function isBlockedDepthwise({ geometry, weightDims, inputDims }: ConvShapes): boolean {
  const { group, kernel, dilations } = geometry;
  const isDepthwise = group > 1 && weightDims[0] === group && weightDims[1] === 1;
  return isDepthwise && kernel.length === 2 && dilations.every((each) => each === 1) && inputDims[1]! % 4 === 0;
}

/** Strategy for a machine whose blocks hold `blockSize` channels. */
export const depthwiseStrategy = (blockSize: number): ConvStrategy => ({
  forward: (l, shapes, operands) => forward({ l, blockSize, shapes }, operands),
  inputGradient: (l, shapes, operands) => inputGradient({ l, blockSize, shapes }, operands),
  weightGradient: (l, shapes, operands) => weightGradient({ l, blockSize, shapes }, operands),
});

type Context = { readonly l: Lowering; readonly blockSize: number; readonly shapes: ConvShapes };

const channelsOf = ({ shapes }: Context): number => shapes.inputDims[1]!;

/** Channels rounded up to whole blocks. */
const paddedChannels = (c: Context): number => Math.ceil(channelsOf(c) / c.blockSize) * c.blockSize;

/** `[N, C, H, W]` in blocks. */
function blocked({ l }: Context, value: Value): Value {
  return l.once(`blocked ${value.name}`, () => l.g.op("ReorderInput", [value], {}, blockedDomain));
}

/** A kernel of one filter per channel, in blocks. */
function filter(c: Context, weight: Value, kernel: readonly number[]): Value {
  const { l } = c;
  return l.once(`filter ${weight.name}`, () => {
    const image = blocked(c, reshape(l.g, weight, [1, channelsOf(c), ...kernel]));
    return reshape(l.g, image, [paddedChannels(c), 1, ...kernel]);
  });
}

function unblocked(c: Context, value: Value): Value {
  return c.l.g.op("ReorderOutput", [value], { channels: channelsOf(c) }, blockedDomain);
}

function convolve({ l }: Context, inputs: readonly (Value | undefined)[], attributes: BlockedAttributes): Value {
  return l.g.op("Conv", inputs, { dilations: [1, 1], ...attributes }, blockedDomain);
}

function forward(c: Context, { x, weight, bias, activation }: ForwardOperands): Value {
  const { kernel, strides, padBegins, padEnds } = c.shapes.geometry;
  const group = paddedChannels(c);
  const shift = bias && paddedVector(c.l, bias, channelsOf(c), group);
  const attributes = { kernel_shape: kernel, strides, pads: [...padBegins, ...padEnds], group };
  const inputs = [blocked(c, x), filter(c, weight, kernel), shift];
  return unblocked(c, convolve(c, inputs, { ...attributes, ...fusedAttributes(activation) }));
}

function inputGradient(c: Context, { dy, weight }: { dy: Value; weight: Value }): Value | undefined {
  const { l, shapes, blockSize } = c;
  const [batch, , height, width] = shapes.inputDims as [number, number, number, number]; // two spatial axes
  const [down, across] = [phasesOf(shapes, 0), phasesOf(shapes, 1)];
  if ([...down, ...across].some(({ padBegin, padEnd }) => padBegin < 0 || padEnd < 0)) return undefined;
  const rows = down.map((row) =>
    interleave(
      l,
      across.map((column) => phaseGradient(c, { dy, weight, row, column })),
      blockSize,
    ),
  );
  const made = [down[0]!.length * down.length, across[0]!.length * across.length] as const;
  const merged = reshape(l.g, interleave(l, rows, made[1] * blockSize), [batch, paddedChannels(c), ...made]);
  return cropped(l, unblocked(c, merged), made, [height, width]);
}

type PhaseOperands = { readonly dy: Value; readonly weight: Value; readonly row: Phase; readonly column: Phase };

/** The gradient at every `stride`-th row and column. */
function phaseGradient(c: Context, { dy, weight, row, column }: PhaseOperands): Value {
  const kernel = [row.taps.length, column.taps.length];
  const part = filter(c, selectTaps(c, weight, row, column), kernel);
  const pads = [row.padBegin, column.padBegin, row.padEnd, column.padEnd];
  const attributes = { kernel_shape: kernel, strides: [1, 1], pads, group: paddedChannels(c) };
  return convolve(c, [blocked(c, dy), part], attributes);
}

function weightGradient(c: Context, { x, dy }: { x: Value; dy: Value }): Value {
  const { l, shapes } = c;
  const { kernel, strides, padBegins } = shapes.geometry;
  const [batch, , ...inSpatial] = shapes.inputDims as [number, number, ...number[]]; // [N, C, ...in]
  const outSpatial = shapes.outputDims.slice(2);
  const reach = reachOf(shapes.geometry, outSpatial);
  const padEnds = reach.map((size, axis) => Math.max(size - inSpatial[axis]! - padBegins[axis]!, 0));
  const group = batch * paddedChannels(c);
  const images = reshape(l.g, blocked(c, x), [1, group, ...inSpatial]);
  const kernels = reshape(l.g, blocked(c, dy), [group, 1, ...outSpatial]);
  const pads = [...padBegins, ...padEnds];
  const attributes = { kernel_shape: outSpatial, strides: [1, 1], dilations: strides, pads, group };
  // Input cells that no window reaches yield products beyond the kernel, which are cropped.
  const made = kernel.map((_, axis) => {
    return inSpatial[axis]! + padBegins[axis]! + padEnds[axis]! - strides[axis]! * (outSpatial[axis]! - 1);
  });
  const products = reshape(l.g, convolve(c, [images, kernels], attributes), [batch, paddedChannels(c), ...made]);
  const summed = l.g.op("ReduceSum", [products, l.g.shape([0])], { keepdims: 1 });
  return reshape(l.g, cropped(l, unblocked(c, summed), made, kernel), shapes.weightDims);
}

type BlockedAttributes = {
  readonly kernel_shape: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly group: number;
  readonly dilations?: readonly number[];
  readonly activation?: string;
  readonly activation_params?: readonly number[];
};

/** Along one axis: input positions `stride · a + r` read `dy` through the taps `stride · t + (r + pad) mod stride`. */
type Phase = {
  /** Kernel positions, in the order in which a correlation meets them: descending. */
  readonly taps: readonly number[];
  readonly padBegin: number;
  readonly padEnd: number;
  /** Positions of this phase, the last one perhaps beyond the input. */
  readonly length: number;
};

function phasesOf({ geometry, inputDims, outputDims }: ConvShapes, axis: number): readonly Phase[] {
  const [stride, pad] = [geometry.strides[axis]!, geometry.padBegins[axis]!];
  const length = Math.ceil(inputDims[axis + 2]! / stride);
  return Array.from({ length: stride }, (_, r) => {
    const first = (r + pad) % stride;
    const count = Math.ceil((geometry.kernel[axis]! - first) / stride);
    const taps = Array.from({ length: count }, (_, t) => first + stride * (count - 1 - t));
    const padBegin = count - 1 - Math.floor((r + pad) / stride);
    return { taps, padBegin, padEnd: length - outputDims[axis + 2]! - padBegin + count - 1, length };
  });
}

/** The taps of one phase, `[C, taps down · taps across]`. */
function selectTaps(c: Context, weight: Value, row: Phase, column: Phase): Value {
  const width = c.shapes.geometry.kernel[1]!;
  const indices = row.taps.flatMap((y) => column.taps.map((x) => y * width + x));
  return c.l.g.op("Gather", [reshape(c.l.g, weight, [channelsOf(c), -1]), c.l.g.shape(indices)], { axis: 1 });
}

/** Alternates runs of `run` elements of several equal tensors. */
function interleave({ g }: Lowering, parts: readonly Value[], run: number): Value {
  if (parts.length === 1) return parts[0]!;
  const rows = parts.map((part) => reshape(g, part, [-1, run]));
  return g.op("Concat", rows, { axis: 1 });
}

function cropped({ g }: Lowering, value: Value, from: readonly number[], to: readonly number[]): Value {
  if (from.every((size, axis) => size === to[axis])) return value;
  return g.op("Slice", [value, g.shape(to.map(() => 0)), g.shape(to), g.shape(to.map((_, axis) => axis + 2))]);
}
