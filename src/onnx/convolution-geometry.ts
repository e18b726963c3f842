/**
 * @file The geometry of a convolution: what its attributes, defaults and `auto_pad` amount to, for any number of spatial
 * axes. `out = ⌊(in + padBegin + padEnd − dilation · (kernel − 1) − 1) / stride⌋ + 1` on each.
 */

import { intAttribute, intsAttribute, type Node, stringAttribute } from "./model.ts";

export type Geometry = {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padBegins: readonly number[];
  readonly padEnds: readonly number[];
  readonly group: number;
};

export type GeometrySource = {
  readonly node: Node;
  readonly inputDims: readonly number[];
  readonly outputDims: readonly number[];
  /** Spatial kernel size. */
  readonly kernel: readonly number[];
};

/** Resolves a Conv or pooling node's attributes against its actual shapes. */
export function geometryOf({ node, inputDims, outputDims, kernel }: GeometrySource): Geometry {
  const ones = kernel.map(() => 1);
  const strides = intsAttribute(node, "strides", ones);
  const dilations = intsAttribute(node, "dilations", ones);
  const group = intAttribute(node, "group", 1);
  const autoPad = stringAttribute(node, "auto_pad", "NOTSET");
  if (autoPad === "NOTSET") {
    const pads = intsAttribute(node, "pads", [...ones, ...ones].fill(0));
    const [padBegins, padEnds] = [pads.slice(0, kernel.length), pads.slice(kernel.length)];
    return { kernel, strides, dilations, padBegins, padEnds, group };
  }
  const totals = kernel.map((size, axis) => {
    const reach = (outputDims[axis + 2]! - 1) * strides[axis]! + dilations[axis]! * (size - 1) + 1;
    return autoPad === "VALID" ? 0 : Math.max(reach - inputDims[axis + 2]!, 0);
  });
  const smaller = totals.map((each) => Math.floor(each / 2));
  const larger = totals.map((each) => Math.ceil(each / 2));
  const isUpper = autoPad === "SAME_UPPER";
  return {
    ...{ kernel, strides, dilations, group },
    padBegins: isUpper ? smaller : larger,
    padEnds: isUpper ? larger : smaller,
  };
}

/** As ONNX attributes. */
export function geometryAttributes(geometry: Geometry): Record<string, number | readonly number[]> {
  return {
    kernel_shape: geometry.kernel,
    strides: geometry.strides,
    dilations: geometry.dilations,
    pads: [...geometry.padBegins, ...geometry.padEnds],
    group: geometry.group,
  };
}

/** How far input positions reach that the last output position still reads, per axis, from the padded start. */
export function reachOf(geometry: Geometry, outputSpatial: readonly number[]): readonly number[] {
  return geometry.kernel.map(
    (size, axis) => (outputSpatial[axis]! - 1) * geometry.strides[axis]! + geometry.dilations[axis]! * (size - 1) + 1,
  );
}
