/**
 * @file MobileNetV4-Conv-S, 3.77 M parameters at 1,000 classes, 0.19 G multiply-adds at 224². Qin et al., ECCV 2024,
 * table 11. timm: `mobilenetv4_conv_small`.
 */

import type { Architecture } from "./architecture.ts";

export const mobilenetV4ConvSmall: Architecture = {
  name: "mobilenet-v4-conv-small",
  timm: "mobilenetv4_conv_small",
  imagenet: "hf:timm/mobilenetv4_conv_small.e2400_r224_in1k",
  activation: "relu",
  stemWidth: 32,
  stages: [
    [
      { block: "conv", kernel: 3, width: 32, stride: 2 },
      { block: "conv", kernel: 1, width: 32, stride: 1 },
    ],
    [
      { block: "conv", kernel: 3, width: 96, stride: 2 },
      { block: "conv", kernel: 1, width: 64, stride: 1 },
    ],
    [
      { block: "universal", startKernel: 5, middleKernel: 5, expand: 3, width: 96, stride: 2 },
      { block: "universal", startKernel: 0, middleKernel: 3, expand: 2, width: 96, stride: 1, repeat: 4 },
      { block: "universal", startKernel: 3, middleKernel: 0, expand: 4, width: 96, stride: 1 },
    ],
    [
      { block: "universal", startKernel: 3, middleKernel: 3, expand: 6, width: 128, stride: 2 },
      { block: "universal", startKernel: 5, middleKernel: 5, expand: 4, width: 128, stride: 1 },
      { block: "universal", startKernel: 0, middleKernel: 5, expand: 4, width: 128, stride: 1 },
      { block: "universal", startKernel: 0, middleKernel: 5, expand: 3, width: 128, stride: 1 },
      { block: "universal", startKernel: 0, middleKernel: 3, expand: 4, width: 128, stride: 1, repeat: 2 },
    ],
    [{ block: "conv", kernel: 1, width: 960, stride: 1 }],
  ],
  head: { kind: "pool-norm", width: 1280 },
};
