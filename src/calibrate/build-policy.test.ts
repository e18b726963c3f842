import { expect, test } from "vitest";
import { refuseUpsideDown } from "./build-policy.ts";
import type { Verdict } from "./verdict.ts";

const certified = (accepted: number, errors: number): Verdict => ({
  kind: "certified",
  threshold: 0.7,
  bound: 0.048,
  accepted,
  errors,
});
/** 100 rows, 40 of them wrong. */
const correct = Uint8Array.from({ length: 100 }, (_, row) => Number(row >= 40));

test("a student that errs most where it is surest is refused, within its risk or not", () => {
  expect(refuseUpsideDown(certified(17, 12), { correct, risk: 0.05 })).toMatchObject({ kind: "none", tested: true });
});

test("a student that errs less where it is sure keeps its certificate", () => {
  expect(refuseUpsideDown(certified(50, 3), { correct, risk: 0.05 })).toEqual(certified(50, 3));
});

test("a student that is right nearly always keeps its certificate, though the few rows that it leaves were right as well", () => {
  const nearly = Uint8Array.from({ length: 334 }, (_, row) => Number(row >= 5));
  expect(refuseUpsideDown(certified(329, 5), { correct: nearly, risk: 0.05 })).toEqual(certified(329, 5));
  expect(refuseUpsideDown(certified(329, 5), { correct: nearly, risk: 0.01 })).toMatchObject({ kind: "none" });
});
