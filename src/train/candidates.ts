/** @file The students that a task allows, where it leaves the choice to us. */

import { classesOf, type StudentOptions, type Task } from "../task.ts";

export type StudentCandidate = {
  readonly name: string;
  readonly student: StudentOptions;
};

/** What a candidate needs of the machine. */
export type Machine = { hasXgboost(): boolean };

/** Cheapest to run first; one where the task names its student, or its input has but one. */
export function candidatesFor(task: Task, machine: Machine): readonly StudentCandidate[] {
  const { input, student } = task;
  if (student.trainer !== "auto") return [{ name: student.trainer, student }];
  switch (input) {
    case "image":
      return [{ name: "mobilenet-v3-small", student }];
    case "text":
      return [...linearCandidates(student), ...treesOnText(task, machine), ...encoderCandidates(student)];
    case "record":
      return recordCandidates(student);
    default:
      return input satisfies never;
  }
}

/** Where the task names an encoder: its embeddings, which cost its size and its time; fine-tuned only where asked. */
function encoderCandidates(student: StudentOptions): readonly StudentCandidate[] {
  if (student.weights === undefined) return [];
  const frozen = { name: "embedding-text", student: { ...student, trainer: "embedding-text" } };
  if (student.finetune !== "all") return [frozen];
  return [frozen, { name: "encoder-text", student: { ...student, trainer: "encoder-text" } }];
}

/** Words alone make a smaller and faster model; characters see inside of words that training never had. */
function linearCandidates(student: StudentOptions): readonly StudentCandidate[] {
  const { words, characters } = student.text;
  const whole = { name: "linear-text", student: { ...student, trainer: "linear-text" } };
  if (words === false || characters === false) return [whole];
  const text = { ...student.text, characters: false } as const;
  return [{ name: "linear-text, words alone", student: { ...whole.student, text } }, whole];
}

/**
 * Each round grows a tree for each class: of 77 classes and 2,000 rows, 200 rounds and their five folds take ten minutes,
 * to be 13 points behind the linear student. Of a few classes they take as many seconds and sometimes see what sums do not.
 */
const MOST_CLASSES_FOR_TREES = 4;

function treesOnText(task: Task, machine: Machine): readonly StudentCandidate[] {
  if (classesOf(task).length > MOST_CLASSES_FOR_TREES || !machine.hasXgboost()) return [];
  return [{ name: "xgboost, words", student: { ...task.student, trainer: "xgboost" } }];
}

/** Shallow trees are smaller; deep ones see more of how features go together. */
function recordCandidates(student: StudentOptions): readonly StudentCandidate[] {
  const depths = [3, student.xgboost.max_depth].filter((depth, index, all) => all.indexOf(depth) === index);
  return depths.map((max_depth) => ({
    name: `xgboost, depth ${max_depth}`,
    student: { ...student, trainer: "xgboost", xgboost: { ...student.xgboost, max_depth } },
  }));
}
