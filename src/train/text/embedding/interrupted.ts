/** @file Training stopped by its signal. What was embedded is kept, and what follows takes seconds. */

import { FlywheelError } from "../../../errors.ts";

/** @throws FlywheelError `training_interrupted` where the signal has fired */
export function stopIfAsked(signal: AbortSignal | undefined, where: string): void {
  if (!signal?.aborted) return;
  throw new FlywheelError("training_interrupted", `training was stopped ${where}`, {
    hint: "run the same command again: texts that were embedded are not embedded again",
    retryable: true,
    cause: signal.reason,
  });
}
