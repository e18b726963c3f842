/**
 * @file What a student is trained on: the labelled rows of the train split, each with a soft target and a weight. Only
 * this file decides which rows may train; calibrate and certify rows never do, nor does gold.
 */

import { createHash } from "node:crypto";
import { FlywheelError } from "../errors.ts";
import type { Input, Label, LabelValue, Row, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { classesOf, type Task } from "../task.ts";

export type TrainingRow = {
  readonly id: RowId;
  readonly input: Input;
  /** Where it stood in a file, if it came from one. */
  readonly place?: { readonly file: string; readonly line: number } | undefined;
  /** `[classes]`, summing to 1. */
  readonly target: Float32Array;
  /** Of the value in force; for strata and accuracy. */
  readonly classIndex: number;
  /** Label weight times propensity weight, scaled so that the mean over the set is 1. */
  readonly weight: number;
};

export type TrainingSet = {
  readonly rows: readonly TrainingRow[];
  readonly classes: readonly LabelValue[];
  /** Hash of row ids, targets and weights. 64 hex digits. */
  readonly hash: string;
};

/** Says of a labelled row of the train split whether to use it; all by default. */
export type RowsFilter = (row: Row, label: Label) => boolean;

/** Rows reached with a small probability count for more, but none for more than this many (SCIENCE §5, D9). */
const MOST_PROPENSITY_WEIGHT = 10;

/**
 * @throws FlywheelError `no_training_rows`, `one_class_only`, or `unknown_label` where a label is not a class of the task
 */
export async function readTrainingSet(store: Store, task: Task, filter: RowsFilter = () => true): Promise<TrainingSet> {
  const classes = classesOf(task);
  const rows = await readRows(store, { split: "train", kind: task.input, classes, filter });
  checkRows(rows, task);
  return { rows, classes, hash: hashOf(rows, classes) };
}

/** Fewer cannot tell one epoch from the next. */
const FEWEST_VALIDATION_ROWS = 50;

/**
 * Labelled uniform rows of the calibrate split, for early stopping: they may choose an epoch, as they will choose a
 * calibrator; what certifies is never looked at. None where they are too few to tell epochs apart.
 */
export async function readValidationRows(store: Store, task: Task): Promise<readonly TrainingRow[]> {
  const filter: RowsFilter = (row) => row.uniform;
  const rows = await readRows(store, { split: "calibrate", kind: task.input, classes: classesOf(task), filter });
  return rows.length < FEWEST_VALIDATION_ROWS ? [] : rows;
}

type ReadOptions = {
  readonly split: "train" | "calibrate";
  readonly kind: Input["kind"];
  readonly classes: readonly LabelValue[];
  readonly filter: RowsFilter;
};

async function readRows(store: Store, { split, kind, classes, filter }: ReadOptions): Promise<readonly TrainingRow[]> {
  const rows: TrainingRow[] = [];
  for await (const { row, label } of store.labels.list({ split, kind })) {
    if (!filter(row, label)) continue;
    const weight = label.weight * Math.min(1 / row.propensity, MOST_PROPENSITY_WEIGHT);
    rows.push({ id: row.id, input: row.input, place: placeOf(row), weight, ...targetOf(label, classes) });
  }
  return withMeanWeight(rows);
}

/** Ingest writes `data.csv:12`, or `data.csv:12 C-7` where the task has a column of ids. */
function placeOf({ origin, source }: Row): TrainingRow["place"] {
  const [, file, line] = (origin === "ingest" && /^(.*?):(\d+)(?: |$)/.exec(source)) || [];
  return file === undefined ? undefined : { file, line: Number(line) };
}

function targetOf(label: Label, classes: readonly LabelValue[]): Pick<TrainingRow, "target" | "classIndex"> {
  const shares = Object.entries(label.distribution ?? { [label.value]: 1 });
  const target = new Float32Array(classes.length);
  for (const [value, share] of shares) target[classIndexOf(value, classes, label)] = share;
  return { target, classIndex: classIndexOf(label.value, classes, label) };
}

function classIndexOf(value: LabelValue, classes: readonly LabelValue[], { rowId }: Label): number {
  const index = classes.indexOf(value);
  if (index >= 0) return index;
  throw new FlywheelError("unknown_label", `row ${rowId} is labelled "${value}", which is not a class of the task`, {
    hint: "the task's choices have changed since it was labelled: label again, or restore the choice",
  });
}

function checkRows(rows: readonly TrainingRow[], task: Task): void {
  if (rows.length === 0) {
    throw new FlywheelError("no_training_rows", `task "${task.name}" has no labelled rows in its train split`, {
      hint: "run `flywheel ingest` and `flywheel label` first",
    });
  }
  if (new Set(rows.map((row) => row.classIndex)).size < 2) {
    throw new FlywheelError(
      "one_class_only",
      `all ${rows.length} labelled rows of task "${task.name}" have one label`,
      {
        hint: "label more rows, or check the teacher's instructions: there is nothing to tell apart yet",
      },
    );
  }
}

function withMeanWeight(rows: readonly TrainingRow[]): readonly TrainingRow[] {
  const mean = rows.reduce((sum, row) => sum + row.weight, 0) / rows.length;
  return rows.map((row) => ({ ...row, weight: row.weight / mean }));
}

function hashOf(rows: readonly TrainingRow[], classes: readonly LabelValue[]): string {
  const hash = createHash("sha256").update(JSON.stringify(classes));
  for (const { id, target, weight } of rows) hash.update(`\n${id} ${weight} ${target.join()}`);
  return hash.digest("hex");
}
