/** @file Gold labels that stand in a column of the data: which label a cell means, and the cells that mean none. */

import { fieldsOf } from "../fields.ts";
import type { LabelValue } from "../records.ts";
import { type AnyTask, normaliseLabel } from "../task.ts";
import { inField } from "./gold-labels.ts";
import { createProblems } from "./line-problems.ts";
import type { GoldSummary } from "./read-gold.ts";

export type GoldReader = {
  read(given: unknown, source: string, field: string): LabelValue | undefined;
  /** Undefined where no cell was read. */
  summary(): GoldSummary | undefined;
};

export function createGoldReader(task: AnyTask): GoldReader {
  const tasks = new Map(fieldsOf(task).map((field) => [field.name, field.task]));
  const unknownLabels = createProblems();
  let [matched, read] = [0, 0];
  return {
    read(given, source, field) {
      read++;
      const spelling = given === null || given === undefined ? "" : String(given).trim();
      if (spelling === "") return undefined;
      const label = normaliseLabel(tasks.get(field)!, spelling);
      if (label === undefined) unknownLabels.add(source, inField(field, spelling.slice(0, 80)));
      else matched++;
      return label;
    },
    summary: () =>
      read === 0 ? undefined : { matched, unmatched: { count: 0, first: [] }, unknownLabels: unknownLabels.summary() },
  };
}
