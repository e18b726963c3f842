/**
 * @file The promise, by simulation: certified thresholds break it at most δ of the time, where tuning breaks it half the
 * time; the monitor false-alarms at most α of the time; intervals cover.
 *
 * The student is that of SCIENCE §2 «Power»: wrong 11.7 % of the time; with u the share of rows that are surer,
 * P(wrong | u) = (b + 1)·w·uᵇ with w = .117, b = 2.109. Its true risks have a closed form, so nothing is estimated twice:
 * selective risk at coverage c is w·cᵇ (5 % at 66.8 %), joint risk w·cᵇ⁺¹ (3 % at 64.5 %).
 */

import { describe, expect, test } from "vitest";
import { acceptedAt } from "../src/calibrate/accepted.ts";
import { chooseThreshold } from "../src/calibrate/choose-threshold.ts";
import { type Evidence, evidence, type Role, type Scores, scoresOf } from "../src/calibrate/evidence.ts";
import { fitCalibrator } from "../src/calibrate/fit-calibrator.ts";
import { observeRequest, startMonitor } from "../src/calibrate/monitor.ts";
import { spendDelta } from "../src/calibrate/spend-delta.ts";
import { thresholdGrid } from "../src/calibrate/threshold-grid.ts";
import { truthBound } from "../src/calibrate/truth-bound.ts";
import { tryCommittee } from "../src/calibrate/try-committee.ts";
import { dissentOf } from "../src/committee.ts";
import { deferralScore } from "../src/deferral.ts";
import { ppiMean } from "../src/math/ppi.ts";
import { quantile } from "../src/math/quantile.ts";
import { createRng, type Rng } from "../src/math/random.ts";
import { riskCoverageCurve } from "../src/math/selective.ts";
import { type Certificate, modelId, rowId, type Target } from "../src/records.ts";

const regret: Target = { kind: "regret", risk: 0.03, delta: 0.1 };
const selective: Target = { kind: "selective", risk: 0.05, delta: 0.1 };

/** A rate measured over `runs` may exceed its bound by three of its standard errors before we call the bound broken. */
const slack = (rate: number, runs: number): number => 3 * Math.sqrt((rate * (1 - rate)) / runs);

const [w, b] = [0.117, 2.109];
const trueRisk = (coverage: number, kind: Target["kind"]) => w * coverage ** (kind === "selective" ? b : b + 1);

/** Scores are uniform, so that a threshold t answers a share 1 − t of all traffic. */
function draw<R extends Role>(role: R, n: number, rng: Rng): Scores<R> {
  const score = Float64Array.from({ length: n }, () => rng.next());
  const correct = Uint8Array.from(score, (s) => Number(rng.next() >= (b + 1) * w * (1 - s) ** b));
  return { role, score, correct };
}

type Outcome = { readonly coverage: number; readonly broken: boolean };

/** Over many certify sets: mean coverage, and how often the true risk exceeds the target. */
function simulate(runs: number, run: (rng: Rng) => Outcome, seed: string) {
  const rng = createRng(seed);
  const outcomes = Array.from({ length: runs }, () => run(rng));
  return {
    coverage: outcomes.reduce((sum, { coverage }) => sum + coverage, 0) / runs,
    broken: outcomes.filter(({ broken }) => broken).length / runs,
  };
}

function certified(target: Target, n: number, rng: Rng): Outcome {
  const grid = thresholdGrid(draw("calibrate", Math.round(0.6 * n), rng));
  const verdict = chooseThreshold({ certify: draw("certify", n, rng), grid, target });
  const coverage = verdict.kind === "certified" ? 1 - verdict.threshold : 0;
  return { coverage, broken: trueRisk(coverage, target.kind) > target.risk };
}

/** What everybody does: the most coverage at which the calibration set shows the risk that one wants. */
function tuned(n: number, rng: Rng): Outcome {
  const curve = riskCoverageCurve(draw("certify", n, rng)).filter(({ risk }) => risk <= selective.risk);
  const coverage = 1 - (curve.at(-1)?.threshold ?? 1);
  return { coverage, broken: trueRisk(coverage, "selective") > selective.risk };
}

