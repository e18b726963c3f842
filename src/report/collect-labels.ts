/** @file What the teacher and people said: labels in force, agreement, the teacher's accuracy, failures, money. */

import { cohenKappa, observedAgreement } from "../math/agreement.ts";
import { ppiProportion } from "../math/ppi.ts";
import { LabelBasis, type LabelValue } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { classesOf, type Task } from "../task.ts";
import { uniformlyRuled } from "../verdict.ts";
import type { AgreementSection, LabelSection, Missing, Section, SpendSection, TeacherAccuracy } from "./report-data.ts";
import type { Survey, TeacherJudged } from "./survey.ts";
import { chooseTruth } from "./truth.ts";

/** Above this, two passes cannot have been independent (SCIENCE D5). */
const PASSES_ALIKE = 0.97;

export async function collectLabels(store: Store, task: Task, survey: Survey): Promise<Section<LabelSection>> {
  if (survey.annotations === 0) return { missing: "No row has been labelled yet.", next: "flywheel label" };
  const { byBasis, byClass, rows } = await countLabels(store, classesOf(task));
  return {
    rows,
    byBasis,
    byClass,
    agreement: agreementOf(survey.pairs, classesOf(task)),
    teacherAccuracy: teacherAccuracyOf(survey.judged),
    failed: survey.failedRows,
    failures: [...survey.failures].map(([code, failure]) => ({ code, ...failure })).sort((a, b) => b.count - a.count),
    rulings: survey.rulings,
    people: survey.people.size,
    annotations: survey.annotations,
    teachers: [...survey.teachers].map(([id, teacher]) => ({ id, ...teacher })),
    spend: await spendOf(store, task, survey),
  };
}

async function countLabels(store: Store, classes: readonly LabelValue[]) {
  const bases = new Map(LabelBasis.map((basis) => [basis, 0]));
  const labels = new Map(classes.map((name) => [name, 0]));
  let rows = 0;
  for await (const { label } of store.labels.list()) {
    rows++;
    bases.set(label.basis, (bases.get(label.basis) ?? 0) + 1);
    labels.set(label.value, (labels.get(label.value) ?? 0) + 1);
  }
  return {
    rows,
    byBasis: [...bases].map(([basis, count]) => ({ basis, count })),
    byClass: [...labels].map(([name, count]) => ({ name, count })),
  };
}

function agreementOf(pairs: Survey["pairs"], classes: readonly LabelValue[]): Section<AgreementSection> {
  const indexed = pairs.map((pair) => pair.map((value) => classes.indexOf(value))).filter((pair) => !pair.includes(-1));
  if (indexed.length === 0) {
    return { missing: "No row has two teacher passes, so agreement cannot be measured.", next: "teacher.passes: 2" };
  }
  const [first, second] = [indexed.map((pair) => pair[0]!), indexed.map((pair) => pair[1]!)];
  const observed = observedAgreement(first, second);
  const kappa = cohenKappa(first, second, classes.length);
  return { observed, ...(kappa && { kappa }), passesAlike: observed.value > PASSES_ALIKE };
}

/**
 * Counted on gold, else on rulings that are a uniform sample, else on whatever rulings there are (`selected`). Rows that
 * nobody judged lend their hint: whether the passes agree.
 */
export function teacherAccuracyOf(judged: readonly TeacherJudged[]): Section<TeacherAccuracy> {
  const answered = judged.filter(({ words }) => words.teacher !== undefined);
  const certify = judged.filter(({ split }) => split === "certify");
  const ruled = uniformlyRuled(certify, ({ words }) => words.person !== undefined);
  const samples = [
    sampleOf("gold", answered, false),
    sampleOf(
      "person",
      ruled.filter(({ words }) => words.teacher !== undefined),
      false,
    ),
    sampleOf("person", answered, true),
  ];
  const sample = chooseTruth(samples);
  if (!sample) return noTruth;
  const { truth, selected, rows } = sample;
  const known = new Set(rows);
  const estimate = ppiProportion({
    human: rows.map(({ words }) => Number(words.teacher === words[truth])),
    predicted: rows.map(({ passesAgree }) => passesAgree),
    predictedOnly: answered.filter((row) => !known.has(row)).map(({ passesAgree }) => passesAgree),
  });
  return { ...estimate, truth, selected };
}

function sampleOf(truth: "gold" | "person", candidates: readonly TeacherJudged[], selected: boolean) {
  const rows = candidates.filter(({ words }) => words[truth] !== undefined);
  return { truth, selected, rows, n: rows.length };
}

const noTruth: Missing = {
  missing: "Without gold labels or rulings nobody knows how often the teacher is right.",
  next: "flywheel review export",
};

async function spendOf(store: Store, task: Task, survey: Survey): Promise<SpendSection> {
  const { spentUsd, reservedUsd } = await store.spend.totals();
  return {
    spentUsd,
    reservedUsd,
    labellingUsd: survey.labellingUsd,
    trafficUsd: survey.trafficUsd,
    ...(task.budgetUsd !== undefined && { budgetUsd: task.budgetUsd }),
  };
}
