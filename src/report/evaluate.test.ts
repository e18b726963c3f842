import fc from "fast-check";
import { expect, test } from "vitest";
import type { Judged } from "./collect-held-out.ts";
import { confidenceHistogram, ranking, riskCoverage, thresholdTable } from "./evaluate.ts";

/** Two classes; the truth is always 0. */
function judged(
  rows: readonly { readonly confidence: number; readonly right: boolean; readonly teacher?: boolean }[],
): Judged {
  const confidence = Float64Array.from(rows, (row) => row.confidence);
  return {
    truth: "gold",
    n: rows.length,
    rowIds: [],
    reference: new Int32Array(rows.length),
    predicted: Int32Array.from(rows, ({ right }) => Number(!right)),
    correct: Uint8Array.from(rows, ({ right }) => Number(right)),
    confidence,
    score: confidence,
    rawConfidence: confidence,
    probabilities: Float64Array.from(
      rows.flatMap(({ confidence, right }) => (right ? [confidence, 1 - confidence] : [1 - confidence, confidence])),
    ),
    teacher: rows.map(({ teacher }) => (teacher === undefined ? undefined : teacher ? "a" : "b")),
    teacherCorrect: rows.map(({ teacher }) => teacher),
  };
}

const four = judged([
  { confidence: 0.95, right: true, teacher: true },
  { confidence: 0.9, right: false, teacher: true },
  { confidence: 0.6, right: true, teacher: false },
  { confidence: 0.5, right: false, teacher: true },
]);
const free = { perThousandUsd: () => undefined };

test("a threshold keeps the rows at or above it, and counts what it keeps", () => {
  const [loose, strict] = thresholdTable(four, { ...free, thresholds: [0.9, 0.6] });
  expect(loose).toMatchObject({ threshold: 0.6, answered: 3, escalated: { value: 0.25, n: 4 }, chosen: false });
  expect(loose!.accuracy).toMatchObject({ value: 2 / 3, n: 3 });
  expect(strict).toMatchObject({ threshold: 0.9, answered: 2, accuracy: { value: 0.5, n: 2 } });
});

test("student and teacher together: the teacher's answer counts where the row is escalated", () => {
  const [row] = thresholdTable(four, { ...free, thresholds: [0.9] });
  expect(row!.togetherAccuracy).toMatchObject({ value: 2 / 4, n: 4 }); // right, wrong | teacher wrong, teacher right
});

test("rows that the teacher never answered say nothing of the two together", () => {
  const [row] = thresholdTable(judged([{ confidence: 0.9, right: true }]), { ...free, thresholds: [0.5] });
  expect(row).not.toHaveProperty("togetherAccuracy");
});

test("where nothing stays there is no accuracy, not a made-up one", () => {
  const [row] = thresholdTable(four, { ...free, thresholds: [0.99] });
  expect(row).toMatchObject({ answered: 0, escalated: { value: 1 } });
  expect(row).not.toHaveProperty("accuracy");
});

test("the threshold in force takes its place among the others, once", () => {
  const table = thresholdTable(four, { ...free, thresholds: [0.5, 0.9], chosen: 0.7 });
  expect(table.map(({ threshold, chosen }) => [threshold, chosen])).toEqual([
    [0.5, false],
    [0.7, true],
    [0.9, false],
  ]);
  expect(thresholdTable(four, { ...free, thresholds: [0.5, 0.9], chosen: 0.9 })).toHaveLength(2);
});

const anyRows = fc.array(fc.record({ confidence: fc.double({ min: 0, max: 1, noNaN: true }), right: fc.boolean() }), {
  minLength: 2,
  maxLength: 40,
});

test("raising the threshold never raises coverage", () => {
  fc.assert(
    fc.property(anyRows, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }), (rows, thresholds) => {
      const answered = thresholdTable(judged(rows), { ...free, thresholds }).map((row) => row.answered);
      expect(answered).toEqual(answered.toSorted((a, b) => b - a));
    }),
  );
});

test("every row stands in one bin of the histogram", () => {
  fc.assert(
    fc.property(anyRows, (rows) => {
      const bins = confidenceHistogram(judged(rows));
      expect(bins.reduce((sum, { right, wrong }) => sum + right + wrong, 0)).toBe(rows.length);
      expect(bins[0]!.right + bins[0]!.wrong).toBeGreaterThan(0);
    }),
  );
});

test("the point in force lies on the risk–coverage curve", () => {
  const curve = riskCoverage(four, { ranking: ranking(four, 1), threshold: 0.6 });
  expect(curve.chosen).toEqual({ coverage: 0.75, risk: 1 / 3 });
  expect(curve.points).toContainEqual(curve.chosen);
  expect(riskCoverage(four, { ranking: ranking(four, 1) })).not.toHaveProperty("chosen");
});
