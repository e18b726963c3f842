/** @file Learning-rate schedules, as pure functions of the step. */

import { FlywheelError } from "../errors.ts";

export type CosineSchedule = {
  /** Learning rate at the end of the warm-up. */
  readonly peak: number;
  readonly totalSteps: number;
  /** Steps of linear rise from `peak / warmupSteps`. Default 0. */
  readonly warmupSteps?: number;
  /** Learning rate at the last step, as a share of `peak`. Default 0. */
  readonly floor?: number;
};

/**
 * Learning rate at a step, counted from 0: linear warm-up, then half a cosine down to `floor · peak` at the last step
 * (Loshchilov & Hutter, SGDR, 2017, eq. 5, without restarts). Beyond the last step it stays there.
 * @throws FlywheelError `onnx_bad_option` when the warm-up does not fit into the total.
 */
export function cosineLearningRate(step: number, schedule: CosineSchedule): number {
  const { peak, totalSteps, warmupSteps = 0, floor = 0 } = schedule;
  if (!(warmupSteps >= 0 && warmupSteps < totalSteps)) {
    throw new FlywheelError("onnx_bad_option", `${warmupSteps} warm-up steps do not fit into ${totalSteps} steps`);
  }
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  const progress = Math.min((step - warmupSteps) / Math.max(totalSteps - 1 - warmupSteps, 1), 1);
  return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}
