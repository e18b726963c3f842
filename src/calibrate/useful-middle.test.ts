import { expect, test } from "vitest";
import { createRng } from "../math/random.ts";
import { scores } from "./testing.ts";
import { customaryThresholds, thresholdTable } from "./threshold-table.ts";
import { usefulMiddle } from "./useful-middle.ts";
import { rankingWarnings } from "./warnings.ts";

const rng = () => createRng("middle");
const even = Array.from({ length: 300 }, (_, row) => (row + 0.5) / 300);

test("a student that errs where it is unsure has a useful middle", () => {
  const sane = scores(
    "calibrate",
    even,
    even.map((score) => Number(score > 0.15)),
  );
  expect(usefulMiddle(sane, { rng: rng(), resamples: 50 }).kind).toBe("useful");
  expect(rankingWarnings(sane, { rng: rng(), isCertified: false })).toEqual([]);
});

test("a student that errs anywhere has none, and the warning carries the numbers", () => {
  const flat = scores(
    "calibrate",
    even,
    even.map((_, row) => Number(row % 10 !== 0)),
  );
  const verdict = usefulMiddle(flat, { rng: rng(), resamples: 50 });
  expect(verdict.kind).toBe("no-useful-middle");
  const warned = (isCertified: boolean) => rankingWarnings(flat, { rng: rng(), isCertified });
  expect(warned(false)).toEqual([
    "confidence does not separate correct from wrong answers well (AUROC 0.52, at least 0.75 is wanted; " +
      "errors among the least confident fifth: 20%, at least 35% is wanted): improve the student before routing by it",
  ]);
  // One verdict: what is certified may be routed by.
  expect(warned(true)[0]).toContain("the certificate holds all the same");
  expect(warned(true)[0]).not.toContain("before routing");
});

test("a number just below what is wanted is shown with the digits that tell them apart; one that is not is not shown", () => {
  const nearly = scores("calibrate", even, nearlyRanked());
  const middle = usefulMiddle(nearly, { rng: rng(), resamples: 50 });
  const auroc = middle.kind === "unknown" ? Number.NaN : middle.auroc.value;
  expect(auroc).toBeLessThan(0.75);
  expect(auroc.toFixed(2)).toBe("0.75");
  const [warning] = rankingWarnings(nearly, { rng: rng(), isCertified: false });
  expect(warning).toMatch(/\(AUROC 0\.74\d+, at least 0\.75 is wanted\):/);
});

/** Ten errors at the bottom, and ten that are moved up until the AUROC falls just below 0.75. */
function nearlyRanked(): number[] {
  for (let place = 10; place < 290; place++) {
    const correct = even.map((_, row) => Number(row >= 10 && (row < place || row >= place + 10)));
    if (aurocOf(correct) < 0.75 - 1e-9) return correct;
  }
  return [];
}

/** Share of pairs of a right and a wrong row in which the right one is higher up. */
function aurocOf(correct: readonly number[]): number {
  let [wrong, pairs] = [0, 0];
  for (const right of correct) {
    if (right) pairs += wrong;
    else wrong += 1;
  }
  return pairs / (wrong * (correct.length - wrong));
}

test("with fewer than ten errors nobody can say", () => {
  const few = scores(
    "calibrate",
    even,
    even.map((_, row) => Number(row > 8)),
  );
  expect(usefulMiddle(few, { rng: rng() })).toEqual({ kind: "unknown", errors: 9 });
});

test("the threshold table: stricter escalates more; where none is answered there is no accuracy", () => {
  const certify = scores(
    "certify",
    even.map((score) => 0.9 * score),
    even.map((_, row) => Number(row % 7 !== 0)),
  );
  const table = thresholdTable(certify, 0.63);
  expect(table.map((row) => row.threshold)).toEqual([0.5, 0.6, 0.63, 0.7, 0.8, 0.85, 0.9, 0.95]);
  expect(table.filter((row) => row.isCertified).map((row) => row.threshold)).toEqual([0.63]);
  table.slice(1).forEach((row, place) => {
    expect(row.escalated.value).toBeGreaterThanOrEqual(table[place]!.escalated.value);
  });
  expect(table.at(-1)).toMatchObject({ answered: 0, accuracy: undefined, escalated: { value: 1, n: 300 } });
  expect(thresholdTable(certify)).toHaveLength(customaryThresholds.length);
});
