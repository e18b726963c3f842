import { describe, expect, test } from "vitest";
import { modelOfPass, questionOf } from "./prompts.ts";
import { fruitTask } from "./testing/fixtures.ts";

const choices = ["apple", "pear", "orange", "plum", "quince"].map((value) => ({ value, description: `a ${value}` }));
const task = fruitTask({ output: { kind: "choice", choices } });
const inOrder = choices.map(({ value }) => value);

describe("the questions of the passes", () => {
  test("live traffic is asked exactly as pass 1, whatever the key", () => {
    expect(questionOf(task, 0, "a")).toEqual(questionOf(task, 1, "b"));
    expect(questionOf(task, 1, "a")).toMatchObject({ temperature: 0, labels: inOrder });
  });

  test("passes differ in words, order and temperature, and all name every label with its description", () => {
    const questions = [1, 2, 3].map((pass) => questionOf(task, pass, "some key"));
    expect(new Set(questions.map(({ system }) => system)).size).toBe(3);
    expect(new Set(questions.map(({ labels }) => labels.join())).size).toBe(3);
    expect(questions.map(({ temperature }) => temperature)).toEqual([0, 0.7, 0.7]);
    for (const { system, labels } of questions) {
      expect(labels.toSorted()).toEqual(inOrder.toSorted());
      for (const { value, description } of choices) expect(system).toContain(`- ${value}: ${description}`);
      expect(system).toContain(task.instructions);
    }
  });

  test("a repeat is asked the same, another row another order", () => {
    expect(questionOf(task, 2, "key")).toEqual(questionOf(task, 2, "key"));
    const orders = ["a", "b", "c", "d"].map((key) => questionOf(task, 2, key).labels.join());
    expect(new Set(orders).size).toBeGreaterThan(1);
  });

  test("a second model answers the later passes, at temperature 0", () => {
    const two = fruitTask({ teacher: { secondModel: "openai/gpt-4o-mini" } });
    expect([0, 1, 2, 3].map((pass) => modelOfPass(two, pass))).toEqual([
      "compatible/test",
      "compatible/test",
      "openai/gpt-4o-mini",
      "openai/gpt-4o-mini",
    ]);
    expect(questionOf(two, 2, "key").temperature).toBe(0);
  });
});
