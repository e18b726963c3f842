/**
 * @file What a mobile convolutional network is, as data: a stem, stages of blocks, a head. `mobilenet-*.ts` hold the
 * tables, `build-network.ts` turns one into an ONNX graph.
 *
 * Blocks and their parameter names are timm's (https://github.com/huggingface/pytorch-image-models, Apache-2.0), so that
 * its published weights load by name.
 */

export type Activation = "relu" | "relu6" | "hard-swish";

type BlockBase = {
  /** Output channels at width 1. */
  readonly width: number;
  /** Of the first repetition; those after it have stride 1. */
  readonly stride: 1 | 2;
  /** Default 1. */
  readonly repeat?: number;
  /** Default: the network's. */
  readonly activation?: Activation;
};

export type Block =
  /** Convolution, norm, activation. */
  | (BlockBase & { readonly block: "conv"; readonly kernel: number })
  /** Depthwise then pointwise (MobileNet 1). */
  | (BlockBase & { readonly block: "separable"; readonly kernel: number; readonly squeeze?: boolean })
  /** Expand, depthwise, project (MobileNet 2 and 3). */
  | (BlockBase & {
      readonly block: "inverted";
      readonly kernel: number;
      /** Inner channels as a multiple of input channels. */
      readonly expand: number;
      readonly squeeze?: boolean;
    })
  /** As `inverted`, with an optional depthwise convolution first and an optional one in the middle (MobileNet 4). */
  | (BlockBase & {
      readonly block: "universal";
      /** 0: none. */
      readonly startKernel: number;
      /** 0: none. */
      readonly middleKernel: number;
      readonly expand: number;
    });

export type Architecture = {
  readonly name: ArchitectureName;
  /** The name under which timm has it. */
  readonly timm: string;
  /** Where timm publishes weights from ImageNet (Apache-2.0): a hub name. */
  readonly imagenet: string;
  readonly activation: Activation;
  readonly stemWidth: number;
  readonly stages: readonly (readonly Block[])[];
  /**
   * `norm-pool`: pointwise convolution with norm, then pooling (MobileNet 2); `pool-bias`: pooling, then a pointwise
   * convolution with bias (3); `pool-norm`: pooling, then a pointwise convolution with norm (4).
   */
  readonly head: { readonly kind: "norm-pool" | "pool-bias" | "pool-norm"; readonly width: number };
};

export const ArchitectureName = ["mobilenet-v2", "mobilenet-v3-small", "mobilenet-v4-conv-small"] as const;
export type ArchitectureName = (typeof ArchitectureName)[number];

/** The nearest multiple of 8, at least 8 and not below 90 % of `width`: how all three papers round channel counts. */
export function roundWidth(width: number): number {
  const rounded = Math.max(8, Math.floor((width + 4) / 8) * 8);
  return rounded < 0.9 * width ? rounded + 8 : rounded;
}
