/** @file The students that a task allows, where it leaves the choice to us. */

import type { StudentOptions, Task } from "../task.ts";

export type StudentCandidate = {
  readonly name: string;
  readonly student: StudentOptions;
};

/** Cheapest to run first; one where the task names its student, or its input has but one. */
export function candidatesFor({ input, student }: Task): readonly StudentCandidate[] {
  if (student.trainer !== "auto") return [{ name: student.trainer, student }];
  switch (input) {
    case "image":
      return [{ name: "mobilenet-v3-small", student }];
    case "text":
      return [{ name: "linear-text", student }];
    case "record":
      return recordCandidates(student);
    default:
      return input satisfies never;
  }
}

/** Shallow trees are a third of the size; deep ones see more of how features go together. */
function recordCandidates(student: StudentOptions): readonly StudentCandidate[] {
  const depths = [3, student.xgboost.max_depth].filter((depth, index, all) => all.indexOf(depth) === index);
  return depths.map((max_depth) => ({
    name: `xgboost, depth ${max_depth}`,
    student: { ...student, trainer: "xgboost", xgboost: { ...student.xgboost, max_depth } },
  }));
}
