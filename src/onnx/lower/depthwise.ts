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
export function depthwiseStrategy(blockSize: number): ConvStrategy {
  const padded = (channels: number): number => Math.ceil(channels / blockSize) * blockSize;

  /** `[N, C, H, W]` in blocks. */
  const blocked = (l: Lowering, value: Value): Value =>
    l.once(`blocked ${value.name}`, () => l.g.op("ReorderInput", [value], {}, blockedDomain));

  /** `[C, 1, kH, kW]` or any `[C, size…]` of a kernel, as a blocked filter. */
  const filter = (l: Lowering, weight: Value, channels: number, kernel: readonly number[]): Value =>
    l.once(`filter ${weight.name}`, () => {
      const image = l.g.op("ReorderInput", [reshape(l.g, weight, [1, channels, ...kernel])], {}, blockedDomain);
      return reshape(l.g, image, [padded(channels), 1, ...kernel]);
    });

  const unblocked = (l: Lowering, value: Value, channels: number): Value =>
    l.g.op("ReorderOutput", [value], { channels }, blockedDomain);

  const convolve = (l: Lowering, inputs: readonly (Value | undefined)[], attributes: BlockedAttributes): Value =>
    l.g.op("Conv", inputs, { ...attributes, dilations: attributes.dilations ?? [1, 1] }, blockedDomain);

  return {
    forward(l, { geometry, inputDims }, { x, weight, bias, activation }) {
      const channels = inputDims[1]!;
      const { kernel, strides, padBegins, padEnds } = geometry;
      const inputs = [
        blocked(l, x),
        filter(l, weight, channels, kernel),
        bias && paddedVector(l, bias, channels, padded(channels)),
      ];
      const pads = [...padBegins, ...padEnds];
      const group = padded(channels);
      return unblocked(
        l,
        convolve(l, inputs, { kernel_shape: kernel, strides, pads, group, ...fusedAttributes(activation) }),
        channels,
      );
    },

    inputGradient(l, shapes, { dy, weight }) {
      const [, channels, height, width] = shapes.inputDims as [number, number, number, number]; // two spatial axes
      const phases = [phasesOf(shapes, 0), phasesOf(shapes, 1)] as const;
      if (phases.flat().some(({ padBegin, padEnd }) => padBegin < 0 || padEnd < 0)) return undefined;
      const rows = phases[0].map((down) => {
        const cells = phases[1].map((across) => {
          const kernel = [down.taps.length, across.taps.length];
          const part = selectTaps(l, weight, { channels, kernelWidth: shapes.geometry.kernel[1]!, down, across });
          const inputs = [blocked(l, dy), filter(l, part, channels, kernel)];
          const pads = [down.padBegin, across.padBegin, down.padEnd, across.padEnd];
          return convolve(l, inputs, { kernel_shape: kernel, strides: [1, 1], pads, group: padded(channels) });
        });
        return cells.length === 1 ? cells[0]! : interleave(l, cells, blockSize);
      });
      const [strideDown, strideAcross] = [phases[0].length, phases[1].length];
      const [tall, wide] = [phases[0][0]!.length * strideDown, phases[1][0]!.length * strideAcross];
      const merged = rows.length === 1 ? rows[0]! : interleave(l, rows, wide * blockSize);
      const whole = reshape(l.g, merged, [shapes.inputDims[0]!, padded(channels), tall, wide]);
      return cropped(l, unblocked(l, whole, channels), [tall, wide], [height, width]);
    },

    weightGradient(l, { geometry, inputDims, outputDims, weightDims }, { x, dy }) {
      const [batch, channels, ...inSpatial] = inputDims as [number, number, ...number[]]; // two spatial axes
      const outSpatial = outputDims.slice(2);
      const { kernel, strides, padBegins } = geometry;
      const group = batch * padded(channels);
      const reach = reachOf(geometry, outSpatial);
      const padEnds = reach.map((size, axis) => Math.max(size - inSpatial[axis]! - padBegins[axis]!, 0));
      const inputs = [
        reshape(l.g, blocked(l, x), [1, group, ...inSpatial]),
        reshape(l.g, blocked(l, dy), [group, 1, ...outSpatial]),
      ];
      const pads = [...padBegins, ...padEnds];
      const each = convolve(l, inputs, { kernel_shape: outSpatial, strides: [1, 1], dilations: strides, pads, group });
      const made = kernel.map((_, axis) => {
        return inSpatial[axis]! + padBegins[axis]! + padEnds[axis]! - strides[axis]! * (outSpatial[axis]! - 1);
      });
      const perImage = reshape(l.g, each, [batch, padded(channels), ...made]);
      const summed = l.g.op("ReduceSum", [perImage, l.g.shape([0])], { keepdims: 1 });
      return reshape(l.g, cropped(l, unblocked(l, summed, channels), made, kernel), weightDims);
    },
  };
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

type Selection = {
  readonly channels: number;
  readonly kernelWidth: number;
  readonly down: Phase;
  readonly across: Phase;
};

/** The taps of one phase, `[C, taps down · taps across]`. */
function selectTaps({ g }: Lowering, weight: Value, { channels, kernelWidth, down, across }: Selection): Value {
  const indices = down.taps.flatMap((row) => across.taps.map((column) => row * kernelWidth + column));
  return g.op("Gather", [reshape(g, weight, [channels, -1]), g.shape(indices)], { axis: 1 });
}

/** Alternates runs of `run` elements of several equal tensors. */
function interleave({ g }: Lowering, parts: readonly Value[], run: number): Value {
  const rows = parts.map((part) => reshape(g, part, [-1, run]));
  return g.op("Concat", rows, { axis: 1 });
}

function cropped({ g }: Lowering, value: Value, from: readonly number[], to: readonly number[]): Value {
  if (from.every((size, axis) => size === to[axis])) return value;
  return g.op("Slice", [value, g.shape(to.map(() => 0)), g.shape(to), g.shape(to.map((_, axis) => axis + 2))]);
}
