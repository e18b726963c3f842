/** @file How the command line says things: the same words for the same kinds of number everywhere. */

import type { CandidateResult, Estimate, ModelCard, Policy, RecallBound } from "../records.ts";
import { warningsOf } from "../report/collect-features.ts";
import { bytes, compact, duration } from "../report/format.ts";

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
export const usd = (amount: number): string => `$${amount < 1 ? amount.toFixed(4) : amount.toFixed(2)}`;
/** A log's prompt, quoted; plain pairs of input and output have none. */
export const sayPrompt = (prompt: string): string => (prompt === "" ? "no instructions" : JSON.stringify(prompt));
export const shortId = (id: string): string => id.slice(0, 12);

/** "93.1 % (90.2–95.4)" */
const range = ({ value, low, high }: Estimate): string =>
  `${percent(value)} (${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)})`;

/** "93.1 % (90.2–95.4 %, n = 375)" */
export function estimate({ value, low, high, n }: Estimate): string {
  return n === 0 ? "unknown" : `${percent(value)} (${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)} %, n = ${n})`;
}

export function describeModel(card: ModelCard): string {
  const { trainer, parameters, sizeBytes, trainingRows } = card;
  return `${trainer} ${shortId(card.id)}: ${compact(parameters)} parameters, ${bytes(sizeBytes)}, ${trainingRows} training rows`;
}

/** More are in the report: a table may have hundreds of columns that are not read. */
const REMARKS_SHOWN = 10;

/** What is said before anything else. */
export const describeWarnings = (warnings: readonly string[]): readonly string[] =>
  warnings.map((warning) => `warning: ${warning}`);

/** What training remarked of the rows. */
export function describeRemarks(card: ModelCard): readonly string[] {
  const remarks = warningsOf(card);
  const more = remarks.length - REMARKS_SHOWN;
  return [
    ...remarks.slice(0, REMARKS_SHOWN).map((remark) => `warning: ${remark}`),
    ...(more > 0 ? [`… and ${more} more of these warnings, in the report`] : []),
  ];
}

/** The students that this one was chosen from, each with what speaks against it. */
export function describeCandidates(candidates: readonly CandidateResult[]): readonly string[] {
  const [first] = candidates;
  if (!first) return [];
  return [
    `students compared on ${first.accuracy.n} rows that certify nothing, cheapest first; coverage is what each would answer at the target`,
    ...candidates.map(describeCandidate),
    "  → the cheapest that is not shown to be worse, in accuracy (McNemar) or in coverage; it alone is certified",
  ];
}

function describeCandidate({ name, accuracy, coverage, behind, p, p50Ms, sizeBytes, chosen }: CandidateResult): string {
  const time = p50Ms === undefined ? "" : `, ${duration(p50Ms)} a decision`;
  const what = `coverage ${range(coverage)}, accuracy ${range(accuracy)}${time}, ${bytes(sizeBytes)}`;
  const lag = behind.value > 0 ? `; behind by ${range(behind)} of coverage, p ${p.toFixed(3)}` : "";
  return `  ${chosen ? "→" : " "} ${name}: ${what}${lag}`;
}

/** What is found of each field under its name, a little to the right. */
export function describeFields<T>(
  fields: Readonly<Record<string, T>>,
  describe: (found: T) => readonly string[],
): readonly string[] {
  return Object.entries(fields).flatMap(([name, found]) => [`${name}:`, ...describe(found).map((line) => `  ${line}`)]);
}

/** The certificate in plain words, or why there is none and what would change that. */
export function describePolicy(policy: Policy): readonly string[] {
  const { certificate, noCertificate, threshold, target, coverage, selectiveRisk, committee, committeeTrial } = policy;
  const promise = `${target.kind} risk ≤ ${percent(target.risk)} with probability ≥ ${percent(1 - target.delta)}`;
  const heard = committeeTrial ? [`committee: ${committeeTrial.why}`] : [];
  const score = committee
    ? `(members of ${committee.size} that agree + confidence) / ${committee.size + 1}`
    : "confidence";
  if (!certificate || threshold === undefined) {
    const more = noCertificate?.moreRowsNeeded;
    return [
      `not certified (${promise}): ${noCertificate?.reason ?? "no evidence"}`,
      ...(more === undefined ? [] : [`about ${more} more certify rows would be needed at the error rates seen`]),
      ...heard,
      ...policy.warnings.map((warning) => `warning: ${warning}`),
    ];
  }
  return [
    `certified against the ${certificate.reference}: ${promise}; bound ${percent(certificate.bound)} on ${certificate.n} rows`,
    ...(certificate.recall ?? []).map(describeRecall),
    ...describeNever(policy),
    `answers at ${score} ≥ ${threshold.toFixed(3)}: coverage ${estimate(coverage)}, wrong among answered ${estimate(selectiveRisk)}`,
    ...heard,
    ...policy.warnings.map((warning) => `warning: ${warning}`),
  ];
}

function describeRecall({ value, recall, bound, n, missed }: RecallBound): string {
  return `recall of "${value}" ≥ ${percent(recall)}: ${missed} of ${n} rows answered with another class, bound ${percent(bound)}; certified at training, not monitored`;
}

const describeNever = ({ never }: Policy): readonly string[] =>
  never ? [`never answers ${never.map((value) => `"${value}"`).join(", ")}`] : [];
