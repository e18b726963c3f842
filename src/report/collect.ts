/**
 * @file From the store to one immutable value with everything that a report shows. Reads only; every stage that has not run
 * leaves a section that says so.
 */

import { arch, platform } from "node:os";
import { customaryThresholds } from "../calibrate/threshold-table.ts";
import type { Clock, Student } from "../contracts.ts";
import type { Seed } from "../math/random.ts";
import type { SelectiveSummary } from "../math/selective.ts";
import type { ModelId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { classesOf, promptVersion, type Task } from "../task.ts";
import { collectConfusions } from "./collect-confusions.ts";
import { collectData } from "./collect-data.ts";
import { answersOf, collectHeldOut, type HeldOut, type Judged, judgeBy } from "./collect-held-out.ts";
import { collectInputs } from "./collect-inputs.ts";
import { collectLabels } from "./collect-labels.ts";
import { chooseSubject, type Subject, studentSection } from "./collect-student.ts";
import { collectTraffic } from "./collect-traffic.ts";
import { type CostQuestion, costWorksheet, perThousandAt } from "./cost.ts";
import { accuracyOf, calibrationSection, evaluate, ranking, riskCoverage, thresholdTable } from "./evaluate.ts";
import { latencySection, measureLatency } from "./latency.ts";
import {
  type CalibrationSection,
  type EvaluationSection,
  type Missing,
  type PolicySection,
  type ProvenanceEntry,
  present,
  type ReportData,
  type Section,
  type SpendSection,
  type TaskSummary,
} from "./report-data.ts";
import { type Survey, surveyAnnotations } from "./survey.ts";
import { chooseTruth, truths } from "./truth.ts";

export type CollectOptions = {
  readonly store: Store;
  readonly task: Task;
  readonly clock: Clock;
  readonly seed: Seed;
  /** The model to report on: the champion, else the newest, where absent. */
  readonly modelId?: ModelId;
  /** Loaded: its latency is measured. Without it, latency is that of served requests. */
  readonly student?: Student;
  /** Milliseconds of any origin, with fractions, for that measurement. */
  readonly nowMs?: () => number;
  readonly signal?: AbortSignal;
};

/** @throws FlywheelError `unknown_model` where `modelId` is not in the store */
export async function collectReport(options: CollectOptions): Promise<ReportData> {
  const { store, task, seed, signal } = options;
  const [gold, subject] = await Promise.all([store.gold.all(), chooseSubject(store, options.modelId)]);
  const heldOut = subject ? await collectHeldOut(store, subject.card.id) : undefined;
  const version = subject?.policy?.promptVersion ?? promptVersion(task);
  const wanted = new Set(heldOut?.rowIds);
  const survey = await surveyAnnotations({ store, promptVersion: version, gold, wanted, signal });
  const traffic = await collectTraffic(store);
  const latency = latencySection({
    measured: await measured(options),
    servedMs: traffic.servedMs,
    teacherMs: survey.singleCalls.latenciesMs,
  });
  const labels = await collectLabels(store, task, survey);
  const spend = present(labels)?.spend;
  const cost = costQuestion({ task, subject, survey, spend, imagesPerSecond: present(latency)?.imagesPerSecond });
  const study = await studyOf({ store, task, subject, heldOut, survey, seed, cost });
  return {
    task: taskSummary(task),
    seed,
    createdAt: options.clock.now(),
    simulatedTeacher: survey.simulated,
    data: await collectData(store, gold.size),
    labels,
    student: studentSection(subject),
    ...study,
    traffic: traffic.section,
    latency,
    rounds: await store.rounds.list(),
    cost: costWorksheet(cost),
    provenance: provenance({ subject, task, seed }),
  };
}

function taskSummary(task: Task): TaskSummary {
  const { model, secondModel } = task.teacher;
  return {
    name: task.name,
    inputKind: task.input,
    classes: classesOf(task),
    instructions: task.instructions,
    teacher: model,
    ...(secondModel !== undefined && { secondTeacher: secondModel }),
    target: task.target,
    promptVersion: promptVersion(task),
  };
}

async function measured({ store, student, nowMs = () => performance.now(), signal }: CollectOptions) {
  if (!student) return undefined;
  const inputs = await collectInputs(store);
  return inputs.length > 0 ? await measureLatency({ student, inputs, nowMs, signal }) : undefined;
}

type CostSources = {
  readonly task: Task;
  readonly subject: Subject | undefined;
  readonly survey: Survey;
  readonly spend: SpendSection | undefined;
  readonly imagesPerSecond: number | undefined;
};

function costQuestion({ task, subject, survey, spend, imagesPerSecond }: CostSources): CostQuestion {
  const { count, costUsd } = survey.singleCalls;
  const policy = subject?.policy;
  const answers = policy?.threshold !== undefined && subject?.voided === undefined;
  return {
    task,
    coverage: answers ? policy.coverage : { value: 0, low: 0, high: 0, n: policy?.coverage.n ?? 0 },
    teacherPerCallUsd: count > 0 ? costUsd / count : 0,
    labellingUsd: spend ? spend.spentUsd - spend.trafficUsd : 0,
    rulings: survey.rulings,
    imagesPerSecond,
    trainingMs: subject?.card.trainingMs ?? 0,
  };
}

// ── the student on held-out rows ────────────────────────────────────────────────────────────────────────────────────

type Study = {
  readonly evaluation: Section<EvaluationSection>;
  readonly calibration: Section<CalibrationSection>;
  readonly policy: Section<PolicySection>;
};

type StudySources = {
  readonly store: Store;
  readonly task: Task;
  readonly subject: Subject | undefined;
  readonly heldOut: HeldOut | undefined;
  readonly survey: Survey;
  readonly seed: Seed;
  readonly cost: CostQuestion;
};

const untrained: Missing = { missing: "There is no student to measure yet.", next: "flywheel train" };
const unmeasured: Missing = {
  missing: "The student has no held-out rows on which anybody's word is known, so it cannot be measured.",
  next: "flywheel train",
};
const uncalibrated: Missing = {
  missing: "The student has not been calibrated or certified yet.",
  next: "flywheel train",
};

async function studyOf(sources: StudySources): Promise<Study> {
  const { store, subject, heldOut, survey, seed } = sources;
  if (!subject || !heldOut) return { evaluation: untrained, calibration: untrained, policy: untrained };
  const { card, policy } = subject;
  const known = { heldOut, answers: answersOf(heldOut, card.classes, policy?.calibrator), words: survey.words };
  const byTruth = truths.map((truth) => judgeBy(truth, known)).filter(({ n }) => n > 0);
  const judged = chooseTruth(byTruth);
  // One row has no spread, and nothing to say.
  if (!judged || judged.n < 2) {
    return { evaluation: unmeasured, calibration: unmeasured, policy: policySection(sources, subject) };
  }
  const ranked = ranking(judged, seed);
  return {
    evaluation: {
      ...evaluate(judged, card.classes, seed),
      heldOut: heldOut.rowIds.length,
      accuracies: byTruth.map((each) => ({ truth: each.truth, accuracy: accuracyOf(each) })),
      confusions: await collectConfusions(store, judged, card.classes),
    },
    calibration: calibrationSection(judged, { ranking: ranked, calibrator: policy?.calibrator, seed }),
    policy: policySection(sources, subject, { judged, ranked }),
  };
}

type Measured = { readonly judged: Judged; readonly ranked: SelectiveSummary };

function policySection({ task, cost }: StudySources, subject: Subject, measured?: Measured): Section<PolicySection> {
  const { policy, voided } = subject;
  if (!policy) return uncalibrated;
  const { threshold, certificate, noCertificate, truth } = policy;
  const perThousandUsd = (coverage: number) => perThousandAt(cost, coverage);
  return {
    policyId: policy.id,
    target: policy.target,
    reference: policy.reference,
    ...(threshold !== undefined && { threshold }),
    ...(certificate && { certificate }),
    ...(noCertificate && { noCertificate }),
    ...(truth && { truth }),
    ...(voided !== undefined && { voided }),
    promptChanged: policy.promptVersion !== promptVersion(task),
    coverage: policy.coverage,
    selectiveRisk: policy.selectiveRisk,
    warnings: policy.warnings,
    curve: measured ? riskCoverage(measured.judged, { ranking: measured.ranked, threshold }) : unmeasured,
    thresholds: measured
      ? thresholdTable(measured.judged, { thresholds: customaryThresholds, chosen: threshold, perThousandUsd })
      : [],
  };
}

// ── provenance ──────────────────────────────────────────────────────────────────────────────────────────────────────

type ProvenanceSources = {
  readonly subject: Subject | undefined;
  readonly task: Task;
  readonly seed: Seed;
};

function provenance({ subject, task, seed }: ProvenanceSources): readonly ProvenanceEntry[] {
  const { card, policy, champion } = subject ?? {};
  const entries: readonly (readonly [string, string | undefined])[] = [
    ["Task", task.name],
    ["Seed", String(seed)],
    ["Prompt version", promptVersion(task)],
    ["Model", card?.id],
    ["Trained with seed", card?.seed],
    ["Training data (hash)", card?.dataHash],
    ["Code that trained it", card?.codeVersion],
    ["Policy", policy?.id],
    ["Certified on (hash)", policy?.certificate?.dataHash],
    ["Champion version", champion && String(champion.version)],
    ["Node", process.versions.node],
    ["Machine", `${platform()} ${arch()}`],
  ];
  return entries.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}
