/**
 * @file What students of one prompt's decisions could take over: trained, calibrated and certified on the log itself by the very
 * stages that would do it for good, in a workspace that is gone afterwards.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { calibrateModel } from "../calibrate/calibrate-model.ts";
import { calibrateRow } from "../calibrate/calibrator.ts";
import type { Clock, Progress } from "../contracts.ts";
import { deferralScore } from "../deferral.ts";
import { annotationsOf, type FieldScope, fieldNames, scopesOf } from "../fields.ts";
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
import { defineFieldsTask, type FieldsTask, promptVersion, splitOf } from "../task.ts";
import { identityOfText } from "../text/identity.ts";
import { trainStudent } from "../train/train-student.ts";
import { LIVE_PASS, teacherAnnotationId } from "../verdict.ts";
import type { DecisionCall, FoundDecision, FoundField } from "./find-decisions.ts";

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

export type FieldStudy = FoundField & {
  /** Of calls whose input came before: how often the LLM says the same again. */
  readonly consistency?: Estimate;
  readonly levels: readonly Level[];
  /** On held-out inputs: share that the student answers as the LLM did. */
  readonly agreement: Estimate;
  /** Share answered and risk at each threshold, strictest first. */
  readonly curve: readonly { readonly coverage: number; readonly risk: number }[];
  readonly trainingRows: number;
  readonly trainingMs: number;
};

export type DecisionStudy = Pick<FoundDecision, "prompt" | "rest"> & {
  readonly calls: number;
  /** Different inputs; the rest are repetitions. */
  readonly inputs: number;
  readonly fields: readonly FieldStudy[];
  /** Share of calls of which every field may be answered locally: only those need no LLM. By risk, as in each field. */
  readonly whole: readonly { readonly risk: number; readonly coverage: Estimate }[];
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
  const { prompt, rest, calls, fields } = decision;
  const task = taskOf(decision);
  const inputs = mergeRepeated(calls);
  await fill(store, task, { fields, inputs });
  const studied: { readonly study: FieldStudy; readonly answered: Answered }[] = [];
  for (const [index, scope] of scopesOf(store, task).entries()) {
    studied.push(await studyField({ scope, field: fields[index]!, calls, inputs }, options));
  }
  const whole = wholeOf(
    studied.map(({ answered }) => answered),
    options.risks,
  );
  return { prompt, rest, calls: calls.length, inputs: inputs.size, fields: studied.map((one) => one.study), whole };
}

type Inputs = ReadonlyMap<RowId, DecisionCall>;

type FieldSources = {
  readonly scope: FieldScope;
  readonly field: FoundField;
  readonly calls: readonly DecisionCall[];
  readonly inputs: Inputs;
};

async function studyField({ scope, field, calls, inputs }: FieldSources, options: StudyOptions) {
  const { store, task } = scope;
  await deriveLabels({ store, task });
  const card = await trainStudent({ ...options, store, task, outOfFold: false });
  const policies: Policy[] = [];
  for (const risk of options.risks) {
    const target = { kind: "regret", risk, delta: options.delta } as const;
    const question = { ...options, store, task: { ...task, target }, modelId: card.id, spending: "each" } as const;
    policies.push(await calibrateModel(question));
  }
  const consistency = consistencyOf(calls, field.name);
  const tried = await tryHeldOut(store, card, { policies, labelOf: (id) => inputs.get(id)?.labels.get(field.name) });
  const { trainingRows, trainingMs } = card;
  const study: FieldStudy = {
    ...field,
    ...(consistency && { consistency }),
    levels: policies.map(levelOf),
    ...measure(tried),
    trainingRows,
    trainingMs,
  };
  return { study, answered: new Map(tried.map(({ id, answered }) => [id, answered])) };
}

/** Fields are called by number: what a log calls them need not be a name that a task may have. */
function taskOf({ prompt, fields }: FoundDecision): FieldsTask {
  const instructions = prompt.trim() || "As in the log.";
  // A first look takes seconds: one field of few labels leaves time to choose between two strengths of the penalty.
  const isFew = fields.length === 1 && fields.every(({ labels }) => labels.length <= FEW_LABELS);
  return defineFieldsTask({
    name: "decision",
    input: "text",
    fields: Object.fromEntries(
      fields.map(({ labels }, index) => [
        fieldKey(index),
        { instructions, output: { kind: "choice", choices: labels.map(({ value }) => value) } },
      ]),
    ),
    teacher: { model: "compatible/log" },
    student: { trainer: "linear-text", text: { c: isFew ? [1, 10] : [10] } },
  });
}

const fieldKey = (index: number): string => `field-${index}`;

const FEW_LABELS = 10;