describe("a threshold", () => {
  const runs = 1000;

  // Least coverage: three points under SCIENCE's table (.47, .54, .57 for regret; .18, .34, .49 for selective).
  test.each([
    { target: regret, n: 200, leastCoverage: 0.44 },
    { target: regret, n: 500, leastCoverage: 0.51 },
    { target: regret, n: 1000, leastCoverage: 0.54 },
    { target: selective, n: 200, leastCoverage: 0.15 },
    { target: selective, n: 500, leastCoverage: 0.31 },
    { target: selective, n: 1000, leastCoverage: 0.46 },
  ])(
    "certified for $target.kind risk on $n rows keeps its promise, and is worth having",
    ({ target, n, leastCoverage }) => {
      const { coverage, broken } = simulate(runs, (rng) => certified(target, n, rng), `${target.kind}/${n}`);
      expect(broken).toBeLessThanOrEqual(target.delta + slack(target.delta, runs));
      expect(coverage).toBeGreaterThan(leastCoverage);
    },
  );

  test.each([200, 1000])("tuned on %i rows breaks its promise about half the time", (n) => {
    const { broken } = simulate(400, (rng) => tuned(n, rng), `tuned/${n}`);
    expect(broken).toBeGreaterThan(0.4);
    expect(broken).toBeLessThan(0.75);
  });

  describe("of a field whose rows are answered only where another field's student is sure as well", () => {
    /** The other student is sure, of all rows, where this one is wrong: the worst company that a field can be in. */
    function drawPair<R extends Role>(role: R, n: number, rng: Rng): readonly [Scores<R>, Scores<R>] {
      const own = draw(role, n, rng);
      const score = Float64Array.from(own.correct, (right) => (right ? rng.next() : 0.7 + 0.3 * rng.next()));
      const correct = Uint8Array.from(score, (s) => Number(rng.next() >= (b + 1) * w * (1 - s) ** b));
      return [own, { role, score, correct }];
    }

    const pool = drawPair("certify", 20_000, createRng("together/pool"));

    /** How often the first field's true risk exceeds its target where both must be sure. */
    function brokenShare(target: Target, runs: number): number {
      const run = (rng: Rng): Outcome => {
        const grids = drawPair("calibrate", 600, rng).map(thresholdGrid);
        const verdicts = drawPair("certify", 1000, rng).map((certify, field) =>
          chooseThreshold({ certify, grid: grids[field]!, target }),
        );
        const thresholds = verdicts.map((verdict) => (verdict.kind === "certified" ? verdict.threshold : Infinity));
        let [accepted, errors] = [0, 0];
        for (const [row, score] of pool[0].score.entries()) {
          if (score < thresholds[0]! || pool[1].score[row]! < thresholds[1]!) continue;
          accepted++;
          errors += 1 - pool[0].correct[row]!;
        }
        const risk = errors / (target.kind === "regret" ? 20_000 : Math.max(1, accepted));
        return { coverage: accepted / 20_000, broken: risk > target.risk };
      };
      return simulate(runs, run, `together/${target.kind}`).broken;
    }

    test("keeps its joint risk: of all rows, those answered and wrong can only become fewer", () => {
      expect(brokenShare(regret, 200)).toBeLessThanOrEqual(regret.delta + slack(regret.delta, 200));
    });

    test("does not keep its selective risk, which is why the task refuses it", () => {
      expect(brokenShare(selective, 200)).toBeGreaterThan(0.5);
    });
  });

  test("keeps its promise through the whole pipeline, however ill the confidence is calibrated", () => {
    const [pool, runs] = [makePool(3000), 150];
    const run = (rng: Rng): Outcome => {
      const calibrator = fitCalibrator(sample("calibrate", pool, { n: 240, rng }));
      const grid = thresholdGrid(scoresOf(calibrator, sample("calibrate", pool, { n: 240, rng })));
      const certify = scoresOf(calibrator, sample("certify", pool, { n: 400, rng }));
      const verdict = chooseThreshold({ certify, grid, target: regret });
      if (verdict.kind === "none") return { coverage: 0, broken: false };
      // The rows were drawn from the pool with replacement: the pool is the population, and its risk the true one.
      const { accepted, errors } = acceptedAt(scoresOf(calibrator, pool), verdict.threshold);
      return { coverage: accepted / 3000, broken: errors / 3000 > regret.risk };
    };
    const { coverage, broken } = simulate(runs, run, "pipeline");
    expect(broken).toBeLessThanOrEqual(regret.delta + slack(regret.delta, runs));
    expect(coverage).toBeGreaterThan(0.3);
  });

  test("under a committee that calibrate rows choose, or not, keeps its promise", () => {
    const [pool, runs] = [makePool(3000), 300];
    // Five students that see the pool's rows through noise of their own, which the boasting is no part of.
    const noise = createRng("members");
    const dissent = Array.from(pool.reference, (right, row) => {
      const own = pool.logits.subarray(row * 3, row * 3 + 3);
      const member = () => Array.from(own, (logit) => logit + (1 + right) * noise.normal());
      return dissentOf(own, [1, 2, 3, 4, 5].flatMap(member));
    });
    const calibrator = fitCalibrator(sample("calibrate", pool, { n: 240, rng: createRng("calibrator") }));
    const offered = { kind: "folds", committee: { kind: "folds", size: 5 } } as const;
    let kept = 0;
    const run = (rng: Rng): Outcome => {
      const fitting = sample("calibrate", pool, { n: 600, rng });
      const dissentIn = ({ rowIds }: Evidence<Role>) => rowIds.map((id) => dissent[Number(id.slice("pool ".length))]!);
      const scores = scoresOf(calibrator, fitting);
      const trial = tryCommittee({ offered, scores, dissent: dissentIn(fitting), target: regret });
      kept += Number(trial.kept);
      const rule = trial.kept ? { committee: offered.committee } : {};
      const underRule = <R extends Role>(rows: Evidence<R>): Scores<R> => {
        const [confident, dissenting] = [scoresOf(calibrator, rows), dissentIn(rows)];
        const score = confident.score.map((confidence, row) =>
          deferralScore({ confidence, dissent: dissenting[row] }, rule),
        );
        return { ...confident, score };
      };
      const grid = thresholdGrid(underRule(fitting));
      const verdict = chooseThreshold({
        certify: underRule(sample("certify", pool, { n: 400, rng })),
        grid,
        target: regret,
      });
      if (verdict.kind === "none") return { coverage: 0, broken: false };
      const { accepted, errors } = acceptedAt(underRule(pool), verdict.threshold);
      return { coverage: accepted / 3000, broken: errors / 3000 > regret.risk };
    };
    const { coverage, broken } = simulate(runs, run, "committee");
    expect(broken).toBeLessThanOrEqual(regret.delta + slack(regret.delta, runs));
    expect(coverage).toBeGreaterThan(0.3);
    expect(kept).toBeGreaterThan(0); // both rules were certified
    expect(kept).toBeLessThan(runs);
  });

  test("of five in a row, all hold together with probability 1 − δ, when δ is spent over them", () => {
    const run = (rng: Rng): Outcome => {
      const broken = [1, 2, 3, 4, 5].some((attempt) => {
        const certify = draw("certify", 300, rng);
        const grid = thresholdGrid(draw("calibrate", 100, rng));
        const verdict = chooseThreshold({ certify, grid, target: regret, delta: spendDelta(regret.delta, attempt) });
        return verdict.kind === "certified" && trueRisk(1 - verdict.threshold, "regret") > regret.risk;
      });
      return { coverage: 0, broken };
    };
    expect(simulate(500, run, "ever").broken).toBeLessThanOrEqual(regret.delta + slack(regret.delta, 500));
  });
});

