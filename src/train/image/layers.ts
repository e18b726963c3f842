/**
 * @file The layers of mobile networks, emitted into an ONNX graph. Each names its parameters as PyTorch would
 * (`conv_stem.weight`, `bn1.running_mean`) and asks an `Initialise` for their values.
 */

import type { GraphBuilder, Value } from "../../onnx/builder.ts";
import type { Tensor } from "../../onnx/tensor.ts";
import type { Activation } from "./architecture.ts";

/** PyTorch's default for batch norm. */
export const batchNormEpsilon = 1e-5;

export type ParameterKind = "conv" | "linear" | "bias" | "norm-scale" | "norm-shift" | "norm-mean" | "norm-variance";

/** First value of a parameter. */
export type Initialise = (parameter: {
  readonly name: string;
  readonly kind: ParameterKind;
  readonly dims: readonly number[];
  /** Of a grouped convolution. */
  readonly groups: number;
}) => Tensor;

/** Where layers are being added. */
export type Scope = {
  readonly graph: GraphBuilder;
  readonly initialise: Initialise;
  /** The stride at which a convolution runs whose architecture says `wanted`; asked in order of the network. */
  readonly strideOf: (wanted: 1 | 2) => 1 | 2;
};

/** A feature map `[N, width, H, W]`. */
export type FeatureMap = { readonly value: Value; readonly width: number };

export type ConvolutionOptions = {
  readonly width: number;
  readonly kernel: number;
  readonly stride?: 1 | 2;
  readonly depthwise?: boolean;
  readonly bias?: boolean;
};

/** Convolution padded by half its kernel. Parameters `name.weight` and, with `bias`, `name.bias`. */
export function convolution(scope: Scope, name: string, input: FeatureMap, options: ConvolutionOptions): FeatureMap {
  const { width, kernel, stride = 1, depthwise = false, bias = false } = options;
  const groups = depthwise ? input.width : 1;
  const dims = [width, input.width / groups, kernel, kernel];
  const weight = parameter(scope, `${name}.weight`, { kind: "conv", dims, groups });
  const shift = bias ? parameter(scope, `${name}.bias`, { kind: "bias", dims: [width] }) : undefined;
  const settings = { strides: scope.strideOf(stride), pads: Math.floor(kernel / 2), group: groups, name };
  return { value: scope.graph.conv(input.value, weight, shift, settings), width };
}

/** Batch normalisation with running statistics; a training step may put the batch's own in their place. */
export function normalise(scope: Scope, name: string, input: FeatureMap): FeatureMap {
  const dims = [input.width];
  const given = [
    parameter(scope, `${name}.weight`, { kind: "norm-scale", dims }),
    parameter(scope, `${name}.bias`, { kind: "norm-shift", dims }),
    parameter(scope, `${name}.running_mean`, { kind: "norm-mean", dims }),
    parameter(scope, `${name}.running_var`, { kind: "norm-variance", dims }),
  ];
  const attributes = { epsilon: batchNormEpsilon };
  return {
    value: scope.graph.op("BatchNormalization", [input.value, ...given], attributes, { name }),
    width: input.width,
  };
}

export function activate({ graph }: Scope, kind: Activation, input: FeatureMap): FeatureMap {
  return { value: activation(graph, kind, input.value), width: input.width };
}

function activation(graph: GraphBuilder, kind: Activation, input: Value): Value {
  switch (kind) {
    case "relu":
      return graph.op("Relu", [input]);
    case "relu6":
      return graph.op("Clip", [input, graph.scalar(0), graph.scalar(6)]);
    case "hard-swish":
      return graph.op("HardSwish", [input]);
    default:
      return kind satisfies never;
  }
}

/**
 * Squeeze and excitation (Hu et al., CVPR 2018) with a hard sigmoid, as MobileNetV3 has it: each channel is scaled by a
 * number in [0, 1] that two pointwise layers read off the mean of all channels.
 */
export function squeezeExcite(scope: Scope, name: string, input: FeatureMap, innerWidth: number): FeatureMap {
  const { graph } = scope;
  const mean = { value: graph.op("GlobalAveragePool", [input.value]), width: input.width };
  const squeezed = convolution(scope, `${name}.conv_reduce`, mean, { width: innerWidth, kernel: 1, bias: true });
  const inner = activate(scope, "relu", squeezed);
  const outer = convolution(scope, `${name}.conv_expand`, inner, { width: input.width, kernel: 1, bias: true });
  // torch's hard sigmoid is clip(x / 6 + 1 / 2, 0, 1); ONNX's default slope is 0.2
  const gate = graph.op("HardSigmoid", [outer.value], { alpha: 1 / 6, beta: 0.5 });
  return { value: graph.op("Mul", [input.value, gate]), width: input.width };
}

/** A fully connected layer on `[N, inputs]`. */
export function linear(scope: Scope, name: string, input: FeatureMap, outputs: number): Value {
  const weight = parameter(scope, `${name}.weight`, { kind: "linear", dims: [outputs, input.width] });
  const bias = parameter(scope, `${name}.bias`, { kind: "bias", dims: [outputs] });
  return scope.graph.linear(input.value, weight, bias, { name });
}

function parameter(
  scope: Scope,
  name: string,
  { kind, dims, groups = 1 }: { kind: ParameterKind; dims: readonly number[]; groups?: number },
): Value {
  return scope.graph.parameter(name, scope.initialise({ name, kind, dims, groups }));
}
