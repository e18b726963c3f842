/**
 * @file The report in plain words: its headline, what the certificate promises and what voids it, or why there is none.
 * Pure functions of the data; whoever reads nothing else should still not be misled.
 */

import type { Certificate, RecallBound, Reference, Target } from "../records.ts";
import { compact, count, decimal, percent, plural, sample, short, usd } from "./format.ts";
import { type PolicySection, present, type ReportData, type TeacherAccuracy, type Truth } from "./report-data.ts";

export const truthNames: { readonly [T in Truth]: string } = {
  gold: "gold labels",
  person: "people’s rulings",
  teacher: "the teacher’s verdicts",
};

/** `against gold labels, n = 383` */
export const basisOf = ({ truth, n }: { readonly truth: Truth; readonly n: number }): string =>
  `against ${truthNames[truth]}, ${sample(n)}`;

/** Whether the student may answer at all. */
export type Standing = "none" | "uncertified" | "voided" | "certified";

export function standingOf(policy: PolicySection | undefined): Standing {
  if (!policy) return "none";
  if (policy.voided !== undefined || policy.promptChanged) return "voided";
  return policy.certificate && policy.threshold !== undefined ? "certified" : "uncertified";
}

/** One sentence. */
export function headline(data: ReportData): string {
  const policy = present(data.policy);
  switch (standingOf(policy)) {
    case "certified":
      return `The student answers ${percent(policy!.coverage.value, 0)} of traffic ${promiseInShort(policy!.target)}, certified${savings(data)}.`;
    case "voided":
      return "The certificate is void: every request goes to the teacher until the student is certified again.";
    case "uncertified":
      return "Nothing is certified yet: every request still goes to the teacher.";
    case "none":
      return headlineBeforePolicy(data);
  }
}

function headlineBeforePolicy({ student, labels, data }: ReportData): string {
  if (present(student)) return "A student is trained, but not certified: every request still goes to the teacher.";
  const labelled = present(labels);
  if (labelled) return `${plural(labelled.rows, "row")} labelled, no student trained yet.`;
  return data.rows > 0 ? `${plural(data.rows, "row")} ingested, none labelled yet.` : "The workspace is empty.";
}

function promiseInShort({ kind, risk }: Target): string {
  const most = percentShort(risk);
  return kind === "regret" ? `at no more than ${most} regret` : `with no more than ${most} of its answers wrong`;
}

function savings({ cost }: ReportData): string {
  const section = present(cost);
  if (!section) return "";
  const saved = section.savedPerMonthUsd.value;
  const volume = `${compact(section.referenceVolume)} requests a month`;
  return saved > 0
    ? `; it saves ${usd(saved)} at ${volume}`
    : `; at ${volume} it costs ${usd(-saved)} more than it saves`;
}

/** 0.03 → 3 %, 0.025 → 2.5 % */
export const percentShort = (share: number): string =>
  percent(share, Number.isInteger(Math.round(share * 1e6) / 1e4) ? 0 : 1);

/** What regret means, beneath the headline. */
export function explanation(data: ReportData): string | undefined {
  const policy = present(data.policy);
  if (!policy || standingOf(policy) !== "certified") return undefined;
  const who = policy.reference === "teacher" ? "the teacher" : "a person";
  return policy.target.kind === "regret"
    ? `Regret is an answer of the student’s that ${who} would not have given, counted over all requests. The rest of the traffic is escalated to the teacher.`
    : `Wrong is an answer that ${who} would not have given. The rest of the traffic is escalated to the teacher.`;
}

export type Clause = { readonly name: string; readonly text: string };

/** The certificate, clause by clause. */
export function certificateClauses(
  policy: PolicySection,
  certificate: Certificate,
  context: CertificateContext,
): readonly Clause[] {
  return [
    { name: "What is promised", text: promised(certificate.target, certificate.reference) },
    {
      name: "To whom",
      text: `To traffic like the ${count(certificate.n)} rows that it was tested on: a uniform sample, kept from training and calibration.`,
    },
    { name: "How sure", text: howSure(certificate) },
    ...(certificate.recall ?? []).map(recallClause),
    ...neverClause(policy),
    { name: "What counts as right", text: against(certificate.reference, context) },
    ...truthClause(policy),
    {
      name: "In force",
      text: `The student answers where its ${scoreName(policy)} is at least ${decimal(policy.threshold ?? 1)}${likeness(policy)}. That was ${count(certificate.accepted)} of the ${count(certificate.n)} rows.`,
    },
    {
      name: "What voids it",
      text: `Another student, other instructions, choices or teacher model (prompt version ${certificate.promptVersion}), an alarm of the monitor, or traffic that no longer looks like those rows.`,
    },
  ];
}

