import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { promptVersion } from "../task.ts";
import { consensusOf } from "./consensus.ts";
import { fruitTask, personSays, teacherSays, textRow } from "./testing/fixtures.ts";

const row = textRow("a row");
const version = promptVersion(fruitTask());
const says = (pass: number, value: string | undefined, changes = {}) =>
  teacherSays(row, pass, {
    ...(value !== undefined && { value }),
    ...(value === undefined && { value: undefined as never }),
    ...changes,
  });

describe("the consensus on a row", () => {
  test.each([
    ["one pass", [says(1, "pear")], { value: "pear", basis: "single", weight: 0.6 }],
    ["two that agree", [says(1, "pear"), says(2, "pear")], { value: "pear", basis: "agreed", weight: 0.8 }],
    [
      "a majority of three",
      [says(1, "apple"), says(2, "pear"), says(3, "pear")],
      { value: "pear", basis: "majority", weight: 0.5 },
    ],
    [
      "two that differ: the first answer",
      [says(1, "apple"), says(2, "pear")],
      { value: "apple", basis: "split", weight: 0.2 },
    ],
    [
      "three that differ: the first answer",
      [says(2, "pear"), says(3, "orange"), says(1, "apple")],
      { value: "apple", basis: "split" },
    ],
    ["a pass that failed", [says(1, undefined), says(2, "pear")], { value: "pear", basis: "single" }],
  ])("%s", (_, annotations, expected) => {
    expect(consensusOf(annotations, version)).toMatchObject(expected);
  });

  test("agreement counts in full where every probability is high", () => {
    const sure = { probabilities: { pear: 0.97, apple: 0.03 } };
    const unsure = { probabilities: { pear: 0.7, apple: 0.3 } };
    expect(consensusOf([says(1, "pear", sure), says(2, "pear")], version)?.weight).toBe(1);
    expect(consensusOf([says(1, "pear", sure), says(2, "pear", unsure)], version)?.weight).toBe(0.8);
  });

  test("disagreement and probabilities become a soft target that sums to 1", () => {
    expect(consensusOf([says(1, "apple"), says(2, "pear"), says(3, "pear")], version)?.distribution).toEqual({
      apple: expect.closeTo(1 / 3),
      pear: expect.closeTo(2 / 3),
    });
    const probabilities = { pear: 0.8, orange: 0.2 };
    expect(consensusOf([says(1, "pear", { probabilities }), says(2, "pear")], version)?.distribution).toEqual({
      pear: expect.closeTo(0.9),
      orange: expect.closeTo(0.1),
    });
    expect(consensusOf([says(1, "pear"), says(2, "pear")], version)).not.toHaveProperty("distribution");
  });

  test("a person's ruling wins over any number of passes, and their last one counts", () => {
    const passes = [says(1, "pear"), says(2, "pear")];
    const rulings = [personSays(row, "orange", { at: 1 }), personSays(row, "apple", { at: 2 })];
    expect(consensusOf([...passes, ...rulings], version)).toMatchObject({
      value: "apple",
      basis: "person",
      weight: 1,
      at: 2,
    });
  });

  test("people who differ: their majority, else the latest word, at half weight", () => {
    const by = (person: string, value: string, at: number) => personSays(row, value, { person, at });
    const three = [by("ada", "apple", 1), by("bob", "apple", 2), by("eve", "pear", 3)];
    expect(consensusOf(three, version)).toMatchObject({ value: "apple", weight: 0.5 });
    expect(consensusOf(three.slice(1), version)).toMatchObject({
      value: "pear",
      distribution: { apple: 0.5, pear: 0.5 },
    });
  });

  test("answers to another question do not count", () => {
    expect(consensusOf([says(1, "pear", { promptVersion: "old" })], version)).toBeUndefined();
  });

  test("does not depend on the order of the record", () => {
    const values = fc.constantFrom("apple", "pear", "orange");
    const annotations = fc
      .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 3 }), values), { selector: ([pass]) => pass })
      .map((passes) => passes.map(([pass, value]) => says(pass, value)));
    fc.assert(
      fc.property(annotations, fc.integer(), (given, seed) => {
        const shuffled = fc.sample(fc.shuffledSubarray([...given], { minLength: given.length }), {
          seed,
          numRuns: 1,
        })[0]!;
        expect(consensusOf(shuffled, version)).toEqual(consensusOf(given, version));
      }),
    );
  });
});
