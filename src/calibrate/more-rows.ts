/** @file How many rows a certificate would need, were the error rate to stay what it is. A forecast, not a promise. */

import { fewestTrialsFor } from "../math/binomial.ts";
import type { RiskLevel } from "./verdict.ts";

/** Nobody labels more to certify one task: beyond this the honest answer is a better student. */
const MOST_ROWS = 1_000_000;
/** So that a rate of 2/100 makes 2 errors in 100 rows, whatever float64 makes of the product. */
const ROUNDING = 1e-9;

/** Fewest rows at which `rate` of them wrong is still certified; undefined where no number is enough. */
export function fewestRowsAt(rate: number, { risk, delta }: RiskLevel): number | undefined {
  if (rate >= risk) return undefined;
  return fewestTrialsFor(risk, delta, { errorsAt: (rows) => Math.ceil(rate * rows - ROUNDING), limit: MOST_ROWS });
}
