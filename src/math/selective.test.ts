import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { createRng, shuffle } from "./random.ts";
import { riskCoverageCurve, selectiveSummary } from "./selective.ts";

type Case = {
  readonly score: number[];
  readonly correct: number[];
  readonly auroc: number;
  readonly aurc: number | null;
};

const scoredRows = fc.array(
  fc.record({ score: fc.integer({ min: 0, max: 9 }), correct: fc.integer({ min: 0, max: 1 }) }),
  { minLength: 1, maxLength: 60 },
);
type Rows = readonly { readonly score: number; readonly correct: number }[];
const columns = (rows: Rows) => ({ score: rows.map((row) => row.score), correct: rows.map((row) => row.correct) });
const once = () => ({ rng: createRng(1), resamples: 20 });

describe("selective prediction", () => {
  test("AUROC agrees with scikit-learn, ties included; AURC with NumPy", () => {
    const golden = readGolden<Case[]>("math-selective");
    for (const { score, correct, auroc, aurc } of golden.cases) {
      const summary = selectiveSummary({ score, correct }, once());
      expectClose(summary.auroc!.value, auroc, golden);
      if (aurc !== null) expectClose(summary.aurc.value, aurc, golden);
    }
  });

  test("the curve ends at full coverage with the plain error rate, coverage ever growing", () => {
    fc.assert(
      fc.property(scoredRows, (rows) => {
        const curve = riskCoverageCurve(columns(rows));
        const last = curve.at(-1)!;
        expect(last.coverage).toBe(1);
        expect(last.errors).toBe(rows.filter((row) => row.correct === 0).length);
        curve.forEach((point, index) => {
          expect(point.accepted).toBe(rows.filter((row) => row.score >= point.threshold).length);
          if (index > 0) expect(point.coverage).toBeGreaterThan(curve[index - 1]!.coverage);
        });
      }),
    );
  });

  test("does not depend on the order of the rows", () => {
    fc.assert(
      fc.property(scoredRows, fc.integer(), (rows, seed) => {
        const [one, other] = [rows, shuffle(rows, createRng(seed))].map((of) => selectiveSummary(columns(of), once()));
        expect(other!.aurc.value).toBeCloseTo(one!.aurc.value, 10);
        expect(other!.auroc?.value ?? -1).toBeCloseTo(one!.auroc?.value ?? -1, 10);
        const share = (summary: typeof one) => summary!.errorShareInLeastConfident?.value ?? -1;
        expect(share(other)).toBeCloseTo(share(one), 10);
      }),
    );
  });

  test("a perfect ranking scores 1 and gathers the errors; no ranking is chance", () => {
    const score = Array.from({ length: 100 }, (_, row) => row);
    const perfect = selectiveSummary({ score, correct: score.map((row) => Number(row >= 10)) }, once());
    expect(perfect.auroc!.value).toBe(1);
    expect(perfect.errorShareInLeastConfident!.value).toBe(1);
    const flat = selectiveSummary({ score: score.map(() => 1), correct: score.map((row) => row % 2) }, once());
    expect(flat.auroc!.value).toBe(0.5);
    expect(flat.errorShareInLeastConfident!.value).toBeCloseTo(0.2, 12);
  });

  test("without any error there is nothing to rank", () => {
    const summary = selectiveSummary({ score: [1, 2], correct: [1, 1] }, once());
    expect(summary.auroc).toBeUndefined();
    expect(summary.errorShareInLeastConfident).toBeUndefined();
    expect(summary.aurc.value).toBe(0);
  });
});
