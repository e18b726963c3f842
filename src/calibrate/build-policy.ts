/** @file Writes up a policy from its evidence. Pure. */

import { type Estimate, proportionEstimate } from "../math/estimate.ts";
import { createRng, fork, type Seed } from "../math/random.ts";
import { argmaxRows } from "../math/softmax.ts";
import type { Certificate, CommitteeTrial, LabelValue, NoveltyLimit, Policy, TruthBound } from "../records.ts";
import { certifyPromises } from "./certify-promises.ts";
import { type Evidence, type Role, type Scores, scoresOf } from "./evidence.ts";
import { fitCalibrator } from "./fit-calibrator.ts";
import { rulingsOn } from "./judged-rows.ts";
import { evidenceFrom, type HeldOut } from "./load-rows.ts";
import { noveltyLimit, underRule } from "./novelty.ts";
import { dataHash, type PolicySource } from "./policy-id.ts";
import { thresholdGrid } from "./threshold-grid.ts";
import { truthBound } from "./truth-bound.ts";
import { tryCommittee } from "./try-committee.ts";
import type { Verdict } from "./verdict.ts";
import { labelWarnings, noveltyWarnings, rankingWarnings, splitWarnings } from "./warnings.ts";

export type PolicyParts = Omit<PolicySource, "spending"> & {
  readonly id: Policy["id"];
  readonly heldOut: { readonly [R in Role]: HeldOut };
  /** δ to spend on the certificate. */
  readonly delta: number;
  readonly seed: Seed;
  readonly at: number;
};

export function buildPolicy(parts: PolicyParts): Policy {
  const { id, task, card, promptVersion, judged, at } = parts;
  const calibrate = evidenceFrom("calibrate", judged.calibrate, card.classes);
  const calibrator = fitCalibrator(calibrate);
  const confidence = scoresOf(calibrator, calibrate);
  const trial = trialOf(confidence, parts);
  const committee = trial?.kept ? parts.offered?.committee : undefined;
  const ofCommittee = committee && { committee };
  const { never } = task.target;
  const saidTo = (rows: Evidence<Role>) => valuesOf(rows, card.classes);
  const before = { ...ofCommittee, ...(never && { never }) };
  const fitted = underRule(confidence, judged.calibrate, before, saidTo(calibrate));
  const novelty = limitOf(fitted, parts);
  const rule = { ...before, ...(novelty && { novelty }) };
  const held = evidenceFrom("certify", judged.certify, card.classes);
  const certify = underRule(scoresOf(calibrator, held), judged.certify, rule, saidTo(held));
  const verdict = certifyScores(fitted, certify, parts);
  const rng = createRng(fork(parts.seed, "calibrate", "ranking"));
  return {
    id,
    modelId: card.id,
    promptVersion,
    classes: card.classes,
    calibrator,
    target: task.target,
    reference: task.reference,
    ...standingOf(verdict, parts),
    ...rule,
    ...(trial && { committeeTrial: trial }),
    ...sharesOf(verdict, certify.score.length),
    warnings: [
      ...labelWarnings(judged.certify, task),
      ...splitWarnings(parts.heldOut, judged.calibrate.length),
      ...noveltyWarnings({ share: parts.outOfScope, limit: novelty, rows: judged.calibrate.length }),
      ...rankingWarnings(fitted, { rng, isCertified: verdict.kind !== "none" }),
    ],
    createdAt: at,
  };
}

function trialOf(scores: Scores<"calibrate">, { offered, judged, task }: PolicyParts): CommitteeTrial | undefined {
  const dissent = judged.calibrate.map(({ row }) => row.dissent);
  return offered && tryCommittee({ offered, scores, dissent, target: task.target });
}

function limitOf(scores: Scores<"calibrate">, { judged, task, outOfScope }: PolicyParts): NoveltyLimit | undefined {
  if (outOfScope === 0) return undefined;
  const novelty = judged.calibrate.map(({ row }) => row.novelty ?? Number.POSITIVE_INFINITY);
  return noveltyLimit({ scores, novelty, target: task.target, share: outOfScope });
}

const valuesOf = ({ logits, k }: Evidence<Role>, classes: readonly LabelValue[]): readonly (LabelValue | undefined)[] =>
  [...argmaxRows(logits, k)].map((label) => classes[label]);

