import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import type { RoundTraffic } from "../../improve/round-traffic.ts";
import type { Estimate, Round } from "../../records.ts";
import { modelId } from "../../records.ts";
import type { CalibrationSection, EvaluationSection, RiskCoverage, ThresholdRow } from "../report-data.ts";
import { classMeasurePoints, worstFirst } from "./class-measures.ts";
import { confidenceBars, confidenceChart } from "./confidence.ts";
import { classesDrawn, confusionCells, confusionChart, MOST_CLASSES_DRAWN } from "./confusion.ts";
import { costVolumeChart, teacherOnly, withWheel } from "./cost-volume.ts";
import type { Chart } from "./draw.ts";
import { latencyBars, latencyChart } from "./latency.ts";
import { decades } from "./marks.ts";
import { reliabilityChart, reliabilityPoints } from "./reliability.ts";
import { allowedRisk, readable, riskCoverageChart, thinned } from "./risk-coverage.ts";
import { accuracyChart, accuracyPoints, escalationChart, escalationPoints } from "./rounds.ts";
import { dark, light, withColours } from "./theme.ts";
import { isPriced, thresholdsChart, tradePoints } from "./thresholds.ts";
import { trainingChart } from "./training.ts";

const about = (value: number, n = 100): Estimate => ({ value, low: value - 0.05, high: value + 0.05, n });

const evaluation: EvaluationSection = {
  truth: "gold",
  n: 30,
  heldOut: 30,
  classes: ["apple", "pear", "plum"],
  confusion: [
    [8, 2, 0],
    [1, 9, 0],
    [0, 0, 10],
  ],
  accuracy: about(0.9, 30),
  accuracies: [],
  balancedAccuracy: about(0.9, 30),
  mcc: about(0.85, 30),
  constantAccuracy: 1 / 3,
  resolution: 0.1,
  perClass: [
    { label: "apple", support: 10, precision: about(0.89), recall: about(0.8), f1: about(0.84) },
    { label: "pear", support: 10, precision: about(0.82), recall: about(0.9), f1: about(0.86) },
    { label: "plum", support: 10 },
  ],
  confusions: [],
};

const calibration: CalibrationSection = {
  truth: "gold",
  n: 30,
  bins: [
    { confidence: 0.6, accuracy: about(0.5, 15) },
    { confidence: 0.9, accuracy: about(0.92, 15) },
  ],
  ece: about(0.06, 30),
  eceBefore: about(0.1, 30),
  brier: about(0.1, 30),
  nll: about(0.2, 30),
  histogram: [
    { from: 0.5, to: 0.55, right: 3, wrong: 2 },
    { from: 0.55, to: 0.6, right: 0, wrong: 0 },
  ],
};

const curve: RiskCoverage = {
  truth: "gold",
  n: 4,
  aurc: about(0.1, 4),
  points: [0.25, 0.5, 0.75, 1].map((coverage) => ({ coverage, risk: coverage / 10 })),
  chosen: { coverage: 0.5, risk: 0.05 },
};

const thresholds: readonly ThresholdRow[] = [
  { threshold: 0.5, chosen: false, escalated: about(0.2), answered: 80, accuracy: about(0.9, 80), perThousandUsd: 0.2 },
  { threshold: 0.8, chosen: true, escalated: about(0.5), answered: 50, accuracy: about(0.94, 50), perThousandUsd: 0.5 },
  { threshold: 0.99, chosen: false, escalated: about(0.95), answered: 0, perThousandUsd: 1 },
];

const round = (number: number, changes: Partial<Round> = {}): Round => ({
  round: number,
  startedAt: 0,
  endedAt: 1,
  labels: 100,
  challenger: modelId("m"),
  promoted: true,
  why: "better",
  escalated: about(0.5 - number / 10),
  accuracy: about(0.9),
  coverage: about(0.6),
  requests: 100,
  costUsd: 1,
  ...changes,
});
const rounds = [round(1), round(2, { promoted: false })];
const sinceLastRound = { requests: 50, escalated: about(0.25, 50) };

const volumes = [10_000, 100_000, 1_000_000].map((perMonth) => ({
  perMonth,
  llmUsd: perMonth / 1000,
  hostingUsd: 30,
  escalationsUsd: perMonth / 4000,
  auditsUsd: 0,
  rulingsUsd: 0,
  retrainUsd: 0,
  warmUpUsd: 0,
  flywheelUsd: 30 + perMonth / 4000,
  savedShare: 0,
}));

