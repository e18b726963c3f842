/**
 * @file A threshold for each class that the student predicts. Rarely worth it (no headroom on four of four data sets, SCIENCE
 * §1.3), but a class with a dear error may want its own promise; only classes with enough rows can have one.
 */

import { certifySelective, leastAccepted } from "./certify-selective.ts";
import type { Role, Scores } from "./evidence.ts";
import { thresholdGrid } from "./threshold-grid.ts";
import type { RiskLevel, Verdict } from "./verdict.ts";

/** Scores with the class that each row was predicted to be, `[n]`. */
export type ClassScores<R extends Role> = Scores<R> & { readonly predicted: Int32Array };

/**
 * P(wrong | answered as class c) ≤ risk for every class certified, all together with probability at least 1 − δ: δ is split
 * evenly over the `k` classes, so that which of them have enough rows cannot matter.
 */
export function chooseThresholdsByClass(
  { calibrate, certify }: { readonly calibrate: ClassScores<"calibrate">; readonly certify: ClassScores<"certify"> },
  k: number,
  level: RiskLevel,
): readonly Verdict[] {
  const shared = { risk: level.risk, delta: level.delta / k };
  return Array.from({ length: k }, (_, label) => {
    const [fitted, held] = [ofClass(calibrate, label), ofClass(certify, label)];
    const needed = leastAccepted(shared);
    if (fitted.score.length > 0 && held.score.length >= needed) {
      return certifySelective(held, thresholdGrid(fitted), shared);
    }
    const reason = `${held.score.length} certify rows are predicted to be class ${label}; it needs ${needed}`;
    return { kind: "none", reason, moreRowsNeeded: Math.max(1, needed - held.score.length), tested: false };
  });
}

function ofClass<R extends Role>({ role, score, correct, predicted }: ClassScores<R>, label: number): Scores<R> {
  const isOfClass = (_: number, row: number) => predicted[row] === label;
  return { role, score: score.filter(isOfClass), correct: correct.filter(isOfClass) };
}
