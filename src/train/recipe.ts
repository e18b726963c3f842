/** @file How a network is trained: what the task asks for, and what experience says where it does not. */

import { type AugmentationRange, photoAugmentation } from "../image/augment.ts";
import type { BatchNormalisation } from "../onnx/trainer.ts";
import type { StudentOptions } from "../task.ts";

export type Recipe = {
  readonly epochs: number;
  readonly batchSize: number;
  /** At the end of the warm-up. */
  readonly learningRate: number;
  /** Share of all steps, in [0, 1). */
  readonly warmUp: number;
  readonly optimiser: "adamw" | "sgd";
  readonly weightDecay: number;
  readonly labelSmoothing: number;
  readonly clipNorm: number;
  readonly batchNormalisation: BatchNormalisation;
  /** Of the moving average that is served, in [0, 1); absent: the last step's weights are. */
  readonly averageDecay?: number | undefined;
  /** Absent: photos as they are. */
  readonly augmentation?: AugmentationRange | undefined;
  /** Epochs without a lower held-out loss after which training stops. */
  readonly patience: number;
};
