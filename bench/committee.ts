/**
 * @file Committee disagreement as the deferral score, with and without (SCIENCE D1), on `banking77` and on the replay of
 * `news-bias`, whose labels are an LLM majority's. In each draw a linear text student is trained with five members by folds, and
 * four earlier ones on growing parts of the same rows play its predecessors; calibrate rows choose, certify rows certify, and
 * the rest of the rows say what coverage and risk that came to. The same certified target throughout: joint risk 3 %, δ 10 %.
 *
 * Two rules for the choice are then tried on made-up students of which neither is better: how often does the committee win?
 */

import { chooseThreshold } from "../src/calibrate/choose-threshold.ts";
import { evidence, type Role, type Scores, scoresOf } from "../src/calibrate/evidence.ts";
import { fitCalibrator } from "../src/calibrate/fit-calibrator.ts";
import { thresholdGrid } from "../src/calibrate/threshold-grid.ts";
import { tryCommittee } from "../src/calibrate/try-committee.ts";
import { withPredecessors } from "../src/committee.ts";
import type { Student } from "../src/contracts.ts";
import { type DeferralRule, deferralScore, keepsTarget } from "../src/deferral.ts";
import { proportionEstimate } from "../src/math/estimate.ts";
import { compareCorrectness } from "../src/math/mcnemar.ts";
import { quantile } from "../src/math/quantile.ts";
import { createRng, fork, type Rng, shuffle } from "../src/math/random.ts";
import { riskCoverageCurve, selectiveSummary } from "../src/math/selective.ts";
import { type Committee, rowId } from "../src/records.ts";
import {
  classesIn,
  fitStudent,
  indicesOf,
  inputsOf,
  type LabelledText,
  readTexts,
  rounded,
  studentOf,
  trainOnce,
} from "./text-support.ts";

const threads = 2;
const target = { kind: "regret", risk: 0.03, delta: 0.1 } as const;
const draws = ["first", "second", "third", "fourth"];
/** Of the rest, enough to tell a risk of 3 % from one of 4. */
const measuredRows = 5000;
/** Of the training rows, what each predecessor had seen. */
const earlier = [0.3, 0.45, 0.6, 0.8];

const banking = { text: "text", label: "category" };
const sets = [
  {
    name: "banking77",
    rows: [...readTexts("banking77/train.csv", banking), ...readTexts("banking77/test.csv", banking)],
    sizes: { train: 1500, calibrate: 1500, certify: 2500 },
    c: [30],
  },
  {
    name: "news-bias",
    rows: readTexts("news-bias/llm-labelled.csv", { text: "text", label: "llm_majority_label" }),
    sizes: { train: 5000, calibrate: 3000, certify: 5000 },
    c: [3],
  },
] as const;
type Set = (typeof sets)[number];

type Heard<R extends Role> = {
  /** By confidence, once calibrated. */
  readonly evidence: ReturnType<typeof evidence<R>>;
  readonly dissent: { readonly [K in Committee["kind"]]: Float32Array };
};

type Students = { readonly folds: Student; readonly predecessors: Student };

async function hear<R extends Role>(
  { folds, predecessors }: Students,
  rows: readonly LabelledText[],
  role: R,
): Promise<Heard<R>> {
  const inputs = inputsOf(rows);
  const { classes } = folds;
  return {
    evidence: evidence(role, {
      rowIds: rows.map((_, row) => rowId(`${row}`)),
      k: classes.length,
      logits: await folds.predictLogits(inputs),
      reference: indicesOf(rows, classes),
    }),
    dissent: {
      folds: await folds.committee!.dissent(inputs),
      predecessors: await predecessors.committee!.dissent(inputs),
    },
  };
}

async function studentsOf(
  train: readonly LabelledText[],
  classes: readonly string[],
  c: readonly number[],
): Promise<Students & { readonly c: number }> {
  const fitted = await fitStudent(train, classes, threads, { c, keepsFolds: true });
  const student = await studentOf(fitted, classes);
  const members: Student[] = [];
  for (const share of earlier) {
    members.push(
      await studentOf(trainOnce(train.slice(0, Math.round(share * train.length)), classes, fitted.c), classes),
    );
  }
  return { folds: student, predecessors: withPredecessors(student, members), c: fitted.c };
}

const kinds = ["folds", "predecessors"] as const;
const committees: { readonly [K in Committee["kind"]]: Committee } = {
  folds: { kind: "folds", size: 5 },
  predecessors: { kind: "predecessors", size: earlier.length, members: [] },
};

function under<R extends Role>(
  scores: Scores<R>,
  dissent: ArrayLike<number> | undefined,
  rule: DeferralRule,
): Scores<R> {
  return {
    ...scores,
    score: scores.score.map((confidence, row) => deferralScore({ confidence, dissent: dissent?.[row] }, rule)),
  };
}

