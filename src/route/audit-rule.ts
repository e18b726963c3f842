/**
 * @file How often a confident answer is audited: p = clip(c · (1 − confidence), 0.01, 0.5), more often where the student is
 * less sure (SCIENCE D8).
 *
 * c makes the mean over accepted rows equal the task's rate. It is solved from stored confidences, not adapted from what
 * one process has seen, so that every replica uses the same rule and every logged propensity can be recomputed.
 */

const FLOOR = 0.01;
const CEILING = 0.5;

/** p(confidence) = clip(`scale` · (1 − confidence), `floor`, `ceiling`). */
export type AuditRule = { readonly scale: number; readonly floor: number; readonly ceiling: number };

/** Probability that a confident answer is audited, for one that the uniform stream did not take. */
export function auditProbability(rule: AuditRule, confidence: number): number {
  return Math.min(rule.ceiling, Math.max(rule.floor, rule.scale * (1 - confidence)));
}

/** Everyone alike: where nothing is known yet of the confidences that the student gives. */
export function flatAuditRule(rate: number): AuditRule {
  return { scale: 0, floor: rate, ceiling: rate };
}

/**
 * The rule whose mean over `confidences` (those that the student would answer) is `rate`. The floor gives way to a rate
 * below it, the ceiling to one above. Where nearly all confidences are 1 the mean stays below `rate`.
 */
export function auditRuleFor(confidences: ArrayLike<number>, rate: number): AuditRule {
  if (confidences.length === 0) return flatAuditRule(rate);
  const bounds = { floor: Math.min(FLOOR, rate), ceiling: Math.max(CEILING, rate) };
  const meanAt = (scale: number) => meanProbability(confidences, { scale, ...bounds });
  let [low, high] = [0, largestUsefulScale(confidences, bounds.ceiling)];
  if (meanAt(high) <= rate) return { scale: high, ...bounds };
  // Down to neighbouring floats: one confidence near 1 puts `high` many orders of magnitude above the answer.
  for (let middle = high / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (meanAt(middle) < rate) low = middle;
    else high = middle;
  }
  return { scale: low, ...bounds };
}

function meanProbability(confidences: ArrayLike<number>, rule: AuditRule): number {
  let sum = 0;
  for (let index = 0; index < confidences.length; index++) sum += auditProbability(rule, confidences[index]!);
  return sum / confidences.length;
}

/** From here on every row that is not certain stands at the ceiling already. */
function largestUsefulScale(confidences: ArrayLike<number>, ceiling: number): number {
  let smallestDoubt = 1;
  for (let index = 0; index < confidences.length; index++) {
    const doubt = 1 - confidences[index]!;
    if (doubt > 0 && doubt < smallestDoubt) smallestDoubt = doubt;
  }
  return ceiling / smallestDoubt;
}
