/**
 * @file Whose fault a failure is. A refusal, a rejected request or an answer outside the labels says something about one
 * row while other rows are answered; where `SUSPECT_ROWS` rows in a row end so and none is answered between them, it says
 * something about the teacher, or about what stands in front of it: a proxy, a wrong model, a changed API.
 *
 * So such a failure is held in memory until a question that was asked after it has an answer, and recorded with that. When
 * the teacher becomes suspect, what is held is dropped: those rows are asked again. What they cost was settled.
 */

import type { TeacherError } from "../contracts.ts";
import type { RowId, TeacherAnnotation } from "../records.ts";

/** Rows in a row without one valid answer, from which on the teacher is suspect. As many failures open the breaker. */
export const SUSPECT_ROWS = 5;
/** As many are quoted to whoever is told. */
const EXAMPLES = 3;

/** Codes of failures that are about the row, unless the teacher is suspect. */
const ROW_CODES = ["teacher_off_schema", "teacher_refused", "teacher_bad_request"];

export const isAboutRow = ({ code }: TeacherError): boolean => ROW_CODES.includes(code);

/** Of several fields, some were answered: whoever does that can answer. */
export const isPartlyAnswered = ({ valid }: TeacherError): boolean => Object.keys(valid).length > 0;

export type Suspicion = {
  readonly isSuspect: boolean;
  /** How many failures were noted so far: what a question that is asked now has to say to `answered`. */
  readonly failures: number;
  /** The failure of a row that is held for now. */
  recall(rowId: RowId): readonly TeacherAnnotation[] | undefined;
  /** Notes a failure that is about the row by itself. True where the teacher is suspect, by this one or since before. */
  failed(annotations: readonly TeacherAnnotation[], error: TeacherError): boolean;
  /**
   * A valid answer came, to a question asked when there were `failures`: gives what was held of these, to be recorded now.
   * (What was on its way when a proxy broke says nothing about failures since.)
   */
  answered(failures: number): readonly TeacherAnnotation[];
};

export type SuspicionOptions = {
  /** Told once, when the teacher becomes suspect, with the last messages; and when it answers again. */
  readonly onSuspect?: ((examples: readonly string[]) => void) | undefined;
  readonly onCleared?: (() => void) | undefined;
};

type Held = { readonly number: number; readonly annotations: readonly TeacherAnnotation[] };

export function createSuspicion({ onSuspect, onCleared }: SuspicionOptions = {}): Suspicion {
  const held = new Map<RowId, Held>();
  /** Rows since the last answer, with what was said of them. */
  const streak = new Map<RowId, string>();
  let [failures, isSuspect] = [0, false];
  const suspect = (): void => {
    isSuspect = true;
    held.clear();
    onSuspect?.([...streak.values()].slice(-EXAMPLES));
  };
  return {
    get isSuspect() {
      return isSuspect;
    },
    get failures() {
      return failures;
    },
    recall: (rowId) => held.get(rowId)?.annotations,
    failed(annotations, { message }) {
      if (isSuspect) return true;
      const { rowId } = annotations[0]!;
      failures += 1;
      held.set(rowId, { number: failures, annotations });
      streak.set(rowId, message);
      if (streak.size >= SUSPECT_ROWS) suspect();
      return isSuspect;
    },
    answered(before) {
      if (isSuspect) onCleared?.();
      isSuspect = false;
      streak.clear();
      const confirmed = [...held].filter(([, { number }]) => number <= before);
      for (const [rowId] of confirmed) held.delete(rowId);
      return confirmed.flatMap(([, { annotations }]) => annotations);
    },
  };
}
