/**
 * @file What a student of one decision could take over: trained, calibrated and certified on the log itself by the very
 * stages that would do it for good, in a workspace that is gone afterwards.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { calibrateModel } from "../calibrate/calibrate-model.ts";
import { applyCalibrator } from "../calibrate/calibrator.ts";
import type { Clock, Progress } from "../contracts.ts";
import { deriveLabels } from "../label/derive-labels.ts";
import type { Estimate } from "../math/estimate.ts";
import { proportionEstimate } from "../math/estimate.ts";
import type { Seed } from "../math/random.ts";
import { riskCoverageCurve } from "../math/selective.ts";
import {
  type LabelValue,
  type ModelCard,
  type Policy,
  type Row,
  type RowId,
  rowId,
  type TeacherAnnotation,
} from "../records.ts";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { defineTask, promptVersion, splitOf, type Task } from "../task.ts";
import { identityOfText } from "../text/identity.ts";
import { trainStudent } from "../train/train-student.ts";
import { LIVE_PASS, teacherAnnotationId } from "../verdict.ts";
import type { DecisionCall, FoundDecision } from "./find-decisions.ts";

export type StudyOptions = {
  /** Allowed shares of calls that are answered locally and otherwise than by the LLM. */
  readonly risks: readonly number[];
  /** Of each certificate. */
  readonly delta: number;
  readonly seed: Seed;
  readonly clock: Clock;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type Level = {
  readonly risk: number;
  /** Share of calls that may be answered locally, on held-out calls; 0 where nothing could be certified. */
  readonly coverage: Estimate;
  readonly bound?: number;
  /** Why nothing could be certified. */
  readonly why?: string;
  readonly moreRowsNeeded?: number;
};

export type DecisionStudy = {
  readonly prompt: string;
  readonly calls: number;
  readonly labels: FoundDecision["labels"];
  /** Different inputs; the rest are repetitions. */
  readonly inputs: number;
  /** Of calls whose input came before: how often the LLM says the same again. */
  readonly consistency?: Estimate;
  readonly levels: readonly Level[];
  /** On held-out inputs: share that the student answers as the LLM did. */
  readonly agreement: Estimate;
  /** Share answered and joint risk at each threshold, strictest first. */
  readonly curve: readonly { readonly coverage: number; readonly risk: number }[];
  readonly trainingRows: number;
  readonly trainingMs: number;
};

