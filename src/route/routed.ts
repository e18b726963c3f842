/** @file What the router hands back for one request: the decision as recorded, and what to tell the caller. */

import type { Explanation } from "../contracts.ts";
import type { Decision, LabelValue, Route, Usage } from "../records.ts";
import type { Guess } from "./guess.ts";

export type RoutedAnswer =
  /** `isFlagged`: the student was not sure enough, or not allowed to answer, and the teacher could not be asked. */
  | ({ readonly kind: "student"; readonly isFlagged: boolean } & Guess)
  | {
      readonly kind: "teacher";
      readonly value: LabelValue;
      /** By label, where the provider gave them. */
      readonly probabilities?: Readonly<Record<LabelValue, number>>;
      readonly isSimulated: boolean;
    }
  /** The teacher declines to answer this row. */
  | { readonly kind: "declined"; readonly code: string; readonly message: string; readonly isSimulated: boolean }
  /** Nobody can answer now. */
  | { readonly kind: "refused"; readonly code: string; readonly message: string; readonly retryAfterMs: number }
  /** The teacher will be asked later; the decision's id finds the answer. */
  | { readonly kind: "queued" };

export type Routed = {
  /** Durable. Its `latencyMs` is what the caller has waited until it was; the recorded one can only expect how long its flush takes. */
  readonly decision: Decision;
  readonly answer: RoutedAnswer;
  /** Of an audited request. */
  readonly audit?: Audit;
  /** Version of the champion that was in service. */
  readonly championVersion?: number;
  /** The answer was the teacher's to the same input earlier. */
  readonly isCached: boolean;
  /** Tokens of the teacher for this request, all its fields together. */
  readonly usage: Usage;
  /** Waited for the student and for the teacher; the rest of the request's time is ours. */
  readonly studentMs: number;
  readonly teacherMs: number;
  /** Of the student's guess, where the request asked for it. */
  readonly explained?: Explained;
  /** Why the student gave no guess, where it failed on this input. */
  readonly studentError?: { readonly code: string; readonly message: string };
};

/** `owed`: drawn for an audit, and the teacher cannot be asked now; it will be when it is back, by this server or another. */
export type Audit = "asked" | "owed";

/** Why the student guesses what it guesses, or why it cannot say. */
export type Explained =
  | { readonly kind: "explained"; readonly explanations: readonly Explanation[] }
  | { readonly kind: "unexplained"; readonly code: string; readonly message: string };

/** One request of a task of any number of fields: what became of each that was asked for, in the order in which they were. */
export type RoutedRow = {
  /** By field; of a task of one output, of the field without a name. */
  readonly fields: ReadonlyMap<string, Routed>;
  readonly isCached: boolean;
  readonly usage: Usage;
  readonly studentMs: number;
  readonly teacherMs: number;
};

/**
 * Of the row as a whole: `degraded` where any field is, `mixed` where some were escalated and some were not, else what all
 * of them were; `audited` where any was.
 */
export function routeOfRow({ fields }: Pick<RoutedRow, "fields">): Route | "mixed" {
  const routes = new Set([...fields.values()].map(({ decision }) => decision.route));
  if (routes.has("degraded")) return "degraded";
  if (routes.has("escalated")) return routes.size > 1 ? "mixed" : "escalated";
  return routes.has("audited") ? "audited" : "answered";
}