async function play({ name, rows, sizes, c }: Set, draw: string) {
  const rng = createRng(fork("committee", name, draw));
  const mixed = shuffle([...rows], rng);
  const from = [sizes.train, sizes.train + sizes.calibrate, sizes.train + sizes.calibrate + sizes.certify] as const;
  const train = mixed.slice(0, from[0]);
  const students = await studentsOf(train, classesIn(rows), c);
  const calibrate = await hear(students, mixed.slice(from[0], from[1]), "calibrate");
  const certify = await hear(students, mixed.slice(from[1], from[2]), "certify");
  const rest = await hear(students, mixed.slice(from[2], from[2] + measuredRows), "certify");
  const calibrator = fitCalibrator(calibrate.evidence);
  const [fitted, certifying, measured] = [
    scoresOf(calibrator, calibrate.evidence),
    scoresOf(calibrator, certify.evidence),
    scoresOf(calibrator, rest.evidence),
  ];
  const outcome = (kind: Committee["kind"] | undefined) => {
    const rule: DeferralRule = kind ? { committee: committees[kind] } : {};
    const of = <R extends Role>(scores: Scores<R>, heard: Heard<R>) => under(scores, kind && heard.dissent[kind], rule);
    const verdict = chooseThreshold({
      certify: of(certifying, certify),
      grid: thresholdGrid(of(fitted, calibrate)),
      target,
    });
    const seen = of(measured, rest);
    const threshold = verdict.kind === "certified" ? verdict.threshold : Number.POSITIVE_INFINITY;
    const n = seen.score.length;
    const answered = [...seen.score.keys()].filter((row) => seen.score[row]! >= threshold);
    const wrong = answered.filter((row) => seen.correct[row] === 0).length;
    const { aurc } = selectiveSummary(seen, { rng: createRng(draw), resamples: 2 });
    return { coverage: answered.length / n, risk: wrong / n, aurc: aurc.value, n };
  };
  const trials = kinds.map((kind) =>
    tryCommittee({
      offered: { kind, committee: committees[kind] },
      scores: fitted,
      dissent: [...calibrate.dissent[kind]],
      target,
    }),
  );
  const [confidence, ...committee] = [outcome(undefined), ...kinds.map(outcome)];
  const result = {
    accuracy: measured.correct.reduce((sum, one) => sum + one, 0) / measured.correct.length,
    rules: { confidence: confidence!, folds: committee[0]!, predecessors: committee[1]! },
    /** What serves where the task offers one kind. */
    chosen: {
      folds: trials[0]!.kept ? committee[0]! : confidence!,
      predecessors: trials[1]!.kept ? committee[1]! : confidence!,
    },
    kept: { folds: trials[0]!.kept, predecessors: trials[1]!.kept },
    microseconds: await timesOf(students, mixed.slice(from[2], from[2] + 500)),
  };
  console.log(
    name,
    draw,
    `C ${students.c}`,
    JSON.stringify(shown(result)),
    trials.map(({ why }) => why),
  );
  for (const student of [students.folds, students.predecessors]) await student[Symbol.asyncDispose]();
  return result;
}

/** Median of one decision, and of one question to each committee on top of it. */
async function timesOf({ folds, predecessors }: Students, rows: readonly LabelledText[]) {
  const medianOf = async (ask: (input: ReturnType<typeof inputsOf>) => Promise<unknown>) => {
    const times: number[] = [];
    for (const input of inputsOf(rows)) {
      const started = performance.now();
      await ask([input]);
      times.push(1000 * (performance.now() - started));
    }
    return Math.round(quantile(times, 0.5));
  };
  return {
    alone: await medianOf((input) => folds.predictLogits(input)),
    folds: await medianOf((input) => folds.committee!.dissent(input)),
    predecessors: await medianOf((input) => predecessors.committee!.dissent(input)),
  };
}

const shown = (result: object): unknown =>
  JSON.parse(JSON.stringify(result, (_, value) => (typeof value === "number" ? rounded(value, 4) : value)));

type Played = Awaited<ReturnType<typeof play>>;
type Outcome = Played["rules"]["confidence"];

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function summary(played: readonly Played[], pick: (one: Played) => Outcome) {
  const all = played.map(pick);
  return {
    coverage: rounded(mean(all.map(({ coverage }) => coverage)), 4),
    coverageGain: all.map(({ coverage }, draw) => rounded(coverage - played[draw]!.rules.confidence.coverage, 4)),
    risk: rounded(mean(all.map(({ risk }) => risk)), 4),
    /** Draws whose risk is shown to be above the target: by its 95 % interval, for 5,000 rows alone move it by half a point. */
    broken: all.filter(({ risk, n }) => proportionEstimate(Math.round(risk * n), n).low > target.risk).length,
    highestRisk: rounded(Math.max(...all.map(({ risk }) => risk)), 4),
    aurc: rounded(mean(all.map(({ aurc }) => aurc)), 5),
  };
}

