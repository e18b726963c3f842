import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { rowId } from "../records.ts";
import { auditPosition } from "../task.ts";
import { chooseTruth, LEAST_TRUTH_ROWS, uniformlyRuled } from "./truth.ts";

const ids = Array.from({ length: 50 }, (_, index) => rowId(createHash("sha256").update(`${index}`).digest("hex")));

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

test("rulings count up to the first gap in the order of audits", () => {
  const ordered = ids.toSorted((a, b) => auditPosition(a) - auditPosition(b)).map((id) => ({ id }));
  const ruled = new Set(ordered.filter((_, place) => place < 12 || place > 30).map(({ id }) => id));
  const shuffled = ids.map((id) => ({ id }));
  expect(uniformlyRuled(shuffled, ({ id }) => ruled.has(id))).toEqual(ordered.slice(0, 12));
  expect(uniformlyRuled(shuffled, () => true)).toHaveLength(50);
  expect(uniformlyRuled(shuffled, () => false)).toEqual([]);
});
