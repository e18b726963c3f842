/**
 * @file Certifies selective risk: P(wrong | answered) ≤ r, with probability at least 1 − δ over the certify rows. Thresholds
 * of a fixed grid are tested strictest first, each at the full δ, until one fails.
 *
 * Source: Angelopoulos et al., Learn then Test (arXiv 2110.01052), fixed-sequence testing; exact binomial p values. Assumes
 * that certify rows and traffic are exchangeable, and that scores and grid were frozen before.
 */

import { binomialCdf } from "../math/binomial.ts";
import { type Accepted, acceptedAt } from "./accepted.ts";
import type { Scores } from "./evidence.ts";
import { fewestRowsAt } from "./more-rows.ts";
import type { ThresholdGrid } from "./threshold-grid.ts";
import { type RiskLevel, riskText, type Verdict } from "./verdict.ts";

/** Accepted rows at which the first test has power: twice what a record without errors would need. */
export function leastAccepted({ risk, delta }: RiskLevel): number {
  return 2 * Math.ceil(Math.log(delta) / Math.log(1 - risk));
}

export function certifySelective(certify: Scores<"certify">, grid: ThresholdGrid, level: RiskLevel): Verdict {
  const n = certify.score.length;
  const needed = leastAccepted(level);
  // The start is taken from the calibrate coverage: taken from the certify rows it would depend on what it is to test.
  const sequence = grid.points.filter(({ coverage }) => coverage * n >= needed);
  if (sequence.length === 0) {
    const held = `${n} certify rows have a reference label; a selective risk of ${riskText(level.risk)} needs ${needed} at least`;
    const reason = grid.points.length > 0 ? held : "no calibrate row has a reference label to place the thresholds by";
    return { kind: "none", reason, moreRowsNeeded: Math.max(1, needed - n), tested: false };
  }
  const tested = sequence.map(({ threshold }) => ({ threshold, ...acceptedAt(certify, threshold) }));
  const failed = tested.findIndex(({ accepted, errors }) => binomialCdf(errors, accepted, level.risk) > level.delta);
  const chosen = tested[failed < 0 ? tested.length - 1 : failed - 1];
  return chosen ? { kind: "certified", bound: level.risk, ...chosen } : tooRisky(tested, n, level);
}

function tooRisky(tested: readonly Accepted[], n: number, level: RiskLevel): Verdict {
  const { accepted, errors } = tested[0]!;
  return {
    kind: "none",
    reason: `${errors} of the ${accepted} surest certify rows are wrong: too many for a selective risk of ${riskText(level.risk)}`,
    moreRowsNeeded: rowsMissing(tested, n, level),
    tested: true,
  };
}

/** At each threshold: accepted rows needed at its error rate, over its coverage. The least of these. */
function rowsMissing(tested: readonly Accepted[], n: number, level: RiskLevel): number | undefined {
  const rows = tested.flatMap(({ accepted, errors }) => {
    const needed = accepted > 0 ? fewestRowsAt(errors / accepted, level) : undefined;
    return needed === undefined ? [] : [Math.ceil((Math.max(needed, leastAccepted(level)) * n) / accepted)];
  });
  return rows.length > 0 ? Math.max(1, Math.min(...rows) - n) : undefined;
}
