/**
 * @file MobileNetV3-Small 1.0, 2.54 M parameters at 1,000 classes, 56 M multiply-adds at 224². Howard et al., ICCV 2019,
 * table 2. timm: `mobilenetv3_small_100`.
 */

import type { Architecture } from "./architecture.ts";

export const mobilenetV3Small: Architecture = {
  name: "mobilenet-v3-small",
  timm: "mobilenetv3_small_100",
  imagenet: "hf:timm/mobilenetv3_small_100.lamb_in1k",
  activation: "hard-swish",
  stemWidth: 16,
  stages: [
    [{ block: "separable", kernel: 3, width: 16, stride: 2, squeeze: true, activation: "relu" }],
    [
      { block: "inverted", kernel: 3, expand: 4.5, width: 24, stride: 2, activation: "relu" },
      { block: "inverted", kernel: 3, expand: 3.67, width: 24, stride: 1, activation: "relu" },
    ],
    [
      { block: "inverted", kernel: 5, expand: 4, width: 40, stride: 2, squeeze: true },
      { block: "inverted", kernel: 5, expand: 6, width: 40, stride: 1, squeeze: true, repeat: 2 },
    ],
    [{ block: "inverted", kernel: 5, expand: 3, width: 48, stride: 1, squeeze: true, repeat: 2 }],
    [{ block: "inverted", kernel: 5, expand: 6, width: 96, stride: 2, squeeze: true, repeat: 3 }],
    [{ block: "conv", kernel: 1, width: 576, stride: 1 }],
  ],
  head: { kind: "pool-bias", width: 1024 },
};