const latency = {
  student: { p50Ms: 4, p95Ms: 9, n: 40 },
  teacher: { p50Ms: 900, p95Ms: 2000, n: 100 },
  studentBasis: "measured",
} as const;

const worksheet = { volumes, breakEvenPerMonth: 40_000 } as unknown as Parameters<typeof costVolumeChart>[0];
const student = {
  history: [1, 2, 3].map((epoch) => ({ epoch, loss: 1 / epoch, accuracy: 0.5 })),
} as unknown as Parameters<typeof trainingChart>[0];

const charts: readonly Chart[] = [
  confusionChart(evaluation),
  reliabilityChart(calibration),
  confidenceChart(calibration, 0.8),
  riskCoverageChart(curve, { kind: "regret", risk: 0.03, delta: 0.1 }),
  thresholdsChart(thresholds, curve),
  costVolumeChart(worksheet),
  latencyChart(latency),
  escalationChart(rounds, sinceLastRound),
  accuracyChart(rounds),
  trainingChart(student),
];

const parse = (svg: string) => parseHTML(`<!doctype html><html><body>${svg}</body></html>`).document;

describe("data of the charts", () => {
  test("confusion: every pair that occurs, as a share of its row", () => {
    expect(confusionCells(evaluation)).toContainEqual({
      truth: "apple",
      student: "pear",
      count: 2,
      share: 0.2,
      right: false,
    });
    expect(confusionCells(evaluation)).toHaveLength(5);
  });

  test("confusion: of too many classes those with most errors are drawn, in their order", () => {
    const k = MOST_CLASSES_DRAWN + 2;
    const classes = Array.from({ length: k }, (_, i) => `c${i}`);
    const confusion = classes.map((_, i) => classes.map((_, j) => (i === j ? 9 : i === 5 && j === 25 ? 3 : 0)));
    const drawn = classesDrawn({ ...evaluation, classes, confusion });
    expect(drawn).toHaveLength(MOST_CLASSES_DRAWN);
    expect(drawn).toContain("c25");
    expect(drawn).toEqual(classes.filter((name) => drawn.includes(name)));
  });

  test("class measures: worst first, undefined measures left out", () => {
    expect(worstFirst(evaluation.perClass).map(({ label }) => label)).toEqual(["apple", "pear", "plum"]);
    expect(classMeasurePoints(evaluation.perClass)).toHaveLength(4);
  });

  test("reliability: one point a bin, with its interval", () => {
    expect(reliabilityPoints(calibration.bins)[0]).toEqual({
      confidence: 0.6,
      accuracy: 0.5,
      low: 0.45,
      high: 0.55,
      n: 15,
    });
  });

  test("confidence: wrong rows on the axis, right ones on top", () => {
    expect(confidenceBars(calibration.histogram).slice(0, 2)).toEqual([
      { from: 0.5, to: 0.55, y1: 0, y2: 2, right: false, rows: 2 },
      { from: 0.5, to: 0.55, y1: 2, y2: 5, right: true, rows: 3 },
    ]);
  });

  test("allowed risk: level for a selective target, risk ÷ coverage for regret", () => {
    const regret = allowedRisk({ kind: "regret", risk: 0.03, delta: 0.1 }, 0.1);
    expect(regret.at(-1)).toEqual({ coverage: 1, risk: 0.03 });
    expect(regret[0]!.coverage).toBeCloseTo(0.3, 9);
    const selective = allowedRisk({ kind: "selective", risk: 0.05, delta: 0.1 }, 0.1);
    expect(selective.every(({ risk }) => risk === 0.05)).toBe(true);
  });

  test("long curves are thinned evenly, ends kept; the first few rows are left out", () => {
    const points = Array.from({ length: 1001 }, (_, index) => index);
    expect(thinned(points, 5)).toEqual([0, 250, 500, 750, 1000]);
    expect(thinned([1, 2], 5)).toEqual([1, 2]);
    expect(
      readable([
        { coverage: 0.01, risk: 1 },
        { coverage: 0.5, risk: 0 },
      ]),
    ).toEqual([{ coverage: 0.5, risk: 0 }]);
  });

  test("thresholds: points where anything stays, priced by the teacher or by the escalated share", () => {
    expect(tradePoints(thresholds).map(({ price }) => price)).toEqual([0.2, 0.5]);
    const unpriced = thresholds.map(({ perThousandUsd: _, ...row }) => row);
    expect(isPriced(unpriced)).toBe(false);
    expect(tradePoints(unpriced).map(({ price }) => price)).toEqual([0.2, 0.5]);
  });

  test("rounds in order, those that measured nothing left out", () => {
    const nothing = round(3, { accuracy: { value: 0, low: 0, high: 1, n: 0 } });
    expect(accuracyPoints([nothing, ...rounds.toReversed()]).map((point) => point.round)).toEqual([1, 2]);
  });

  test("traffic since the last round comes last, where there is any", () => {
    const of = (since: RoundTraffic) => escalationPoints(rounds, since).map(({ round, n }) => [round, n]);
    expect(of(sinceLastRound).at(-1)).toEqual(["now", 50]);
    expect(of({ requests: 0, escalated: about(0, 0) }).map(([round]) => round)).toEqual([1, 2]);
    expect(escalationChart(rounds, sinceLastRound).description).toContain("; now: 25.0");
  });

  test("cost and latency", () => {
    expect(teacherOnly(volumes)[0]).toEqual({ perMonth: 10_000, usd: 10 });
    expect(withWheel(volumes)[0]).toEqual({ perMonth: 10_000, usd: 32.5 });
    expect(latencyBars(latency).map(({ who }) => who)).toEqual(["student", "teacher"]);
    expect(decades(10_000, 10_000_000)).toEqual([1e4, 1e5, 1e6, 1e7]);
  });
});

