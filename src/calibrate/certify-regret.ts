/**
 * @file Certifies joint risk: P(answered ∧ wrong) ≤ ε over all traffic, with probability at least 1 − δ over the certify
 * rows. The joint risk never grows with the threshold, so one bound serves all thresholds at once: no correction.
 *
 * Source: Bates et al., Distribution-Free, Risk-Controlling Prediction Sets, JACM 68 (2021), theorem 1; bound: exact
 * Clopper–Pearson. Assumes that certify rows and traffic are exchangeable and that the score map was frozen before.
 */

import { clopperPearsonUpper, fewestTrialsFor, mostErrorsBelow } from "../math/binomial.ts";
import { riskCoverageCurve } from "../math/selective.ts";
import { acceptedAt } from "./accepted.ts";
import type { Scores } from "./evidence.ts";
import { fewestRowsAt } from "./more-rows.ts";
import { type RiskLevel, riskText, type Verdict } from "./verdict.ts";

/** SCIENCE D2. */
const LEAST_CERTIFY_ROWS = 200;

export function certifyRegret(certify: Scores<"certify">, level: RiskLevel): Verdict {
  const n = certify.score.length;
  const needed = Math.max(
    LEAST_CERTIFY_ROWS,
    fewestTrialsFor(level.risk, level.delta, { errorsAt: () => 0 }) ?? Infinity,
  );
  if (n < needed) {
    const reason = `${n} certify rows have a reference label; a regret risk of ${riskText(level.risk)} needs ${needed} at least`;
    return { kind: "none", reason, moreRowsNeeded: needed - n, tested: false };
  }
  const most = mostErrorsBelow(level.risk, n, level.delta) ?? 0;
  const threshold = loosestWith(most, certify);
  if (threshold === undefined) return tooRisky(certify, level);
  // The bound of the most errors allowed, not of those seen: the threshold was chosen by looking, and this one holds even so.
  return {
    kind: "certified",
    threshold,
    bound: clopperPearsonUpper(most, n, level.delta),
    ...acceptedAt(certify, threshold),
  };
}

/**
 * The lowest threshold at which, and above which, at most `most` wrong rows are accepted; 0 where all rows may be;
 * undefined where even the surest row may not.
 */
function loosestWith(most: number, { score, correct }: Scores<"certify">): number | undefined {
  const wrong = score.filter((_, row) => correct[row] === 0).sort();
  const barrier = wrong[wrong.length - 1 - most];
  if (barrier === undefined) return 0;
  const above = score.filter((value) => value > barrier);
  return above.length > 0 ? above.reduce((least, value) => Math.min(least, value)) : undefined;
}

/** Coverage below which nobody would run a cascade: what more rows would buy is judged there. */
const LEAST_USEFUL_COVERAGE = 0.05;

function tooRisky(certify: Scores<"certify">, level: RiskLevel): Verdict {
  const n = certify.score.length;
  const first = riskCoverageCurve(certify).find((point) => point.coverage >= LEAST_USEFUL_COVERAGE);
  const rows = first && fewestRowsAt(first.errors / n, level);
  return {
    kind: "none",
    reason: `the surest of ${n} certify rows already err too often for a regret risk of ${riskText(level.risk)}`,
    moreRowsNeeded: rows === undefined ? undefined : Math.max(1, rows - n),
    tested: true,
  };
}
