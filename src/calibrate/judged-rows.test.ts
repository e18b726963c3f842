import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { rowId } from "../records.ts";
import { auditPosition, splitOf } from "../task.ts";
import { calibrateRows, certifyRows, rulingsOn } from "./judged-rows.ts";
import type { HeldOutRow } from "./load-rows.ts";

const id = (index: number) => rowId(createHash("sha256").update(`row ${index}`).digest("hex"));
const row = (index: number, said: { teacher?: string; person?: string }): HeldOutRow => ({
  id: id(index),
  logits: Float32Array.of(1, 0),
  isJudged: true,
  teacher: said.teacher,
  person: said.person,
});

test("against the teacher every answered row certifies; against people the uniform sample alone", () => {
  const rows = [0, 1, 2, 3].map((index) => row(index, { teacher: "a" }));
  const ordered = rows.toSorted((a, b) => auditPosition(a.id) - auditPosition(b.id));
  // The first in order and the last, which somebody picked.
  const ruled = rows.map((one) => (one === ordered[0] || one === ordered[3] ? { ...one, person: "b" } : one));
  expect(certifyRows(ruled, "teacher")).toHaveLength(4);
  expect(certifyRows(ruled, "person")).toMatchObject([{ row: { id: ordered[0]!.id }, reference: "b" }]);
  expect(rulingsOn(ruled)).toEqual({ rulings: 1, teacherErrors: 1 });
  expect(calibrateRows(ruled, "person").filter(({ reference }) => reference === "b")).toHaveLength(2);
});

test("the audit order is uniform and independent of the split", () => {
  const shares = { train: 0.6, calibrate: 0.15, certify: 0.25 };
  const positions = Array.from({ length: 4000 }, (_, index) => id(index))
    .filter((one) => splitOf(one, shares) === "certify")
    .map(auditPosition);
  const inFront = positions.filter((position) => position < 0.25).length / positions.length;
  // About 1,000 positions: a quarter, give or take four standard errors of 1.4 points.
  expect(Math.abs(inFront - 0.25)).toBeLessThan(0.055);
});
