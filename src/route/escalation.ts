/**
 * @file An escalation: the teacher's answer, or what the task wants instead while the teacher cannot give one.
 */

import type { Row, TeacherDownPolicy, Usage } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import { type RouterInput, type Sampling, storeRow } from "./content.ts";
import type { Guess } from "./guess.ts";
import type { RoutedAnswer } from "./routed.ts";
import type { TeacherLine } from "./teacher-line.ts";
import type { LoadTeacherInput } from "./teacher-outcome.ts";
import { type TeacherOutcome, unavailable } from "./teacher-outcome.ts";

export type Escalation = {
  readonly input: RouterInput;
  readonly requestId: string;
  readonly at: number;
  readonly sampling: Sampling;
  /** What the student would have said; absent where there is none, or it failed. */
  readonly guess: Guess | undefined;
  /** When it aborts, the teacher counts as unavailable. */
  readonly deadline: AbortSignal;
};

export type EscalationOptions = {
  readonly store: Store;
  readonly task: Task;
  readonly teacherLine: TeacherLine;
  readonly loadTeacherInput: LoadTeacherInput;
};

/** What is told to the caller and what is recorded of it. */
export type Answered = {
  readonly answer: RoutedAnswer;
  readonly degradedTo?: TeacherDownPolicy;
  readonly isCached: boolean;
  readonly usage: Usage;
  readonly costUsd: number;
};

export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0 };

export async function escalate(escalation: Escalation, options: EscalationOptions): Promise<Answered> {
  const outcome = await askTeacher(escalation, options);
  const { costUsd } = outcome;
  if (outcome.kind === "unavailable") {
    return { ...(await degrade(escalation, outcome, options)), isCached: false, usage: NO_USAGE, costUsd };
  }
  const { annotation, isFresh } = outcome;
  const charged = { isCached: !isFresh, usage: isFresh ? annotation.usage : NO_USAGE, costUsd };
  if (outcome.kind === "declined") return { answer: declined(outcome), ...charged };
  return { answer: taught(outcome), ...charged };
}

async function askTeacher(escalation: Escalation, options: EscalationOptions) {
  const { input, deadline } = escalation;
  const load = async () => options.loadTeacherInput(await keepRow(escalation, options));
  try {
    return await options.teacherLine.ask({ rowId: input.rowId, load }, deadline);
  } catch (thrown) {
    if (!deadline.aborted || thrown !== deadline.reason) throw thrown;
    return unavailable("teacher_timeout", "the teacher gave no answer within the request's deadline");
  }
}

function taught({ annotation }: Extract<TeacherOutcome, { kind: "answered" }>): RoutedAnswer {
  const { value, probabilities, simulated } = annotation;
  if (value === undefined) throw new TypeError(`annotation ${annotation.id} counts as answered and has no value`);
  return { kind: "teacher", value, isSimulated: simulated, ...(probabilities ? { probabilities } : {}) };
}

function declined({ annotation }: Extract<TeacherOutcome, { kind: "declined" }>): RoutedAnswer {
  const { code, message } = annotation.failure ?? { code: "teacher_refused", message: "the teacher gave no answer" };
  return { kind: "declined", code, message };
}

type Degraded = Pick<Answered, "answer" | "degradedTo">;

async function degrade(
  escalation: Escalation,
  why: Extract<TeacherOutcome, { kind: "unavailable" }>,
  options: Pick<EscalationOptions, "store" | "task">,
): Promise<Degraded> {
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
function refuse({ code, message, retryAfterMs }: Extract<TeacherOutcome, { kind: "unavailable" }>): Degraded {
  return { answer: { kind: "refused", code, message, retryAfterMs }, degradedTo: "refuse" };
}

async function keepRow(
  escalation: Escalation,
  { store, task }: Pick<EscalationOptions, "store" | "task">,
): Promise<Row> {
  const { input, sampling, requestId, at } = escalation;
  return await storeRow(input, sampling, { store, task, requestId, at });
}