/** 3,000 rows of three classes; a student that boasts, and whose boasting depends on the class. */
function makePool(n: number): Evidence<Role> {
  const rng = createRng("pool");
  const reference = Int32Array.from({ length: n }, () => rng.integer(3));
  const logits = new Float32Array(n * 3);
  reference.forEach((right, row) => {
    for (let c = 0; c < 3; c++) logits[row * 3 + c] = (2 + 2 * right) * (rng.normal() + (c === right ? 2 : 0));
  });
  const rowIds = Array.from(reference, (_, row) => rowId(`pool ${row}`));
  return evidence<Role>("calibrate", { rowIds, k: 3, logits, reference });
}

function sample<R extends Role>(role: R, pool: Evidence<Role>, { n, rng }: { n: number; rng: Rng }): Evidence<R> {
  const rows = Array.from({ length: n }, () => rng.integer(pool.rowIds.length));
  const logits = new Float32Array(n * 3);
  rows.forEach((row, place) => {
    logits.set(pool.logits.subarray(row * 3, row * 3 + 3), place * 3);
  });
  const reference = Int32Array.from(rows, (row) => pool.reference[row]!);
  return evidence(role, { rowIds: rows.map((row) => pool.rowIds[row]!), k: 3, logits, reference });
}

const certificate = (bound: number): Certificate => ({
  target: { kind: "regret", risk: bound, delta: 0.1 },
  deltaSpent: 0.1,
  reference: "teacher",
  bound,
  n: 500,
  accepted: 300,
  errors: 5,
  dataHash: "",
  modelId: modelId("m"),
  promptVersion: "v1",
  issuedAt: 0,
});

