/**
 * @file A workspace with a long history for the benchmark of it: decisions of the last thirty days through the store, in the
 * mix of a service that audits and escalates, and the teacher's answers to what it was asked.
 */

import { createRng, type Rng } from "../src/math/random.ts";
import { type Champion, type Decision, type Row, rowId, type TeacherAnnotation } from "../src/records.ts";
import type { Store } from "../src/store/contract.ts";
import { promptVersion, type Task, trafficSplitOf } from "../src/task.ts";
import { identityOfText } from "../src/text/identity.ts";
import { LIVE_PASS, teacherAnnotationId } from "../src/verdict.ts";
import type { LabelledText } from "./text-support.ts";

export type History = {
  readonly store: Store;
  readonly task: Task;
  readonly texts: readonly LabelledText[];
  readonly champion: Champion;
  /** Ends here. */
  readonly until: number;
};

const DAYS_MS = 30 * 24 * 3_600_000;
const BATCH = 2_000;
const UNIFORM = 0.01;
const AUDITED = 0.03;
const ESCALATED = 0.07;
const STUDENT_ERRORS = 0.01;

/**
 * Adds decisions `from` to `to` of `whole`. Those that the teacher was asked about are of `distinct` texts: after that many,
 * the same are asked again, and their answers are known.
 */
export async function addHistory(
  history: History,
  { from, to, whole, distinct }: { from: number; to: number; whole: number; distinct: number },
): Promise<void> {
  const { store, until } = history;
  const rng = createRng(`history ${from}`);
  for (let start = from; start < to; start += BATCH) {
    const items = Array.from({ length: Math.min(BATCH, to - start) }, (_, index) => {
      const nth = start + index;
      return decisionOf({ ...history, rng, nth, distinct, at: Math.round(until - DAYS_MS + (nth / whole) * DAYS_MS) });
    });
    const asked = items.flatMap((item) => (item.asked ? [item.asked] : []));
    await store.rows.put(asked.map(({ row }) => row));
    await store.annotations.put(asked.map(({ annotation }) => annotation));
    await store.decisions.put(items.map(({ decision }) => decision));
  }
}

type Item = {
  readonly decision: Decision;
  readonly asked?: { readonly row: Row; readonly annotation: TeacherAnnotation };
};
type Nth = History & { readonly rng: Rng; readonly nth: number; readonly at: number; readonly distinct: number };

function decisionOf({ rng, nth, at, distinct, texts, task, champion }: Nth): Item {
  const [uniform, die] = [rng.next() < UNIFORM, rng.next()];
  const isEscalated = die < ESCALATED;
  const isAsked = isEscalated || uniform || die < ESCALATED + AUDITED;
  // Of those decisions about one in nine is asked about.
  const { text, label } = texts[nth % texts.length]!;
  const asked = isAsked
    ? `${text} k${Math.floor((nth * (UNIFORM + AUDITED + ESCALATED)) % distinct)}`
    : `${text} n${nth}`;
  const id = rowId(identityOfText(asked));
  const value = rng.next() < STUDENT_ERRORS ? texts[rng.integer(texts.length)]!.label : label;
  const decision: Decision = {
    id: `decision-${nth.toString(36).padStart(8, "0")}`,
    rowId: id,
    at,
    route: isEscalated ? "escalated" : isAsked ? "audited" : "answered",
    ...(isEscalated ? { reason: "unsure" as const } : {}),
    value: isEscalated ? label : value,
    studentValue: value,
    confidence: isEscalated ? 0.4 + 0.3 * rng.next() : 0.9 + 0.1 * rng.next(),
    propensity: isEscalated ? 1 : UNIFORM + AUDITED,
    uniform,
    modelId: champion.modelId,
    policyId: champion.policyId,
    latencyMs: (isEscalated ? 400 : 1) * (1 + rng.next()),
    costUsd: isEscalated ? 0.0002 : 0,
  };
  if (!isAsked) return { decision };
  return { decision, asked: askedOf({ decision, text: asked, label, task }) };
}

type Asked = { readonly decision: Decision; readonly text: string; readonly label: string; readonly task: Task };

function askedOf({ decision, text, label, task }: Asked): NonNullable<Item["asked"]> {
  const { id, rowId: row, at, uniform, propensity } = decision;
  const version = promptVersion(task);
  return {
    row: {
      id: row,
      input: { kind: "text", text },
      source: `request ${id}`,
      origin: "traffic",
      uniform,
      split: uniform ? trafficSplitOf(row, task.splits) : "train",
      propensity,
      createdAt: at,
    },
    annotation: {
      id: teacherAnnotationId({ rowId: row, pass: LIVE_PASS, promptVersion: version }),
      rowId: row,
      at: at + 500,
      annotator: "teacher",
      teacher: task.teacher.model,
      simulated: true,
      pass: LIVE_PASS,
      promptVersion: version,
      value: label,
      usage: { inputTokens: 100, outputTokens: 5 },
      costUsd: 0.0002,
      latencyMs: 400,
    },
  };
}
