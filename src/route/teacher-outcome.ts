/** @file What became of a question to the teacher. */

import type { TeacherInput } from "../contracts.ts";
import type { Row, RowId, TeacherAnnotation } from "../records.ts";

/** `costUsd`: what this call caused, failed attempts included; 0 for whoever joined another's question or found it known. */
export type TeacherReply = { readonly costUsd: number } & (
  | {
      readonly kind: "replied";
      /**
       * Durable, by field; of a task of one output, of the field without a name. Without a value the teacher, which is up,
       * gives no valid answer there: it refused, or its answers lie outside the schema.
       */
      readonly annotations: Readonly<Record<string, TeacherAnnotation>>;
      /** False where the answer was known before the question. */
      readonly isFresh: boolean;
    }
  /** Down, rate limited, over budget, or absent: the same question may be answered later. */
  | Unavailable
);

export type Unavailable = {
  readonly kind: "unavailable";
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs: number;
};

/** A row to ask about. */
export type TeacherQuestion = {
  readonly rowId: RowId;
  /** Gives what the teacher is shown, once the row is durable. Called for every attempt that may leave. */
  load(): Promise<TeacherInput>;
};

/** What the teacher is shown of a stored row: an image as providers take it. */
export type LoadTeacherInput = (row: Row) => Promise<TeacherInput>;

/** Told to whoever is refused where neither the provider nor the breaker names a time. */
const DEFAULT_RETRY_AFTER_MS = 5_000;

export function unavailable(
  code: string,
  message: string,
  more: { readonly retryAfterMs?: number | undefined; readonly costUsd?: number } = {},
): TeacherReply & Unavailable {
  const { retryAfterMs = DEFAULT_RETRY_AFTER_MS, costUsd = 0 } = more;
  return { kind: "unavailable", code, message, retryAfterMs, costUsd };
}
