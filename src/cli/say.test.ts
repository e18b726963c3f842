import { expect, test } from "vitest";
import type { CandidateResult, Estimate } from "../records.ts";
import { modelId } from "../records.ts";
import { describeCandidates } from "./say.ts";
import { warningLines } from "./say-warnings.ts";

const estimate = (value: number): Estimate => ({ value, low: value - 0.01, high: value + 0.01, n: 1066 });

const candidate = (name: string, given: Partial<CandidateResult>): CandidateResult => ({
  name,
  modelId: modelId("ab".repeat(32)),
  accuracy: estimate(0.93),
  coverage: estimate(0.95),
  behind: { value: 0, low: 0, high: 0, n: 1066 },
  p50Ms: 0.0076,
  sizeBytes: 270_000,
  trainingMs: 15_000,
  p: 1,
  chosen: false,
  ...given,
});

test("the candidates are said with their intervals, and what is behind the best with how far", () => {
  const lines = describeCandidates([
    candidate("words", { behind: { value: 0.034, low: 0.009, high: 0.057, n: 1066 }, p: 0.029 }),
    candidate("all", { chosen: true }),
  ]);
  expect(lines[0]).toMatch(/^students compared on 1066 rows/);
  expect(lines[1]).toMatch(/^ {4}words: coverage 95\.0 % \(94\.0–96\.0\), accuracy 93\.0 % \(92\.0–94\.0\), 0\.0076/);
  expect(lines[1]).toMatch(/; behind by 3\.4 % \(0\.9–5\.7\) of coverage, p 0\.029$/);
  expect(lines[2]).toMatch(/^ {2}→ all: /);
  expect(lines[2]).not.toContain("behind");
});

test("where there was nothing to choose from, nothing is said of it", () => {
  expect(describeCandidates([])).toEqual([]);
});

test("a warning is said once, without Node's words; its stack only to who looks for it", () => {
  const warning = new Error("a column is not read");
  const lines = warningLines({});
  expect([lines(warning), lines(warning)]).toEqual([["warning: a column is not read"], []]);
  expect(warningLines({ FLYWHEEL_DEBUG: "1" })(warning)).toEqual(["warning: a column is not read", warning.stack]);
});
