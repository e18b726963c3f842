import { join } from "node:path";
import { expect, test } from "vitest";
import { defineTask, promptVersion } from "../task.ts";
import { roundTask } from "./round-task.ts";

const task = (rounds: "refit" | "continue") =>
  defineTask({
    name: "fruit",
    input: "image",
    instructions: "Which?",
    output: { kind: "choice", choices: ["apple", "pear"] },
    teacher: { model: "google/gemini-2.5-flash" },
    student: { imageSize: 48, epochs: 12, weights: "mine.safetensors", weightsSha256: "0".repeat(64), rounds },
  });

test("a refit starts where the first model started", () => {
  expect(roundTask(task("refit"), "models/champion")).toEqual(task("refit"));
});

test("a continued round starts from the champion, for two thirds of the epochs, and asks the same question", () => {
  const continued = roundTask(task("continue"), "models/champion");
  expect(continued.student).toMatchObject({
    trainer: "onnx",
    weights: join("models/champion", "model.onnx"),
    epochs: 8,
  });
  expect(continued.student.weightsSha256).toBeUndefined();
  expect(promptVersion(continued)).toBe(promptVersion(task("continue")));
});

test("without a champion there is nothing to continue from", () => {
  expect(roundTask(task("continue"), undefined)).toEqual(task("continue"));
});
