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
  expect(refuseUpsideDown(certified(17, 12), { correct })).toMatchObject({ kind: "none", tested: true });
});

test("a student that errs less where it is sure keeps its certificate", () => {
  expect(refuseUpsideDown(certified(50, 3), { correct })).toEqual(certified(50, 3));
});
