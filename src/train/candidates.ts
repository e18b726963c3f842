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
      return textCandidates(student);
    case "record":
      return recordCandidates(student);
    default:
      return input satisfies never;
  }
}

/** N-grams first; where the task names an encoder, its embeddings after them, which cost its size and its time; fine-tuned only where asked. */
function textCandidates(student: StudentOptions): readonly StudentCandidate[] {
  const linear = linearCandidates(student);
  if (student.weights === undefined) return linear;
  const frozen = { name: "embedding-text", student: { ...student, trainer: "embedding-text" } };
  if (student.finetune !== "all") return [...linear, frozen];
  return [...linear, frozen, { name: "encoder-text", student: { ...student, trainer: "encoder-text" } }];
}

/** Words alone make a smaller and faster model; characters see inside of words that training never had. */
function linearCandidates(student: StudentOptions): readonly StudentCandidate[] {
  const { words, characters } = student.text;
  const whole = { name: "linear-text", student: { ...student, trainer: "linear-text" } };
  if (words === false || characters === false) return [whole];
  const text = { ...student.text, characters: false } as const;
  return [{ name: "linear-text, words alone", student: { ...whole.student, text } }, whole];
}

/** Shallow trees are smaller; deep ones see more of how features go together. */
function recordCandidates(student: StudentOptions): readonly StudentCandidate[] {
  const depths = [3, student.xgboost.max_depth].filter((depth, index, all) => all.indexOf(depth) === index);
  return depths.map((max_depth) => ({
    name: `xgboost, depth ${max_depth}`,
    student: { ...student, trainer: "xgboost", xgboost: { ...student.xgboost, max_depth } },
  }));
}
