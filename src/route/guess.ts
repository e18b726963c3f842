/** @file The student's guess: logits, calibrated. */

import type { Look, Student, StudentInput } from "../contracts.ts";
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

type Guesser = { readonly student: Student; readonly policy: Policy; readonly calibrate: Calibrate };

/** @throws FlywheelError `student_failed`, also where the confidence is not a probability */
export async function guessOf(input: StudentInput, guesser: Guesser, signal: AbortSignal): Promise<Guess> {
  const { student, policy } = guesser;
  const guess = plainGuess(await student.predictLogits([input], signal), guesser);
  if (!mayReach(guess, policy)) return guess;
  const [dissent] = (policy.committee && (await student.committee?.dissent([input], signal))) ?? [];
  const heard = withDissent(guess, dissent);
  if (!hangsOnNovelty(heard, policy)) return heard;
  const [novelty] = (await student.novelty?.([input], signal)) ?? [];
  return withNovelty(heard, novelty);
}

/** The same at once, of a student that needs no time. @throws as `guessOf` */
export function guessAtOnce(look: Look, guesser: Guesser): Guess {
  const { policy } = guesser;
  const guess = plainGuess(look.logits, guesser);
  if (!mayReach(guess, policy)) return guess;
  const heard = withDissent(guess, policy.committee && look.dissent?.());
  return hangsOnNovelty(heard, policy) ? withNovelty(heard, look.novelty?.()) : heard;
}

function plainGuess(logits: Float32Array, { student, policy, calibrate }: Guesser): Guess {
  const { top, confidence, probabilities } = calibrate(policy.calibrator, logits);
  const value = student.classes[top];
  if (value === undefined || !(confidence >= 0 && confidence <= 1)) {
    throw new FlywheelError("student_failed", `student ${student.modelId} gave class ${top} at ${confidence}`, {
      hint: "roll back to the champion before; the model file may be damaged",
    });
  }
  return { value, confidence, probabilities: byLabel(student.classes, probabilities) };
}

/** Below the threshold whatever the committee says, nobody else need be asked. */
const mayReach = ({ confidence }: Guess, { committee, threshold = Number.POSITIVE_INFINITY }: Policy): boolean =>
  bestScore(confidence, committee) >= threshold;

const hangsOnNovelty = (heard: Guess, { novelty, committee, threshold = Number.POSITIVE_INFINITY }: Policy): boolean =>
  novelty !== undefined && deferralScore(heard, committee ? { committee } : {}) >= threshold;

const withDissent = (guess: Guess, dissent: number | undefined): Guess =>
  dissent === undefined ? guess : { ...guess, dissent };

const withNovelty = (guess: Guess, novelty: number | undefined): Guess =>
  novelty === undefined ? guess : { ...guess, novelty };

function byLabel(classes: readonly LabelValue[], probabilities: ArrayLike<number>): Record<LabelValue, number> {
  const own: Record<LabelValue, number> = {};
  for (let index = 0; index < classes.length; index++) own[classes[index]!] = probabilities[index] ?? 0;
  return own;
}