// ── the choice, where neither rule is better ────────────────────────────────────────────────────────────────────────

/**
 * Two scores that see the same difficulty through noise of their own, equally loud unless `skill` makes the second's quieter.
 * About 13 % wrong.
 */
function madeUp(n: number, skill: number, rng: Rng) {
  const rows = Array.from({ length: n }, () => {
    const ease = rng.normal();
    const right = Number(rng.next() < 1 / (1 + Math.exp(-(2.6 + 1.8 * ease))));
    const [own, other] = [ease + 0.5 * rng.normal(), ease + (0.5 - skill) * rng.normal()];
    return { right, confidence: 1 / (1 + Math.exp(-own)), other: 1 / (1 + Math.exp(-other)) };
  });
  return {
    correct: Uint8Array.from(rows, ({ right }) => right),
    confidence: Float64Array.from(rows, ({ confidence }) => confidence),
    other: Float64Array.from(rows, ({ other }) => other),
  };
}

/** The obvious rule: each at its own threshold at the target, rows answered rightly by one and not by the other. */
function winsAtOwnThresholds(correct: Uint8Array, confidence: Float64Array, other: Float64Array): boolean {
  const rightly = (score: Float64Array) => {
    const n = score.length;
    const kept = riskCoverageCurve({ score, correct }).findLast((point) => keepsTarget(target, { ...point, n }));
    return correct.map((right, row) =>
      Number(right === 1 && score[row]! >= (kept?.threshold ?? Number.POSITIVE_INFINITY)),
    );
  };
  const { onlyFirst, onlySecond, p } = compareCorrectness(rightly(other), rightly(confidence));
  return onlyFirst > onlySecond && p < 0.05;
}

/** Ours. A dissent in [0, 1) under a committee of one puts any ranking into its score. */
function winsAtSameCoverage(correct: Uint8Array, confidence: Float64Array, other: Float64Array): boolean {
  const dissent = [...confidence].map((own, row) => 1 + own - 2 * other[row]!);
  const committee: Committee = { kind: "folds", size: 1 };
  return tryCommittee({
    offered: { kind: "folds", committee },
    scores: { role: "calibrate", score: confidence, correct },
    dissent,
    target,
  }).kept;
}

function shareOfWins(skill: number, runs = 300, n = 1500) {
  const rng = createRng(fork("choice", String(skill)));
  let [own, same] = [0, 0];
  for (let run = 0; run < runs; run++) {
    const { correct, confidence, other } = madeUp(n, skill, rng);
    own += Number(winsAtOwnThresholds(correct, confidence, other));
    same += Number(winsAtSameCoverage(correct, confidence, other));
  }
  return { ownThresholds: rounded(own / runs), sameCoverage: rounded(same / runs) };
}

const choice = {
  neitherBetter: shareOfWins(0),
  committeeBetter: shareOfWins(0.25),
  committeeMuchBetter: shareOfWins(0.45),
};
console.log("wins of 300 made-up committees", choice);

const figures: Record<string, unknown> = { choice };
let met = choice.neitherBetter.sameCoverage <= 0.05;
for (const set of sets) {
  const played: Played[] = [];
  for (const draw of draws) played.push(await play(set, draw));
  const rules = {
    confidence: summary(played, ({ rules }) => rules.confidence),
    folds: summary(played, ({ rules }) => rules.folds),
    predecessors: summary(played, ({ rules }) => rules.predecessors),
    foldsWhereKept: summary(played, ({ chosen }) => chosen.folds),
    predecessorsWhereKept: summary(played, ({ chosen }) => chosen.predecessors),
  };
  figures[set.name] = {
    accuracy: rounded(mean(played.map(({ accuracy }) => accuracy))),
    ...rules,
    kept: {
      folds: played.filter(({ kept }) => kept.folds).length,
      predecessors: played.filter(({ kept }) => kept.predecessors).length,
    },
    microseconds: played[0]!.microseconds,
  };
  const served = [rules.foldsWhereKept, rules.predecessorsWhereKept];
  met &&= served.every(({ coverage, broken }) => coverage >= rules.confidence.coverage - 0.005 && broken <= 1);
}
console.log(
  JSON.stringify({
    bar: "committee",
    figures,
    target: { falseWins: 0.05, coverageLost: 0.005, brokenOfFour: 1 },
    met,
  }),
);