function certifyScores(
  fitted: Scores<"calibrate">,
  certify: Scores<"certify">,
  { task, delta, judged }: PolicyParts,
): Verdict {
  const references = judged.certify.map(({ reference }) => reference);
  const verdict = certifyPromises({ certify, references, grid: thresholdGrid(fitted), target: task.target, delta });
  // What is unfamiliar is left out for that, whatever the confidence: it says nothing of which way up this is.
  const correct = certify.correct.filter((_, row) => certify.score[row]! >= 0);
  return refuseUpsideDown(verdict, { correct, risk: task.target.risk });
}

/**
 * Joint risk alone would let a student answer a handful of requests wrongly. Where what it is surest of is wrong more often
 * than the rest, its confidence is upside down, and the promise, though kept, would serve nobody. Refusing never breaks it.
 * Where the answers themselves are wrong no more often than the target allows of all, there is nothing to refuse: a student
 * that errs on 5 of 334 rows, none of them among the five that it leaves, ranks badly and answers well.
 */
export function refuseUpsideDown(
  verdict: Verdict,
  { correct, risk }: Pick<Scores<"certify">, "correct"> & { readonly risk: number },
): Verdict {
  if (verdict.kind === "none" || verdict.accepted === 0) return verdict;
  const [answered, all] = [
    verdict.errors / verdict.accepted,
    correct.reduce((sum, one) => sum + 1 - one, 0) / correct.length,
  ];
  if (answered <= Math.max(all, risk)) return verdict;
  const share = (rate: number) => `${(100 * rate).toFixed(1)} %`;
  const reason = `of the ${verdict.accepted} rows that it is surest of, ${share(answered)} are wrong, against ${share(all)} of all: its confidence says nothing; improve the student`;
  return { kind: "none", reason, moreRowsNeeded: undefined, tested: true };
}

type Standing = Pick<Policy, "threshold" | "certificate" | "noCertificate" | "truth">;

function standingOf(verdict: Verdict, parts: PolicyParts): Standing {
  if (verdict.kind === "none") {
    const { reason, moreRowsNeeded, tested } = verdict;
    const missing = moreRowsNeeded === undefined ? {} : { moreRowsNeeded };
    return { noCertificate: { reason, ...missing, ...(tested && { deltaSpent: parts.delta }) } };
  }
  const certificate = certificateOf(verdict, parts);
  const truth = truthOf(certificate, parts);
  return { threshold: verdict.threshold, certificate, ...(truth && { truth }) };
}

function certificateOf(verdict: Extract<Verdict, { readonly kind: "certified" }>, parts: PolicyParts): Certificate {
  const { task, card, promptVersion, judged, delta, at } = parts;
  return {
    target: task.target,
    deltaSpent: delta,
    reference: task.reference,
    bound: verdict.bound,
    n: judged.certify.length,
    accepted: verdict.accepted,
    errors: verdict.errors,
    ...(verdict.recall && { recall: verdict.recall }),
    dataHash: dataHash(judged.certify),
    modelId: card.id,
    promptVersion,
    issuedAt: at,
  };
}

/** Fewer rulings bound the teacher's error at nothing that anyone would want to read. */
const LEAST_RULINGS = 30;
/** Of the target's δ, spent on top of the certificate's own: the truth bound says what both cost. */
const RULINGS_SHARE = 0.5;

function truthOf(certificate: Certificate, { task, heldOut }: PolicyParts): TruthBound | undefined {
  if (certificate.reference !== "teacher" || certificate.target.kind !== "regret") return undefined;
  const rulings = rulingsOn(heldOut.certify.rows);
  if (rulings.rulings < LEAST_RULINGS) return undefined;
  return truthBound(certificate, rulings, RULINGS_SHARE * task.target.delta);
}

/** Says nothing, and says that it does: n is 0. */
const NOTHING_SEEN: Estimate = { value: 0, low: 0, high: 1, n: 0 };

function sharesOf(verdict: Verdict, n: number): Pick<Policy, "coverage" | "selectiveRisk"> {
  const { accepted, errors } = verdict.kind === "certified" ? verdict : { accepted: 0, errors: 0 };
  return {
    coverage: n > 0 ? proportionEstimate(accepted, n) : NOTHING_SEEN,
    selectiveRisk: accepted > 0 ? proportionEstimate(errors, accepted) : NOTHING_SEEN,
  };
}