/** The first call of each input stands for it. */
function mergeRepeated(calls: readonly DecisionCall[]): Inputs {
  const inputs = new Map<RowId, DecisionCall>();
  for (const call of calls) {
    const id = rowId(identityOfText(call.text));
    if (!inputs.has(id)) inputs.set(id, call);
  }
  return inputs;
}

function consistencyOf(calls: readonly DecisionCall[], field: string): Estimate | undefined {
  const first = new Map<string, LabelValue>();
  let [repeated, same] = [0, 0];
  for (const { text, labels } of calls) {
    const label = labels.get(field);
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

type Filling = { readonly fields: readonly FoundField[]; readonly inputs: Inputs };

async function fill(store: Store, task: FieldsTask, { fields, inputs }: Filling): Promise<void> {
  const entries = [...inputs];
  for (let start = 0; start < entries.length; start += GROUP) {
    const group = entries.slice(start, start + GROUP);
    await store.rows.put(group.map(([id, { text }]) => toRow(id, text, task)));
    await store.annotations.put(group.flatMap(([id, call]) => toAnnotations(id, call, { task, fields })));
  }
}

function toRow(id: RowId, text: string, task: FieldsTask): Row {
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

function toAnnotations(
  id: RowId,
  { labels, call }: DecisionCall,
  { task, fields }: { readonly task: FieldsTask; readonly fields: readonly FoundField[] },
): readonly TeacherAnnotation[] {
  const asked = { rowId: id, pass: LIVE_PASS, promptVersion: promptVersion(task) };
  const given = fields.flatMap(({ name }, index) => {
    const value = labels.get(name);
    return value === undefined ? [] : [[fieldKey(index), { value }] as const];
  });
  return annotationsOf(
    {
      ...asked,
      id: teacherAnnotationId(asked),
      at: call.at ?? 0,
      annotator: "teacher",
      teacher: call.model ?? "unnamed",
      simulated: false,
    },
    fieldNames(task),
    {
      given: Object.fromEntries(given),
      failure: { code: "log_answer_unreadable", message: "no label" },
      usage: call.usage,
      costUsd: 0,
      latencyMs: call.latencyMs,
    },
  );
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

/** A certify row, which trained nothing, under the policy of each risk. */
type Tried = {
  readonly id: RowId;
  readonly confidence: number;
  readonly isRight: boolean;
  readonly answered: readonly boolean[];
};

/** By row: at each risk, whether the field would be answered locally. */
type Answered = ReadonlyMap<RowId, readonly boolean[]>;

async function tryHeldOut(
  store: Store,
  { id: model, classes }: ModelCard,
  {
    policies,
    labelOf,
  }: { readonly policies: readonly Policy[]; readonly labelOf: (id: RowId) => LabelValue | undefined },
): Promise<readonly Tried[]> {
  const certify = new Set<RowId>();
  for await (const row of store.rows.list({ split: "certify" })) certify.add(row.id);
  const tried: Tried[] = [];
  for await (const { rowId: id, logits, novelty } of store.predictions.ofModel(model, "held-out")) {
    const label = labelOf(id);
    if (label === undefined || !certify.has(id)) continue;
    const { top, confidence } = calibrateRow(policies[0]!.calibrator, logits);
    const answered = policies.map(
      (policy) => policy.threshold !== undefined && deferralScore({ confidence, novelty }, policy) >= policy.threshold,
    );
    tried.push({ id, confidence, isRight: classes[top] === label, answered });
  }
  return tried;
}

function measure(tried: readonly Tried[]): Pick<FieldStudy, "agreement" | "curve"> {
  const n = tried.length;
  if (n === 0) return { agreement: { value: 0, low: 0, high: 1, n }, curve: [] };
  const correct = tried.map(({ isRight }) => Number(isRight));
  const curve = riskCoverageCurve({ score: tried.map(({ confidence }) => confidence), correct });
  return {
    agreement: proportionEstimate(
      correct.reduce((sum, one) => sum + one, 0),
      n,
    ),
    curve: curve.map(({ coverage, errors }) => ({ coverage, risk: errors / n })),
  };
}

/** Of the rows that the LLM labelled in every field. */
function wholeOf(fields: readonly Answered[], risks: readonly number[]): DecisionStudy["whole"] {
  const [first, ...others] = fields;
  const rows = [...(first?.keys() ?? [])].filter((id) => others.every((field) => field.has(id)));
  return risks.map((risk, index) => {
    const answered = rows.filter((id) => fields.every((field) => field.get(id)?.[index] === true));
    const n = rows.length;
    return { risk, coverage: n === 0 ? { value: 0, low: 0, high: 1, n } : proportionEstimate(answered.length, n) };
  });
}
