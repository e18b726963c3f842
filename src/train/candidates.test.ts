import { expect, test } from "vitest";
import { defineTask, type TaskDefinition } from "../task.ts";
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

test("a student that the task names is the only one", () => {
  expect(candidatesFor(task("text", { trainer: "linear-text" }))).toHaveLength(1);
  expect(candidatesFor(task("record", { trainer: "xgboost" }))).toHaveLength(1);
});

test("where the choice is ours, the cheapest comes first and each keeps what the task says besides", () => {
  const [words, whole] = candidatesFor(task("text", { text: { minDocuments: 5 } }));
  expect(words!.student.text).toMatchObject({ characters: false, minDocuments: 5 });
  expect(whole!.student.text).toMatchObject({ characters: [3, 5], minDocuments: 5 });
  const depths = candidatesFor(task("record", { xgboost: { max_depth: 8 } })).map(
    (one) => one.student.xgboost.max_depth,
  );
  expect(depths).toEqual([3, 8]);
});

test("an encoder that a task on texts names is one candidate more, and the dearest", () => {
  const candidates = candidatesFor(task("text", { weights: "hf:tests/tiny" }));
  expect(candidates.map(({ student }) => student.trainer)).toEqual(["linear-text", "linear-text", "embedding-text"]);
  expect(candidates.at(-1)!.student).toMatchObject({ weights: "hf:tests/tiny", text: { characters: [3, 5] } });
  expect(candidatesFor(task("text")).map(({ student }) => student.trainer)).not.toContain("embedding-text");
});

test("an encoder is fine-tuned only where the task says that all of it is to be trained: it takes minutes", () => {
  const trainersOf = (finetune: "auto" | "head" | "all") =>
    candidatesFor(task("text", { weights: "hf:tests/tiny", finetune })).map(({ student }) => student.trainer);
  expect(trainersOf("all").slice(-2)).toEqual(["embedding-text", "encoder-text"]);
  expect([...trainersOf("auto"), ...trainersOf("head")]).not.toContain("encoder-text");
});

test("nothing is fitted twice", () => {
  expect(candidatesFor(task("record", { xgboost: { max_depth: 3 } }))).toHaveLength(1);
  expect(candidatesFor(task("text", { text: { characters: false } }))).toHaveLength(1);
});
