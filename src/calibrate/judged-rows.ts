/** @file Which rows may count against which reference. */

import type { LabelValue, Reference } from "../records.ts";
import { uniformlyRuled } from "../verdict.ts";
import type { HeldOutRow } from "./load-rows.ts";
import type { Rulings } from "./truth-bound.ts";

export type JudgedRow = { readonly row: HeldOutRow; readonly reference: LabelValue };

/** Rows to calibrate on: people's word where there is one and it is asked for, else the teacher's. No guarantee rests on them. */
export function calibrateRows(rows: readonly HeldOutRow[], reference: Reference): readonly JudgedRow[] {
  return rows.flatMap((row) => withReference(row, reference === "person" ? (row.person ?? row.teacher) : row.teacher));
}

/**
 * Rows to certify on. Against the teacher: all that it answered, conflicts included. Against people: those of the uniform
 * sample alone; the rest of their rulings went to the rows that looked worst.
 */
export function certifyRows(rows: readonly HeldOutRow[], reference: Reference): readonly JudgedRow[] {
  if (reference === "teacher") return rows.flatMap((row) => withReference(row, row.teacher));
  return uniformlyRuled(rows, hasRuling).flatMap((row) => withReference(row, row.person));
}

const hasRuling = ({ person }: HeldOutRow): boolean => person !== undefined;

/** How often people contradict the teacher on the uniform sample. */
export function rulingsOn(rows: readonly HeldOutRow[]): Rulings {
  const both = uniformlyRuled(rows, hasRuling).filter(({ teacher }) => teacher !== undefined);
  const teacherErrors = both.filter(({ teacher, person }) => teacher !== person).length;
  return { rulings: both.length, teacherErrors };
}

function withReference(row: HeldOutRow, reference: LabelValue | undefined): JudgedRow[] {
  return reference === undefined ? [] : [{ row, reference }];
}
