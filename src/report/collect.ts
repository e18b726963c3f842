/**
 * @file From the store to one immutable value with everything that a report shows. Reads only; every stage that has not run
 * leaves a section that says so.
 */

import type { Clock, Student } from "../contracts.ts";
import { trafficSince } from "../improve/round-traffic.ts";
import type { Seed } from "../math/random.ts";
import { warningsIn } from "../one-answer.ts";
import type { Estimate, ModelId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { classesOf, promptVersion, type Task } from "../task.ts";
import { collectData } from "./collect-data.ts";
import { collectHeldOut } from "./collect-held-out.ts";
import { collectInputs } from "./collect-inputs.ts";
import { collectLabels } from "./collect-labels.ts";
import { chooseSubject, type Subject, studentSection } from "./collect-student.ts";
import { studyOf } from "./collect-study.ts";
import { collectTraffic } from "./collect-traffic.ts";
import { type CostQuestion, costWorksheet } from "./cost.ts";
import { latencySection, measureLatency } from "./latency.ts";
import { provenance } from "./provenance.ts";
import { present, type ReportData, type SpendSection, type TaskSummary } from "./report-data.ts";
import { type Survey, surveyAnnotations } from "./survey.ts";

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
  const [warnings, gold, rounds, subject] = await Promise.all([
    warningsIn({ name: "", store, task }),
    store.gold.all(),
    store.rounds.list(),
    chooseSubject(store, options.modelId),
  ]);
  const heldOut = subject ? await collectHeldOut(store, { ...subject.policy, modelId: subject.card.id }) : undefined;
  const version = subject?.policy?.promptVersion ?? promptVersion(task);
  const wanted = new Set(heldOut?.rowIds);
  const survey = await surveyAnnotations({ store, promptVersion: version, gold, wanted, signal });
  const traffic = await collectTraffic(store);
  const latency = latencySection({
    measured: await measured(options),
    served: traffic.served,
    teacherMs: survey.singleCalls.latenciesMs,
  });
  const labels = await collectLabels(store, task, survey);
  const spend = present(labels)?.spend;
  const cost = costQuestion({ task, subject, survey, spend, imagesPerSecond: present(latency)?.imagesPerSecond });
  const study = await studyOf({ store, task, subject, heldOut, survey, seed, cost });
  return {
    task: taskSummary(task),
    ...(warnings.length > 0 && { warnings }),
    seed,
    createdAt: options.clock.now(),
    simulatedTeacher: survey.simulated,
    data: await collectData(store, gold.size),
    labels,
    student: studentSection(subject),
    ...study,
    traffic: traffic.section,
    latency,
    rounds,
    sinceLastRound: await trafficSince(rounds, store),
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
  return {
    task,
    coverage: coverageNow(task, subject),
    teacherPerCallUsd: count > 0 ? costUsd / count : 0,
    labellingUsd: spend ? spend.spentUsd - spend.trafficUsd : 0,
    rulings: survey.rulings,
    imagesPerSecond,
    trainingMs: subject?.card.trainingMs ?? 0,
  };
}

/** None where nothing is certified, or the certificate is void: then every request costs a teacher call. */
function coverageNow(task: Task, subject: Subject | undefined): Estimate {
  const { policy, voided } = subject ?? {};
  const answers =
    policy?.threshold !== undefined && voided === undefined && policy.promptVersion === promptVersion(task);
  return answers ? policy.coverage : { value: 0, low: 0, high: 0, n: policy?.coverage.n ?? 0 };
}
