/**
 * @file The certified threshold (SCIENCE D2). Tuning a threshold until a calibration set shows the risk that one wants breaks
 * the promise about half the time (`test/guarantee.test.ts`); these two procedures break it at most δ of the time.
 */

import type { Target } from "../records.ts";
import { certifyRegret } from "./certify-regret.ts";
import { certifySelective } from "./certify-selective.ts";
import type { Scores } from "./evidence.ts";
import type { ThresholdGrid } from "./threshold-grid.ts";
import type { Verdict } from "./verdict.ts";

export type ThresholdQuestion = {
  readonly certify: Scores<"certify">;
  readonly grid: ThresholdGrid;
  readonly target: Target;
  /** δ to spend on this certificate; the target's where absent. */
  readonly delta?: number;
};

/**
 * The loosest threshold that can be certified, or why there is none. Rows that score at least the threshold are answered.
 * @throws RangeError if risk or δ is not in (0, 1)
 */
export function chooseThreshold({ certify, grid, target, delta = target.delta }: ThresholdQuestion): Verdict {
  const level = { risk: target.risk, delta };
  for (const [name, value] of Object.entries(level)) {
    if (!(value > 0 && value < 1)) throw new RangeError(`${name} must lie in (0, 1), got ${value}`);
  }
  switch (target.kind) {
    case "regret":
      return certifyRegret(certify, level);
    case "selective":
      return certifySelective(certify, grid, level);
    default:
      return target.kind satisfies never;
  }
}
