/** @file Folds for what is said of rows by models that have not seen them. */

import { createRng, fork, type Seed, shuffle } from "../math/random.ts";

export const FOLDS = 5;

/** Fold of each row; the rows of a class are dealt out in turn, so that each fold has its share of every class. */
export function stratifiedFolds(rows: readonly { readonly classIndex: number }[], seed: Seed): Int32Array {
  const folds = new Int32Array(rows.length);
  const dealt = new Map<number, number>();
  for (const row of shuffle([...rows.keys()], createRng(fork(seed, "folds")))) {
    const { classIndex } = rows[row]!;
    const count = dealt.get(classIndex) ?? 0;
    dealt.set(classIndex, count + 1);
    // Offset by class, else the first folds would get the surplus row of every class.
    folds[row] = (count + classIndex) % FOLDS;
  }
  return folds;
}
