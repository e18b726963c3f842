/**
 * @file MobileNetV2 1.0, 3.50 M parameters at 1,000 classes, 300 M multiply-adds at 224². Sandler et al., CVPR 2018,
 * table 2. timm: `mobilenetv2_100`.
 */

import type { Architecture, Block } from "./architecture.ts";

const inverted = (width: number, stride: 1 | 2, repeat: number): Block => ({
  block: "inverted",
  kernel: 3,
  expand: 6,
  width,
  stride,
  repeat,
});

export const mobilenetV2: Architecture = {
  name: "mobilenet-v2",
  timm: "mobilenetv2_100",
  imagenet: "hf:timm/mobilenetv2_100.ra_in1k",
  activation: "relu6",
  stemWidth: 32,
  stages: [
    [{ block: "separable", kernel: 3, width: 16, stride: 1 }],
    [inverted(24, 2, 2)],
    [inverted(32, 2, 3)],
    [inverted(64, 2, 4)],
    [inverted(96, 1, 3)],
    [inverted(160, 2, 3)],
    [inverted(320, 1, 1)],
  ],
  head: { kind: "norm-pool", width: 1280 },
};
