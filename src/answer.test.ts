import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { excerptOf, propertiesOf, readLabel } from "./answer.ts";
import { withoutThoughts } from "./answer-text.ts";
import { fieldsOf } from "./fields.ts";
import { defineFieldsTask, defineTask } from "./task.ts";

const teacher = { model: "openai/gpt-4o-mini" };
const task = defineTask({
  name: "desk",
  input: "text",
  instructions: "Which desk?",
  output: { kind: "choice", choices: ["billing", "card", "loan"] },
  teacher,
});

describe("a label is read", () => {
  test.each([
    ["past thoughts", "<think>\nIt might be card or loan.\n</think>\n\nbilling"],
    ["past thoughts that the prompt opened", 'card, or {"label": "loan"}?\n</think>\nbilling'],
    ["past thoughts of any name", "<Thinking>card</Thinking> billing <reasoning>loan</reasoning>"],
    ["past thoughts in brackets", "[THINK]card[/THINK]billing"],
    [
      "in the final channel",
      "<|channel|>analysis<|message|>card?<|end|><|start|>assistant<|channel|>final<|message|>billing<|return|>",
    ],
    ["in the one JSON object among words", 'Here is the JSON:\n```json\n{"label": "billing"}\n```\nAsk me for more.'],
    ["in an object that is said twice", '{"label": "billing"}\nAs JSON: {"label":"billing"}'],
    ["behind a brace that means nothing", 'In { or so: {"label": "billing"}'],
    ["as what a line calls the label", "Label: billing"],
    ["as what the last line calls the answer", "The customer asks for an invoice.\n**Final answer:** `billing`."],
    ["by the name of the task", "Desk: billing"],
    ["in a tag", "<analysis>card?</analysis><answer>billing</answer>"],
    ["in a fence behind words", "The label is:\n```text\nbilling\n```"],
    ["in emphasis", "**billing**"],
    ["in emphasis, named", "- **Label: billing**"],
    ["in emphasis, its name too", "**Label:** **billing**."],
    ["in quotes", "“billing”."],
  ])("%s", (_, text) => expect(readLabel(task, { text })).toBe("billing"));

  test("in the arguments of a tool where the words are none, else in the words", () => {
    const tool = '{"label": "loan"}';
    expect(readLabel(task, { text: "I will call the tool.", tool })).toBe("loan");
    expect(readLabel(task, { text: "billing", tool })).toBe("billing");
  });

  test.each([
    ["prose that names one", "It is about billing."],
    ["thoughts that never end", "<think>It is billing. So: billing"],
    ["two objects that differ", '{"label": "billing"} or {"label": "card"}'],
    ["two lines that differ", "Label: billing\nLabel: card"],
    ["a line that is called otherwise", "Not: billing"],
    ["nothing", "<think>billing</think>"],
    ["half of an object", '{"label": "billing'],
  ])("and not from %s", (_, text) => expect(readLabel(task, { text })).toBeUndefined());

  test("from the property that was asked for, where the object has it", () => {
    const text = '{"label": "banana", "second": "card"}';
    expect(readLabel(task, { text }, { property: "label" })).toBeUndefined();
    expect(readLabel(task, { text })).toBe("card");
    expect(readLabel(task, { text: '{"desk": "card"}' }, { property: "label" })).toBe("card");
  });
});

test("marks that belong to a label stay with it", () => {
  const starred = defineTask({ ...task, output: { kind: "choice", choices: ["-1", "C#"] } });
  expect(readLabel(starred, { text: "Label: -1" })).toBe("-1");
  expect(readLabel(starred, { text: "**Label:** C#" })).toBe("C#");
});

test("fields are read from JSON past thoughts, and from lines with their names", () => {
  const output = { kind: "choice", choices: ["a", "b"] } as const;
  const fields = fieldsOf(
    defineFieldsTask({
      name: "two",
      input: "text",
      teacher,
      fields: { topic: { instructions: "?", output }, due_date: { instructions: "?", output } },
    }),
  );
  const expected = new Map([
    ["topic", "a"],
    ["due_date", "b"],
  ]);
  expect(propertiesOf(fields, { text: '<think>{"topic":"b"}</think>So: {"topic":"a","dueDate":"b"}' })).toEqual(
    expected,
  );
  expect(propertiesOf(fields, { text: "Topic: a\n- **Due date**: b" })).toEqual(expected);
  expect(propertiesOf(fields, { text: "no idea" })).toBeUndefined();
});

test("what a person is shown of an answer is what follows its thoughts, or else the thoughts", () => {
  expect(excerptOf({ text: `<think>${"long ".repeat(100)}</think>\nIt depends.` })).toBe("It depends.");
  expect(excerptOf({ text: "<think>only this" })).toBe("<think>only this");
  expect(excerptOf({ text: "", tool: "{}" })).toBe("{}");
});

test("whatever is said, reading it throws nothing, and text without tags keeps every character", () => {
  const piece = fc.constantFrom(
    "<think>",
    "</think>",
    "{",
    "}",
    '"',
    "\\",
    "```",
    "\n",
    "Label:",
    "billing",
    "[/THINK]",
    "é",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string())), (pieces) => {
      const text = pieces.join("");
      const label = readLabel(task, { text });
      expect(label === undefined || text.includes(label)).toBe(true);
      if (!/think|thought|reason|analysis|scratch|final/i.test(text)) expect(withoutThoughts(text)).toBe(text);
    }),
  );
});