/** What the threshold is compared with. */
function scoreName({ committee }: PolicySection): string {
  if (!committee) return "confidence";
  return `committee’s score, (members of ${committee.size} that agree + confidence) / ${committee.size + 1},`;
}

/** Who decides beside the confidence, and why; undefined where the task offers nobody. */
export function committeeText({ committee, committeeTrial }: PolicySection): string | undefined {
  if (!committeeTrial) return undefined;
  const members = {
    folds: "trained with it, each without one fold of the rows",
    predecessors: "that served before it",
  };
  const why = sentence(committeeTrial.why);
  return committee
    ? `Beside the student, ${committee.size} models ${members[committee.kind]} are heard: fewer that disagree come before more, then confidence decides. ${why}`
    : why;
}

const likeness = ({ novelty }: PolicySection): string =>
  novelty ? ` and the input is like its training data (novelty at most ${decimal(novelty.limit)})` : "";

export type CertificateContext = { readonly teacher: string; readonly teacherAccuracy: TeacherAccuracy | undefined };

function promised({ kind, risk }: Target, reference: Reference): string {
  const most = percentShort(risk);
  const who = reference === "teacher" ? "what the teacher says" : "what a person says";
  return kind === "regret"
    ? `Of all requests, at most ${most} get an answer from the student that differs from ${who}.`
    : `Of the answers that the student gives, at most ${most} differ from ${who}.`;
}

function howSure({ deltaSpent, target, n, accepted, errors, bound }: Certificate): string {
  const sure = percentShort(1 - deltaSpent);
  const seen = target.kind === "regret" ? n : accepted;
  const spent =
    deltaSpent < target.delta ? `, its part of the ${short(target.delta)} allowed over all certificates` : "";
  return `With probability at least ${sure} over the draw of those rows (δ = ${short(deltaSpent)}${spent}). Seen: ${count(errors)} wrong in ${count(seen)}; upper bound ${percent(bound, 2)}.`;
}

/** A promise of its own, within the same δ. */
function recallClause({ value, recall, bound, n, missed }: RecallBound): Clause {
  return {
    name: `Recall of ${value}`,
    text: `Of all requests that are “${value}”, at least ${percentShort(recall)} are not answered with another class: they are answered so, or go to the teacher. Seen: ${count(missed)} missed in ${count(n)}; lower bound ${percent(bound, 2)}. It is certified at training and not monitored since.`,
  };
}

function neverClause({ never }: PolicySection): readonly Clause[] {
  if (!never) return [];
  return [{ name: "Never answered", text: `Where the student says ${never.join(" or ")}, the teacher is asked.` }];
}

function against(reference: Reference, { teacher, teacherAccuracy }: CertificateContext): string {
  if (reference === "person") return "People’s rulings. The promise is about the truth as they see it.";
  const teacherRight = teacherAccuracy
    ? ` The teacher itself is right in about ${percent(teacherAccuracy.value)} of cases (${truthNames[teacherAccuracy.truth]}, ${sample(teacherAccuracy.n)}).`
    : " How often the teacher itself is right is not known here.";
  return `The verdict of ${teacher}. Where the teacher errs, agreeing with it is no merit.${teacherRight}`;
}

/** Only where people have ruled on a uniform sample: the bound against the teacher, plus that on the teacher's own errors. */
function truthClause({ truth }: PolicySection): readonly Clause[] {
  if (!truth) return [];
  const { bound, delta, rulings, teacherErrors } = truth;
  return [
    {
      name: "Of the truth",
      text: `At most ${percent(bound)} of all requests get a wrong answer from the student, with probability at least ${percentShort(1 - delta)}: people contradicted the teacher on ${count(teacherErrors)} of ${count(rulings)} uniform rows.`,
    },
  ];
}

/** Why nothing is certified, and what would change that. */
export function noCertificateText({ noCertificate, voided, promptChanged }: PolicySection): string {
  if (voided !== undefined) return `Voided: ${voided}. Retrain and certify again.`;
  if (promptChanged) return "The task asks another question now than the one that was certified. Certify again.";
  if (!noCertificate) return "No certificate has been issued.";
  const { reason, moreRowsNeeded } = noCertificate;
  const rows = moreRowsNeeded
    ? ` At the error rates seen, about ${plural(moreRowsNeeded, "more certify row")} would do.`
    : " More rows alone would not do: the student has to get better first.";
  return `${sentence(reason)}${rows}`;
}

/** With a capital and a full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim().replace(/^\p{L}/u, (letter) => letter.toUpperCase());
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
