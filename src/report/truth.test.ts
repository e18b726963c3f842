import { expect, test } from "vitest";
import { chooseTruth, LEAST_TRUTH_ROWS } from "./truth.ts";

test("the most trusted truth with enough rows is taken", () => {
  const gold = { truth: "gold", n: LEAST_TRUTH_ROWS };
  const teacher = { truth: "teacher", n: 400 };
  expect(chooseTruth([gold, teacher])).toBe(gold);
  expect(chooseTruth([{ ...gold, n: LEAST_TRUTH_ROWS - 1 }, teacher])).toBe(teacher);
});

test("where none has enough, the one with most rows is; where nobody spoke, none", () => {
  const few = { truth: "gold", n: 3 };
  expect(chooseTruth([few, { truth: "teacher", n: 2 }])).toBe(few);
  expect(chooseTruth([{ truth: "gold", n: 0 }])).toBeUndefined();
});
