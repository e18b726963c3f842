/** @file Students for texts, tier 0: logistic regression on TF-IDF of n-grams. Trains in seconds, answers in microseconds. */

import { writeOnnx } from "../../onnx/proto.ts";
import type { LabelValue, ModelCard } from "../../records.ts";
import type { Task } from "../../task.ts";
import { checkNgrams, type NgramOptions } from "../../text/options.ts";
import { TextEncoder } from "../../text/text-encoder.ts";
import { columnsOf } from "../../text/vocabulary.ts";
import { writeVocabulary } from "../../text/vocabulary-file.ts";
import { stratifiedFolds } from "../folds.ts";
import { followsMembers, keepsFolds, membersFile } from "../members.ts";
import type { PreparedTraining, TrainedStudent, TrainerContext, TrainingWork } from "../trainer.ts";
import type { TrainingRow, TrainingSet } from "../training-rows.ts";
import { fitLinear, type LinearData, type LinearRecipe, type LinearStudent } from "./fit-linear.ts";
import { linearNetwork, sideBySide } from "./linear-network.ts";
import { collectNeighbours, type Neighbours } from "./neighbours.ts";
import { writeNeighbours } from "./neighbours-file.ts";
import { neighboursFile, vocabularyFile } from "./text-files.ts";
import { textOf } from "./text-input.ts";

export const linearTrainer = "linear-text";

/** @throws FlywheelError `invalid_ngrams`; running: as `fitLinear` */
export async function trainLinearStudent({ task, set }: TrainerContext): Promise<PreparedTraining> {
  const { classWeight } = task.student.text;
  const recipe = { ngrams: ngramsOf(task), c: task.student.text.c.toSorted((a, b) => a - b) };
  const options = { ...recipe.ngrams, c: recipe.c, classWeight };
  return {
    trainer: linearTrainer,
    options,
    follows: { ...options, neighbours: 1, ...followsMembers(task) },
    run: (work) => run({ work, set, recipe, classWeight, keepsFolds: keepsFolds(task) }),
  };
}

function ngramsOf({ student }: Task): NgramOptions {
  const { words, characters, minDocuments, hashed } = student.text;
  return checkNgrams({ words: words || undefined, characters: characters || undefined, minDocuments, hashed });
}

function countByClass(rows: readonly TrainingRow[], k: number): Int32Array {
  const counts = new Int32Array(k);
  for (const { classIndex } of rows) counts[classIndex]! += 1;
  return counts;
}

type Run = {
  readonly work: TrainingWork;
  readonly set: TrainingSet;
  readonly recipe: LinearRecipe;
  readonly classWeight: Task["student"]["text"]["classWeight"];
  readonly keepsFolds: boolean;
};

async function run({ work, set, recipe, classWeight, keepsFolds }: Run): Promise<TrainedStudent> {
  const data = dataOf(set, classWeight, work.seed);
  const student = await fitLinear(data, recipe, {
    ...work,
    keepsFolds,
    allFolds: work.outOfFold !== false || keepsFolds,
  });
  const model = linearNetwork(student.model);
  return {
    model: { ...model, metadata: { "flywheel.text": JSON.stringify(recipe.ngrams) } },
    files: new Map([
      [vocabularyFile, writeVocabulary(student.vocabulary)],
      [neighboursFile, writeNeighbours(neighboursOf(data, student))],
      ...membersOf(student),
    ]),
    ...(work.outOfFold !== false && { outOfFold: student.outOfFold }),
    members: student.members.length,
    history: historyOf(student),
    found: { chosenC: student.c, features: columnsOf(student.vocabulary), heaviest: heaviestOf(student, set.classes) },
  };
}

/**
 * Members read the features of the whole collection: an n-gram weighs there what it weighs without a fifth of the texts to
 * within a few hundredths, and one that is too rare without them has no weight.
 */
function membersOf({ members }: LinearStudent): readonly (readonly [string, Uint8Array])[] {
  return members.length > 0 ? [[membersFile, writeOnnx(linearNetwork(sideBySide(members)))]] : [];
}

function neighboursOf({ texts, classIndices, k }: LinearData, { vocabulary }: LinearStudent): Neighbours {
  return collectNeighbours({ texts, classIndices, classes: k }, new TextEncoder(vocabulary));
}

/** One entry for each strength of the penalty that was tried, out of fold. */
const historyOf = ({ trials }: LinearStudent): ModelCard["history"] =>
  trials.map(({ loss, accuracy }, index) => ({ epoch: index + 1, loss, accuracy }));

function dataOf({ rows, classes }: TrainingSet, classWeight: Run["classWeight"], seed: string): LinearData {
  const k = classes.length;
  const targets = new Float32Array(rows.length * k);
  rows.forEach(({ target }, row) => {
    targets.set(target, row * k);
  });
  const counts = countByClass(rows, k);
  const balance = (classIndex: number): number =>
    classWeight === "balanced" ? rows.length / (k * counts[classIndex]!) : 1;
  return {
    texts: rows.map(({ id, input }) => textOf(input, `row ${id}`)),
    k,
    targets,
    classIndices: Int32Array.from(rows, ({ classIndex }) => classIndex),
    weights: Float64Array.from(rows, ({ weight, classIndex }) => weight * balance(classIndex)),
    folds: stratifiedFolds(rows, seed),
  };
}

/** Enough to see what a class goes by, and whether it should. */
const SHOWN = 10;
/** Of tasks with more classes, the card would be a book. */
const MOST_CLASSES_SHOWN = 20;

/** The n-grams that speak most for each class, heaviest first. */
function heaviestOf(
  { model, vocabulary }: LinearStudent,
  classes: readonly LabelValue[],
): Record<LabelValue, string[]> {
  if (vocabulary.grams.length === 0 || classes.length > MOST_CLASSES_SHOWN) return {};
  const { weights, k, columns } = model;
  const heaviest = (c: number): number[] => {
    const top: number[] = [];
    for (let column = 0; column < columns; column++) {
      const weight = weights[column * k + c]!;
      if (top.length === SHOWN && weight <= weights[top.at(-1)! * k + c]!) continue;
      const place = top.findIndex((other) => weights[other * k + c]! < weight);
      top.splice(place < 0 ? top.length : place, 0, column);
      if (top.length > SHOWN) top.pop();
    }
    return top;
  };
  return Object.fromEntries(classes.map((value, c) => [value, heaviest(c).map((column) => vocabulary.grams[column]!)]));
}
