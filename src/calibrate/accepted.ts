/** @file Who is answered at a threshold, and how often wrongly. */

import type { Role, Scores } from "./evidence.ts";

export type Accepted = { readonly accepted: number; readonly errors: number };

/** Rows that score at least `threshold`, and the wrong ones among them. */
export function acceptedAt({ score, correct }: Pick<Scores<Role>, "score" | "correct">, threshold: number): Accepted {
  let [accepted, errors] = [0, 0];
  for (let row = 0; row < score.length; row++) {
    if (score[row]! < threshold) continue;
    accepted++;
    errors += 1 - correct[row]!;
  }
  return { accepted, errors };
}
