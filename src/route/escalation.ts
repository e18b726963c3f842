/**
 * @file An escalation: one question to the teacher about the row, and what becomes of each field that was escalated: the
 * teacher's answer, or what the task wants instead while the teacher cannot give one.
 */

import type { Row, TeacherAnnotation, TeacherDownPolicy, Usage } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { type RouterInput, type Sampling, storeRow } from "./content.ts";
import type { Guess } from "./guess.ts";
import type { RoutedAnswer } from "./routed.ts";
import type { TeacherLine } from "./teacher-line.ts";
import { type LoadTeacherInput, type TeacherReply, type Unavailable, unavailable } from "./teacher-outcome.ts";

export type Escalation = {
  readonly input: RouterInput;
  readonly requestId: string;
  readonly at: number;
  readonly sampling: Sampling;
  /** When it aborts, the teacher counts as unavailable. */
  readonly deadline: AbortSignal;
};

export type EscalationOptions = {
  readonly store: Store;
  readonly task: AnyTask;
  readonly teacherLine: TeacherLine;
  readonly loadTeacherInput: LoadTeacherInput;
};

/** What is told to the caller about one field. */
export type Answered = {
  readonly answer: RoutedAnswer;
  readonly degradedTo?: TeacherDownPolicy;
  readonly degradedFor?: string;
};

export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0 };

/** The row is made durable before the teacher sees it. */
export async function askAboutRow(escalation: Escalation, options: EscalationOptions): Promise<TeacherReply> {
  const { input, deadline } = escalation;
  const load = async () => options.loadTeacherInput(await keepRow(escalation, options));
  try {
    return await options.teacherLine.ask({ rowId: input.rowId, load }, deadline);
  } catch (thrown) {
    if (!deadline.aborted || thrown !== deadline.reason) throw thrown;
    return unavailable("teacher_timeout", "the teacher gave no answer within the request's deadline");
  }
}

/** What the reply means for one field. @param guess what the student would have said; absent where there is none */
export async function answerFrom(
  reply: TeacherReply,
  { field, guess }: { readonly field: string; readonly guess: Guess | undefined },
  { escalation, options }: { readonly escalation: Escalation; readonly options: EscalationOptions },
): Promise<Answered> {
  if (reply.kind === "unavailable") {
    return { ...(await degrade({ ...escalation, guess }, reply, options)), degradedFor: reply.code };
  }
  const annotation = reply.annotations[field];
  if (!annotation) throw new TypeError(`the teacher's reply leaves out the field "${field}"`);
  return { answer: said(annotation) };
}

function said({ value, probabilities, simulated, failure }: TeacherAnnotation): RoutedAnswer {
  if (value === undefined) {
    const why = failure ?? { code: "teacher_refused", message: "the teacher gave no answer" };
    return { kind: "declined", ...why, isSimulated: simulated };
  }
  return { kind: "teacher", value, isSimulated: simulated, ...(probabilities ? { probabilities } : {}) };
}

/** Tokens of a reply, all its fields together. */
export function usageOf(reply: TeacherReply | undefined): Usage {
  if (reply?.kind !== "replied" || !reply.isFresh) return NO_USAGE;
  return Object.values(reply.annotations).reduce(
    (sum, { usage }) => ({
      inputTokens: sum.inputTokens + usage.inputTokens,
      outputTokens: sum.outputTokens + usage.outputTokens,
    }),
    NO_USAGE,
  );
}

async function degrade(
  escalation: Escalation & { readonly guess: Guess | undefined },
  why: Unavailable,
  options: Pick<EscalationOptions, "store" | "task">,
): Promise<Answered> {
  const policy = options.task.whenTeacherDown;
  const { guess, sampling } = escalation;
  switch (policy) {
    case "queue":
      await keepRow(escalation, options);
      return { answer: { kind: "queued" }, degradedTo: policy };
    case "answer-flagged":
      if (!guess) return refuse(why);
      // The uniform stream is labelled when the teacher is back; the row has to be there then.
      if (sampling.uniform) await keepRow(escalation, options);
      return { answer: { kind: "student", isFlagged: true, ...guess }, degradedTo: policy };
    case "refuse":
      return refuse(why);
    default:
      return policy satisfies never;
  }
}

/** Also where a guess should be flagged and there is no student to make one. */
function refuse({ code, message, retryAfterMs }: Unavailable): Answered {
  return { answer: { kind: "refused", code, message, retryAfterMs }, degradedTo: "refuse" };
}

export async function keepRow(
  escalation: Escalation,
  { store, task }: Pick<EscalationOptions, "store" | "task">,
): Promise<Row> {
  const { input, sampling, requestId, at } = escalation;
  return await storeRow(input, sampling, { store, task, requestId, at });
}
