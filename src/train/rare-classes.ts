/** @file Classes of which there is too little to learn. */

import type { TrainingSet } from "./training-rows.ts";

/** Five folds cannot each have a row of a class with fewer. */
const RARE = 5;

/** A remark for each class with hardly any training row, in the order of the classes. */
export function rareClasses({ rows, classes }: Pick<TrainingSet, "rows" | "classes">): readonly string[] {
  const counts = new Int32Array(classes.length);
  for (const { classIndex } of rows) counts[classIndex]! += 1;
  return classes.flatMap((name, index) => {
    const count = counts[index]!;
    if (count >= RARE) return [];
    const rowsOf = count === 1 ? "1 training row" : `${count || "no"} training rows`;
    return [`class "${name}" has ${rowsOf}: the student can hardly know it; label more of it`];
  });
}