/** Uniform requests until the alarm; Infinity where none sounds within `most`. */
function requestsToAlarm(risk: number, most: number, rng: Rng): number {
  let monitor = startMonitor(certificate(0.05), 0.05);
  for (let request = 1; request <= most; request++) {
    monitor = observeRequest(monitor, { answered: true, wrong: rng.next() < risk });
    if (monitor.process.alarmedAt) return request;
  }
  return Infinity;
}

describe("the monitor", () => {
  test("at the certified risk itself, false-alarms within 3,000 requests at most α of the time", () => {
    const [rng, runs] = [createRng("false alarms"), 300];
    const alarms = Array.from({ length: runs }, () => requestsToAlarm(0.05, 3000, rng)).filter(Number.isFinite);
    expect(alarms.length / runs).toBeLessThanOrEqual(0.05 + slack(0.05, runs));
  });

  // Medians of SCIENCE §2: 156, 46 and 25 requests.
  test.each([
    [0.1, 156],
    [0.15, 46],
    [0.2, 25],
  ])("sounds when the risk has risen from .05 to %f, after about %i requests", (risk, median) => {
    const rng = createRng(`drift/${risk}`);
    const waits = Array.from({ length: 200 }, () => requestsToAlarm(risk, 3000, rng));
    const found = quantile(
      waits.map((wait) => Math.min(wait, 3000)),
      0.5,
    );
    expect(found).toBeGreaterThan(0.7 * median);
    expect(found).toBeLessThan(1.3 * median);
  });
});

describe("what people's rulings say", () => {
  test("PPI++ covers the true accuracy as often as it says, and is narrower than people alone", () => {
    const [rng, runs] = [createRng("ppi"), 600];
    let [covered, effective] = [0, 0];
    for (let run = 0; run < runs; run++) {
      const rows = Array.from({ length: 2200 }, () => {
        const right = Number(rng.next() < 0.85);
        return { right, judged: rng.next() < 0.93 ? right : 1 - right };
      });
      const [seen, unseen] = [rows.slice(0, 200), rows.slice(200)];
      const { low, high, effectiveN } = ppiMean({
        human: seen.map((row) => row.right),
        predicted: seen.map((row) => row.judged),
        predictedOnly: unseen.map((row) => row.judged),
      });
      covered += Number(low <= 0.85 && 0.85 <= high);
      effective += effectiveN / runs;
    }
    expect(covered / runs).toBeGreaterThan(0.95 - slack(0.95, runs));
    expect(effective).toBeGreaterThan(1.5 * 200);
  });

  test("the truth bound holds with probability 1 − δ of both bounds together", () => {
    const [rng, runs, teacherErrs] = [createRng("truth"), 1000, 0.05];
    let broken = 0;
    for (let run = 0; run < runs; run++) {
      // The certificate is taken to be just right and the errors not to overlap: the least favourable case.
      let teacherErrors = 0;
      for (let row = 0; row < 150; row++) teacherErrors += Number(rng.next() < teacherErrs);
      const { bound } = truthBound(certificate(0.03), { rulings: 150, teacherErrors }, 0.05);
      broken += Number(bound < 0.03 + teacherErrs);
    }
    expect(broken / runs).toBeLessThanOrEqual(0.05 + slack(0.05, runs));
  });
});
