import { expect, test } from "vitest";
import { defineTask, type Task, type TaskDefinition } from "../task.ts";
import { candidatesFor } from "./candidates.ts";

const task = (input: TaskDefinition["input"], student: TaskDefinition["student"] = {}) =>
  defineTask({
    name: "any",
    input,
    instructions: "Which?",
    output: { kind: "predicate" },
    teacher: { model: "google/gemini-2.5-flash" },
    student,
  });

const candidatesOf = (one: Task, hasXgboost = true) => candidatesFor(one, { hasXgboost: () => hasXgboost });

test("a student that the task names is the only one", () => {
  expect(candidatesOf(task("text", { trainer: "linear-text" }))).toHaveLength(1);
  expect(candidatesOf(task("record", { trainer: "xgboost" }))).toHaveLength(1);
});

test("where the choice is ours, the cheapest comes first and each keeps what the task says besides", () => {
  const [words, whole] = candidatesOf(task("text", { text: { minDocuments: 5 } }));
  expect(words!.student.text).toMatchObject({ characters: false, minDocuments: 5 });
  expect(whole!.student.text).toMatchObject({ characters: [3, 5], minDocuments: 5 });
  const depths = candidatesOf(task("record", { xgboost: { max_depth: 8 } })).map(
    (one) => one.student.xgboost.max_depth,
  );
  expect(depths).toEqual([3, 8]);
});

test("an encoder that a task on texts names is one candidate more, and the dearest", () => {
  const candidates = candidatesOf(task("text", { weights: "hf:tests/tiny" }));
  expect(candidates.map(({ student }) => student.trainer)).toEqual([
    "linear-text",
    "linear-text",
    "xgboost",
    "embedding-text",
  ]);
  expect(candidates.at(-1)!.student).toMatchObject({ weights: "hf:tests/tiny", text: { characters: [3, 5] } });
  expect(candidatesOf(task("text")).map(({ student }) => student.trainer)).not.toContain("embedding-text");
});

test("an encoder is fine-tuned only where the task says that all of it is to be trained: it takes minutes", () => {
  const trainersOf = (finetune: "auto" | "head" | "all") =>
    candidatesOf(task("text", { weights: "hf:tests/tiny", finetune })).map(({ student }) => student.trainer);
  expect(trainersOf("all").slice(-2)).toEqual(["embedding-text", "encoder-text"]);
  expect([...trainersOf("auto"), ...trainersOf("head")]).not.toContain("encoder-text");
});

test("nothing is fitted twice", () => {
  expect(candidatesOf(task("record", { xgboost: { max_depth: 3 } }))).toHaveLength(1);
  expect(candidatesOf(task("text", { text: { characters: false } }), false)).toHaveLength(1);
});

test("trees on texts are a candidate where XGBoost is there and the classes are few", () => {
  const names = (one: Task, hasXgboost: boolean) => candidatesOf(one, hasXgboost).map(({ name }) => name);
  expect(names(task("text"), true)).toEqual(["linear-text, words alone", "linear-text", "xgboost, words"]);
  expect(names(task("text"), false)).toHaveLength(2);
  const choices = ["a", "b", "c", "d", "e"];
  expect(names({ ...task("text"), output: choiceOf(choices) }, true)).toHaveLength(2);
});

const choiceOf = (choices: readonly string[]): Task["output"] =>
  defineTask({ ...task("text"), output: { kind: "choice", choices } }).output;
