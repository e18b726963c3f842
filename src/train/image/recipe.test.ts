import { expect, test } from "vitest";
import { defineTask } from "../../task.ts";
import { recipeFor } from "./recipe.ts";

const { student } = defineTask({
  name: "any",
  input: "image",
  instructions: "Which?",
  output: { kind: "predicate" },
  teacher: { model: "google/gemini-2.5-flash" },
  student: { epochs: 12 },
});

test("a network from scratch has half of its epochs before early stopping may end it, a pretrained one a quarter", () => {
  expect(recipeFor(student, { isPretrained: false, isOurs: false }).patience).toBe(6);
  expect(recipeFor(student, { isPretrained: true, isOurs: false }).patience).toBe(3);
  expect(recipeFor(student, { isPretrained: true, isOurs: true }).patience).toBe(3);
});
