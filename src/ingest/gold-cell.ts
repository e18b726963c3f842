/** @file Gold labels that stand in a column of the data: which label a cell means, and the cells that mean none. */

import { fieldsOf } from "../fields.ts";
import type { LabelValue } from "../records.ts";
import { type AnyTask, normaliseLabel } from "../task.ts";
import { inField } from "./gold-labels.ts";
import { createProblems } from "./line-problems.ts";
import type { GoldProblems } from "./read-gold.ts";

export type GoldReader = {
  read(given: unknown, source: string, field: string): LabelValue | undefined;
  /** Undefined where no cell was read. */
  problems(): GoldProblems | undefined;
};

export function createGoldReader(task: AnyTask): GoldReader {
  const tasks = new Map(fieldsOf(task).map((field) => [field.name, field.task]));
  const unknownLabels = createProblems();
  let read = 0;
  return {
    read(given, source, field) {
      read++;
      const spelling = given === null || given === undefined ? "" : String(given).trim();
      if (spelling === "") return undefined;
      const label = normaliseLabel(tasks.get(field)!, spelling);
      if (label === undefined) unknownLabels.add(source, inField(field, spelling.slice(0, 80)));
      return label;
    },
    problems: () =>
      read === 0 ? undefined : { unmatched: { count: 0, first: [] }, unknownLabels: unknownLabels.summary() },
  };
}
