/** @file Students made up for tests of this folder. */

import type { Rng } from "../math/random.ts";
import { rowId } from "../records.ts";
import { type Evidence, evidence, type Role, type Scores } from "./evidence.ts";

/** Scores of one role, from plain arrays. */
export const scores = <R extends Role>(role: R, score: ArrayLike<number>, correct: ArrayLike<number>): Scores<R> => ({
  role,
  score: Float64Array.from(score),
  correct: Uint8Array.from(correct),
});

export const evidenceOf = <R extends Role>(
  role: R,
  logits: readonly number[],
  reference: readonly number[],
): Evidence<R> =>
  evidence(role, {
    rowIds: reference.map((_, row) => rowId(`${role}-${row}`)),
    k: logits.length / reference.length,
    logits: Float32Array.from(logits),
    reference: Int32Array.from(reference),
  });

/** `n` rows of `k` classes; the right class leads by `skill` on average, and every logit is `boast` times too large. */
export function madeUp<R extends Role>(
  role: R,
  { n, k, skill, boast, rng }: { n: number; k: number; skill: number; boast: number; rng: Rng },
): Evidence<R> {
  const truth = Array.from({ length: n }, () => rng.integer(k));
  const logits = truth.flatMap((right) =>
    Array.from({ length: k }, (_, c) => boast * (rng.normal() + (c === right ? skill : 0))),
  );
  return evidenceOf(role, logits, truth);
}
