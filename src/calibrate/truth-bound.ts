/**
 * @file From the teacher to the truth: a student that agrees with its teacher is only as right as the teacher.
 *
 * P(answered ∧ wrong) ≤ P(answered ∧ student ≠ teacher) + P(teacher wrong). The second term is counted over all ruled rows,
 * answered or not: the threshold was chosen on these same rows, and a count above it would have been chosen along with it.
 */

import { clopperPearsonUpper } from "../math/binomial.ts";
import type { Certificate, TruthBound } from "../records.ts";

export type Rulings = {
  /** Uniform rows on which both a person and the teacher spoke, and those on which they differ. */
  readonly rulings: number;
  readonly teacherErrors: number;
};

/**
 * @param certificate of a regret target, against the teacher
 * @param delta what the second bound may spend; the total is that and the certificate's own
 * @throws RangeError for any other certificate: P(teacher wrong | answered) needs rulings on answered rows, drawn afterwards
 */
export function truthBound(certificate: Certificate, { rulings, teacherErrors }: Rulings, delta: number): TruthBound {
  if (certificate.reference !== "teacher" || certificate.target.kind !== "regret") {
    const got = `${certificate.target.kind} against the ${certificate.reference}`;
    throw new RangeError(`only a regret certificate against the teacher composes, got ${got}`);
  }
  const teacherRisk = clopperPearsonUpper(teacherErrors, rulings, delta);
  return {
    bound: Math.min(1, certificate.bound + teacherRisk),
    delta: certificate.deltaSpent + delta,
    rulings,
    teacherErrors,
  };
}
