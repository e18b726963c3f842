/** @file What training minimises, measured on rows that it has not seen. */

import { logSumExp } from "../math/softmax.ts";
import type { TrainingRow } from "./training-rows.ts";

/** Weighted mean over rows, nats. `logits` `[rows, classes]`. */
export function meanLogLoss(
  { rows, classes }: { readonly rows: readonly Pick<TrainingRow, "target" | "weight">[]; readonly classes: number },
  logits: ArrayLike<number>,
): number {
  let [loss, total] = [0, 0];
  rows.forEach(({ target, weight }, row) => {
    const own = Float64Array.from({ length: classes }, (_, c) => logits[row * classes + c]!);
    const expected = own.reduce((sum, value, c) => sum + value * target[c]!, 0);
    loss += weight * (logSumExp(own) - expected);
    total += weight;
  });
  return loss / total;
}
