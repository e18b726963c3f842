/** @file Classes of which there is too little to learn. */

import { oneAnswerSuffices } from "../one-answer.ts";
import type { Task } from "../task.ts";
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

/** A remark where the target asks for no more than always saying the commonest class. */
export function oneAnswer(
  { rows, classes }: Pick<TrainingSet, "rows" | "classes">,
  { target }: Task,
): readonly string[] {
  const counts = Map.groupBy(rows, ({ classIndex }) => classIndex);
  const said = oneAnswerSuffices(
    [...counts].map(([index, { length }]) => [classes[index] ?? "", length] as const),
    target,
  );
  return said === undefined ? [] : [said];
}
