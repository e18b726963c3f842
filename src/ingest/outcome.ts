/** @file What becomes of one input, whatever its kind: a row, or the reason why it is none. */

import type { FeatureType } from "../columns.ts";
import type { LabelValue, Rejection, Row, TeacherAnnotation } from "../records.ts";
import type { SeenFile } from "../store/contract.ts";
import type { Finding, Refusal } from "./candidate.ts";
import type { LogSummary } from "./logs/log-summary.ts";
import type { GoldProblems } from "./read-gold.ts";

export type Outcome =
  | {
      readonly kind: "row";
      readonly row: Row;
      /** A file that need not be read again while it stays as it is. */
      readonly file?: SeenFile;
      /** By field; of a task of one output, of the field without a name. */
      readonly gold?: readonly { readonly field: string; readonly value: LabelValue }[];
      /** The answer that came with the row from a log, an annotation for each field. */
      readonly annotations?: readonly TeacherAnnotation[];
    }
  | { readonly kind: "unchanged" }
  | Exclude<Finding, { readonly kind: "file" }>;

export function toRejection({ source, code, message }: Refusal, at: number): Rejection {
  return { source, code, message, at };
}

/** Where inputs come from. */
export type InputSource = {
  /** Inputs, where it is cheap to know. */
  readonly total?: number | undefined;
  /** The folder that gold may be relative to. */
  readonly root: string;
  /** May be read once. Once aborted it ends early, and what was under way is still yielded: its work is not lost. */
  outcomes(): AsyncGenerator<Outcome>;
  /** What was seen of the columns; known once the outcomes have been read. */
  columns?(): ColumnsSeen | undefined;
  /** Of a column that holds gold labels; known likewise. */
  gold?(): GoldProblems | undefined;
  /** Of a log; known likewise. */
  log?(): LogSummary | undefined;
};

export type ColumnsSeen = {
  readonly columns: readonly ColumnSummary[];
  /** What a person should look at. */
  readonly notes: readonly string[];
};

export type ColumnSummary = {
  readonly name: string;
  /** `unread`: nothing is made of it. */
  readonly role: "text" | "feature" | "gold" | "id" | "unread";
  /** What its values are; `mixed` where some are numbers and some are words. Absent where every value is missing. */
  readonly type?: FeatureType | "mixed";
  /** How its values are written, where that is another way than JSON's: `number, decimal comma, in €`. */
  readonly format?: string;
  /** Why a student does not learn from it, although it is a feature. */
  readonly leftOut?: string;
  readonly missing: number;
  /** Different values, as far as they were counted. */
  readonly distinct: number;
  /** False where counting stopped at `distinct`. */
  readonly isDistinctExact: boolean;
};
