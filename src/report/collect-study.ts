/** @file The student on held-out rows: how good it is, whether its confidence means it, what each threshold would do. */

import { customaryThresholds } from "../calibrate/threshold-table.ts";
import type { Seed } from "../math/random.ts";
import type { SelectiveSummary } from "../math/selective.ts";
import type { Store } from "../store/contract.ts";
import { promptVersion, type Task } from "../task.ts";
import { collectConfusions } from "./collect-confusions.ts";
import { answersOf, type HeldOut, type Judged, judgeBy } from "./collect-held-out.ts";
import type { Subject } from "./collect-student.ts";
import { type CostQuestion, perThousandAt } from "./cost.ts";
import { accuracyOf, calibrationSection, evaluate, ranking, riskCoverage, thresholdTable } from "./evaluate.ts";
import type { CalibrationSection, EvaluationSection, Missing, PolicySection, Section } from "./report-data.ts";
import type { Survey } from "./survey.ts";
import { chooseTruth, truths } from "./truth.ts";

/** What the held-out rows say. */
export type Study = {
  readonly evaluation: Section<EvaluationSection>;
  readonly calibration: Section<CalibrationSection>;
  readonly policy: Section<PolicySection>;
};

export type StudySources = {
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

export async function studyOf(sources: StudySources): Promise<Study> {
  const { store, subject, heldOut, survey, seed } = sources;
  if (!subject || !heldOut) return { evaluation: untrained, calibration: untrained, policy: untrained };
  const { card, policy } = subject;
  const known = { heldOut, answers: answersOf(heldOut, card.classes, policy), words: survey.words };
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
  const { threshold, novelty, committee, committeeTrial, never, certificate, noCertificate, truth } = policy;
  const perThousandUsd = (coverage: number) => perThousandAt(cost, coverage);
  return {
    policyId: policy.id,
    target: policy.target,
    reference: policy.reference,
    ...(threshold !== undefined && { threshold }),
    ...(novelty && { novelty }),
    ...(never && { never }),
    ...(committee && { committee }),
    ...(committeeTrial && { committeeTrial }),
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