describe.each(charts.map((chart) => [chart.name, chart] as const))("the %s chart", (name, chart) => {
  const sizes = ["wide", "narrow"] as const;

  test("has a name and a description for those who cannot see it", () => {
    for (const size of sizes) {
      const svg = parse(chart.draw(size)).querySelector("svg")!;
      expect(svg.getAttribute("role")).toBe("img");
      expect(svg.getAttribute("aria-labelledby")).toBe(`${name}-${size}-title ${name}-${size}-description`);
      expect(svg.querySelector(`#${name}-${size}-title`)!.textContent).toBe(chart.title);
      expect(svg.querySelector(`#${name}-${size}-description`)!.textContent).toBe(chart.description);
    }
  });

  test("is drawn alike every time, in finite numbers of at most two decimals", () => {
    for (const size of sizes) {
      const svg = chart.draw(size);
      expect(chart.draw(size)).toBe(svg);
      expect(svg).not.toMatch(/NaN|Infinity|undefined/);
      for (const [, d] of svg.matchAll(/ (?:d|x1|y1|transform)="([^"]*)"/g)) expect(d).not.toMatch(/\.\d{3}/);
    }
  });

  test("takes its colours from the theme alone", () => {
    const svg = withColours(chart.draw("wide"), light);
    expect(svg).not.toContain("var(");
    expect(svg).not.toBe(withColours(chart.draw("wide"), dark));
    const colours = [...chart.draw("wide").matchAll(/(?:fill|stroke)="(#[^"]*|rgb[^"]*)"/g)].map(
      ([, colour]) => colour,
    );
    expect(colours).toEqual([]);
  });
});

test("labels of others are text in a drawing, never markup", () => {
  const hostile = `</text><script>alert("1")</script><img src=x onerror=alert(2)>`;
  const classes = [hostile, "pear", "plum"];
  const perClass = evaluation.perClass.map((each, index) => ({ ...each, label: classes[index]! }));
  const document = parse(confusionChart({ ...evaluation, classes, perClass }).draw("wide"));
  expect(document.querySelectorAll("script, img")).toHaveLength(0);
  expect(document.querySelector("svg")!.textContent).toContain(hostile);
});

test("the structure of a drawing", () => {
  const svg = parse(accuracyChart(rounds).draw("narrow")).querySelector("svg")!;
  const lines = [...svg.querySelectorAll("text, circle, line[stroke], path")].map((element) => {
    const place = ["transform", "cx", "cy", "d"].map((name) => element.getAttribute(name)).filter(Boolean);
    return [
      element.tagName.toLowerCase(),
      ...place,
      element.tagName.toLowerCase() === "text" ? element.textContent : "",
    ]
      .join(" ")
      .trim();
  });
  expect(lines).toMatchInlineSnapshot(`
    [
      "text translate(120,244) 1",
      "text translate(263,244) 2",
      "text translate(191,244) round",
      "text translate(48,244) 80 %",
      "text translate(48,194.5) 85 %",
      "text translate(48,145) 90 %",
      "text translate(48,95.5) 95 %",
      "text translate(48,46) 100 %",
      "path M120,145L263,145",
      "circle 120 145",
      "circle 263 145",
      "circle 120 145",
      "circle 48 46",
      "text translate(48,46) promoted (hollow: not)",
    ]
  `);
});