/** @throws FlywheelError as `trainStudent` */
export async function studyDecision(decision: FoundDecision, options: StudyOptions): Promise<DecisionStudy> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-scan-"));
  try {
    await using store = await openSqliteStore({ directory });
    return await study(store, decision, options);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function study(store: Store, decision: FoundDecision, options: StudyOptions): Promise<DecisionStudy> {
  const task = taskOf(decision);
  const inputs = mergeRepeated(decision.calls);
  await fill(store, task, inputs);
  await deriveLabels({ store, task });
  const card = await trainStudent({ ...options, store, task });
  const policies: Policy[] = [];
  for (const risk of options.risks) {
    const target = { kind: "regret", risk, delta: options.delta } as const;
    const question = { ...options, store, task: { ...task, target }, modelId: card.id, spending: "each" } as const;
    policies.push(await calibrateModel(question));
  }
  const { prompt, labels, calls } = decision;
  const consistency = consistencyOf(calls);
  return {
    prompt,
    labels,
    calls: calls.length,
    inputs: inputs.size,
    ...(consistency && { consistency }),
    levels: policies.map(levelOf),
    ...(await measure(store, card, policies[0]!, inputs)),
    trainingRows: card.trainingRows,
    trainingMs: card.trainingMs,
  };
}

function taskOf({ prompt, labels }: FoundDecision): Task {
  return defineTask({
    name: "decision",
    input: "text",
    instructions: prompt.trim() || "As in the log.",
    output: { kind: "choice", choices: labels.map(({ value }) => value) },
    teacher: { model: "compatible/log" },
    // A first look takes seconds: few labels leave time to choose between two strengths of the penalty, many do not.
    student: { trainer: "linear-text", text: { c: labels.length <= FEW_LABELS ? [1, 10] : [10] } },
  });
}

const FEW_LABELS = 10;

/** The first call of each input stands for it. */
function mergeRepeated(calls: readonly DecisionCall[]): ReadonlyMap<RowId, DecisionCall> {
  const inputs = new Map<RowId, DecisionCall>();
  for (const call of calls) {
    const id = rowId(identityOfText(call.text));
    if (!inputs.has(id)) inputs.set(id, call);
  }
  return inputs;
}

function consistencyOf(calls: readonly DecisionCall[]): Estimate | undefined {
  const first = new Map<string, LabelValue>();
  let [repeated, same] = [0, 0];
  for (const { text, label } of calls) {
    if (label === undefined) continue;
    const id = identityOfText(text);
    const before = first.get(id);
    if (before === undefined) first.set(id, label);
    else {
      repeated++;
      same += Number(before === label);
    }
  }
  return repeated > 0 ? proportionEstimate(same, repeated) : undefined;
}

/** Rows written at once. */
const GROUP = 2_000;

async function fill(store: Store, task: Task, inputs: ReadonlyMap<RowId, DecisionCall>): Promise<void> {
  const entries = [...inputs];
  for (let start = 0; start < entries.length; start += GROUP) {
    const group = entries.slice(start, start + GROUP);
    await store.rows.put(group.map(([id, { text }]) => toRow(id, text, task)));
    await store.annotations.put(group.map(([id, call]) => toAnnotation(id, call, task)));
  }
}

function toRow(id: RowId, text: string, task: Task): Row {
  const split = splitOf(id, task.splits);
  return {
    id,
    input: { kind: "text", text },
    source: "log",
    origin: "ingest",
    uniform: true,
    split,
    propensity: 1,
    createdAt: 0,
  };
}

function toAnnotation(id: RowId, { label, call }: DecisionCall, task: Task): TeacherAnnotation {
  const version = promptVersion(task);
  return {
    id: teacherAnnotationId({ rowId: id, pass: LIVE_PASS, promptVersion: version }),
    rowId: id,
    at: call.at ?? 0,
    annotator: "teacher",
    teacher: call.model ?? "unnamed",
    simulated: false,
    pass: LIVE_PASS,
    promptVersion: version,
    ...(label === undefined ? { failure: { code: "log_answer_unreadable", message: "no label" } } : { value: label }),
    usage: call.usage,
    costUsd: 0,
    latencyMs: call.latencyMs,
  };
}

function levelOf({ target, coverage, certificate, noCertificate }: Policy): Level {
  if (certificate) return { risk: target.risk, coverage, bound: certificate.bound };
  const more = noCertificate?.moreRowsNeeded;
  return {
    risk: target.risk,
    coverage: { value: 0, low: 0, high: 0, n: coverage.n },
    why: noCertificate?.reason ?? "no evidence",
    ...(more !== undefined && { moreRowsNeeded: more }),
  };
}

/** On the certify rows, which trained nothing. */
async function measure(
  store: Store,
  { id, classes }: ModelCard,
  { calibrator }: Policy,
  inputs: ReadonlyMap<RowId, DecisionCall>,
): Promise<Pick<DecisionStudy, "agreement" | "curve">> {
  const certify = new Set<RowId>();
  for await (const row of store.rows.list({ split: "certify" })) certify.add(row.id);
  const [score, correct]: [number[], number[]] = [[], []];
  for await (const { rowId: row, logits } of store.predictions.ofModel(id, "held-out")) {
    const label = inputs.get(row)?.label;
    if (label === undefined || !certify.has(row)) continue;
    const { predicted, confidence } = applyCalibrator(calibrator, logits, classes.length);
    score.push(confidence[0]!);
    correct.push(Number(classes[predicted[0]!] === label));
  }
  const n = correct.length;
  const right = correct.reduce((sum, one) => sum + one, 0);
  const curve = n === 0 ? [] : riskCoverageCurve({ score, correct });
  return {
    agreement: n === 0 ? { value: 0, low: 0, high: 1, n } : proportionEstimate(right, n),
    curve: curve.map(({ coverage, errors }) => ({ coverage, risk: errors / n })),
  };
}
