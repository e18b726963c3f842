import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Annotation, type RowId, rowId } from "./records.ts";
import { auditPosition } from "./task.ts";
import { basisOf, teacherVerdict, uniformlyRuled, votesOf, wordsOf } from "./verdict.ts";

const version = "v1";
const id = (index: number): RowId => rowId(createHash("sha256").update(`row ${index}`).digest("hex"));

function teacherSays(pass: number, value: string | undefined, promptVersion = version): Annotation {
  return {
    id: `teacher/${pass}/${promptVersion}`,
    rowId: id(0),
    at: pass,
    annotator: "teacher",
    teacher: "compatible/test",
    simulated: true,
    pass,
    promptVersion,
    ...(value === undefined ? { failure: { code: "teacher_answer_invalid", message: "no" } } : { value }),
    usage: { inputTokens: 1, outputTokens: 1 },
    costUsd: 0,
    latencyMs: 1,
  };
}

const personSays = (person: string, at: number, value: string): Annotation => ({
  id: `${person}/${at}`,
  rowId: id(0),
  at,
  annotator: "person",
  person,
  value,
});

describe("the teacher's verdict", () => {
  test.each([
    ["a majority", [teacherSays(1, "apple"), teacherSays(2, "pear"), teacherSays(3, "pear")], "pear", "majority"],
    ["the first where none has one", [teacherSays(2, "pear"), teacherSays(1, "apple")], "apple", "split"],
    ["one pass", [teacherSays(1, undefined), teacherSays(2, "pear")], "pear", "single"],
    ["the live answer where labelling has not asked", [teacherSays(0, "pear")], "pear", "single"],
    ["passes alone where it has", [teacherSays(0, "pear"), teacherSays(1, "apple")], "apple", "single"],
  ])("is %s", (_, annotations, verdict, basis) => {
    const votes = votesOf(annotations, version);
    expect(teacherVerdict(votes)).toBe(verdict);
    expect(basisOf(votes)).toBe(basis);
  });

  test("knows nothing of other prompts, and is undefined where nobody answered", () => {
    const annotations = [teacherSays(1, "pear", "v0"), teacherSays(1, undefined)];
    expect(wordsOf(annotations, version)).toEqual({ teacher: undefined, person: undefined });
  });
});

test("people: each one's last word, then the most, then the latest", () => {
  const rulings = [personSays("ann", 1, "apple"), personSays("ann", 3, "pear"), personSays("bob", 2, "apple")];
  expect(wordsOf(rulings, version).person).toBe("pear");
  expect(wordsOf([...rulings, personSays("eve", 1, "apple")], version).person).toBe("apple");
});

test("the uniform sample ends at the first gap of the audit order, whatever was ruled on behind it", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }), (ruled) => {
      const rows = ruled.map((isRuled, index) => ({ id: id(index), isRuled }));
      const inOrder = rows.toSorted((a, b) => auditPosition(a.id) - auditPosition(b.id));
      const gap = inOrder.findIndex(({ isRuled }) => !isRuled);
      expect(uniformlyRuled(rows, ({ isRuled }) => isRuled)).toEqual(gap < 0 ? inOrder : inOrder.slice(0, gap));
    }),
  );
});
