/** @file The student's guess: logits, calibrated. */

import type { Student, StudentInput } from "../contracts.ts";
import { bestScore, deferralScore } from "../deferral.ts";
import { FlywheelError } from "../errors.ts";
import type { Calibrator, LabelValue, Policy } from "../records.ts";

/** One row of logits under a calibrator: `[classes]` probabilities that sum to 1, and the confidence of the top one. */
export type Calibrate = (calibrator: Calibrator, logits: Float32Array) => Calibrated;

export type Calibrated = {
  /** Position of the student's class. */
  readonly top: number;
  /** In [0, 1]; what the threshold is compared with where there is no committee. */
  readonly confidence: number;
  readonly probabilities: ArrayLike<number>;
};

export type Guess = {
  readonly value: LabelValue;
  readonly confidence: number;
  readonly probabilities: Readonly<Record<LabelValue, number>>;
  /** Only where it decides: the policy has a limit, and the confidence reaches the threshold. */
  readonly novelty?: number;
  /** Only where it decides: the policy has a committee, and the confidence might reach the threshold. */
  readonly dissent?: number;
};

/** @throws FlywheelError `student_failed`, also where the confidence is not a probability */
export async function guessOf(
  input: StudentInput,
  { student, policy, calibrate }: { readonly student: Student; readonly policy: Policy; readonly calibrate: Calibrate },
  signal: AbortSignal,
): Promise<Guess> {
  const logits = await student.predictLogits([input], signal);
  const { top, confidence, probabilities } = calibrate(policy.calibrator, logits);
  const value = student.classes[top];
  if (value === undefined || !(confidence >= 0 && confidence <= 1)) {
    throw new FlywheelError("student_failed", `student ${student.modelId} gave class ${top} at ${confidence}`, {
      hint: "roll back to the champion before; the model file may be damaged",
    });
  }
  const guess = { value, confidence, probabilities: byLabel(student.classes, probabilities) };
  const { novelty: limit, committee, threshold = Number.POSITIVE_INFINITY } = policy;
  if (!(bestScore(confidence, committee) >= threshold)) return guess;
  const [dissent] = (committee && (await student.committee?.dissent([input], signal))) ?? [];
  const heard = { ...guess, ...(dissent !== undefined && { dissent }) };
  if (!limit || !(deferralScore(heard, { ...(committee && { committee }) }) >= threshold)) return heard;
  const [novelty] = (await student.novelty?.([input], signal)) ?? [];
  return novelty === undefined ? heard : { ...heard, novelty };
}

function byLabel(classes: readonly LabelValue[], probabilities: ArrayLike<number>): Record<LabelValue, number> {
  return Object.fromEntries(classes.map((label, index) => [label, probabilities[index] ?? 0]));
}
