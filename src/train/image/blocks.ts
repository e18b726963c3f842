/** @file The four kinds of block of `architecture.ts`, emitted layer by layer under timm's names. */

import { type Activation, type Block, roundWidth } from "./architecture.ts";
import { activate, convolution, type FeatureMap, normalise, type Scope, squeezeExcite } from "./layers.ts";

/** Inner width of squeeze and excitation, as a share of the width that it gates. */
const squeezeRatio = 0.25;

export type BlockInstance = {
  readonly spec: Block;
  readonly stride: 1 | 2;
  readonly width: number;
  readonly activation: Activation;
};

/** `name`: `blocks.2.0`. */
export function addBlock(scope: Scope, name: string, input: FeatureMap, block: BlockInstance): FeatureMap {
  const { spec } = block;
  switch (spec.block) {
    case "conv":
      return addConv(scope, name, input, { ...block, kernel: spec.kernel });
    case "separable":
      return withSkip(scope, input, addSeparable(scope, name, input, { ...block, spec }), block.stride);
    case "inverted":
      return withSkip(scope, input, addInverted(scope, name, input, { ...block, spec }), block.stride);
    case "universal":
      return withSkip(scope, input, addUniversal(scope, name, input, { ...block, spec }), block.stride);
    default:
      return spec satisfies never;
  }
}

type Typed<K extends Block["block"]> = BlockInstance & { readonly spec: Extract<Block, { readonly block: K }> };

function addConv(
  scope: Scope,
  name: string,
  input: FeatureMap,
  { kernel, stride, width, activation }: BlockInstance & { readonly kernel: number },
): FeatureMap {
  const filtered = convolution(scope, `${name}.conv`, input, { width, kernel, stride });
  return activate(scope, activation, normalise(scope, `${name}.bn1`, filtered));
}

function addSeparable(scope: Scope, name: string, input: FeatureMap, block: Typed<"separable">): FeatureMap {
  const { spec, stride, width, activation } = block;
  const depthwise = { width: input.width, kernel: spec.kernel, stride, depthwise: true };
  const filtered = convolution(scope, `${name}.conv_dw`, input, depthwise);
  const active = activate(scope, activation, normalise(scope, `${name}.bn1`, filtered));
  const gated = spec.squeeze ? addSqueeze(scope, name, active) : active;
  const projected = convolution(scope, `${name}.conv_pw`, gated, { width, kernel: 1 });
  return normalise(scope, `${name}.bn2`, projected);
}

function addInverted(scope: Scope, name: string, input: FeatureMap, block: Typed<"inverted">): FeatureMap {
  const { spec, stride, width, activation } = block;
  const inner = roundWidth(input.width * spec.expand);
  const expanded = convolution(scope, `${name}.conv_pw`, input, { width: inner, kernel: 1 });
  const wide = activate(scope, activation, normalise(scope, `${name}.bn1`, expanded));
  const depthwise = { width: inner, kernel: spec.kernel, stride, depthwise: true };
  const filtered = convolution(scope, `${name}.conv_dw`, wide, depthwise);
  const active = activate(scope, activation, normalise(scope, `${name}.bn2`, filtered));
  const gated = spec.squeeze ? addSqueeze(scope, name, active) : active;
  const projected = convolution(scope, `${name}.conv_pwl`, gated, { width, kernel: 1 });
  return normalise(scope, `${name}.bn3`, projected);
}

function addSqueeze(scope: Scope, name: string, input: FeatureMap): FeatureMap {
  return squeezeExcite(scope, `${name}.se`, input, roundWidth(input.width * squeezeRatio));
}

function addUniversal(scope: Scope, name: string, input: FeatureMap, block: Typed<"universal">): FeatureMap {
  const { spec, stride, width, activation } = block;
  const inner = roundWidth(input.width * spec.expand);
  const convNorm = (part: string, from: FeatureMap, options: Parameters<typeof convolution>[3]): FeatureMap =>
    normalise(scope, `${name}.${part}.bn`, convolution(scope, `${name}.${part}.conv`, from, options));

  const startStride = spec.middleKernel > 0 ? 1 : stride;
  const start = { width: input.width, kernel: spec.startKernel, stride: startStride, depthwise: true };
  const started = spec.startKernel > 0 ? convNorm("dw_start", input, start) : input;
  const wide = activate(scope, activation, convNorm("pw_exp", started, { width: inner, kernel: 1 }));
  const middle = { width: inner, kernel: spec.middleKernel, stride, depthwise: true };
  const filtered = spec.middleKernel > 0 ? activate(scope, activation, convNorm("dw_mid", wide, middle)) : wide;
  return convNorm("pw_proj", filtered, { width, kernel: 1 });
}

/** The residual connection, where shapes allow one. A stride that was asked for rules it out even if it ran at 1. */
function withSkip({ graph }: Scope, input: FeatureMap, output: FeatureMap, stride: 1 | 2): FeatureMap {
  if (stride !== 1 || input.width !== output.width) return output;
  return { value: graph.op("Add", [output.value, input.value]), width: output.width };
}
