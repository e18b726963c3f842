import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerSchema, readAnswers } from "./answer.ts";
import { fruitTask } from "./testing/fixtures.ts";

const task = fruitTask();

describe("reading an answer", () => {
  test.each([
    ["", undefined],
    ["{}", undefined],
    ['{"label": 3}', undefined],
    ['{"label": "appl', undefined],
    ['{"label": "banana"}', undefined],
    ["apple or pear", undefined],
    ['{"label": "APPLE", "reason": "red"}', "apple"],
    ["```\napple\n```", "apple"],
  ])("%j is %j", (text, value) => expect(readAnswers(task, text)[""]).toBe(value));

  test("reads every label as the schema has it written", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 5 }), (labels) => {
        const unambiguous = labels.map((label, index) => `${index} ${label}`);
        const any = fruitTask({ output: { kind: "choice", choices: unambiguous } });
        for (const label of answerSchema([{ field: "", property: "label", labels: unambiguous }]).properties["label"]!
          .enum) {
          expect(readAnswers(any, JSON.stringify({ label }))[""]).toBe(label);
        }
      }),
    );
  });
});
