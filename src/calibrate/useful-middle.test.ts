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
  expect(rankingWarnings(sane, rng())).toEqual([]);
});

test("a student that errs anywhere has none, and the warning carries the numbers", () => {
  const flat = scores(
    "calibrate",
    even,
    even.map((_, row) => Number(row % 10 !== 0)),
  );
  const verdict = usefulMiddle(flat, { rng: rng(), resamples: 50 });
  expect(verdict.kind).toBe("no-useful-middle");
  expect(rankingWarnings(flat, rng())[0]).toMatch(/no useful middle.*AUROC 0\.5.*20 % of the errors/);
});

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
