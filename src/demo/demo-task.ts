/** @file The demonstration's question: the five classes of the original proof of concept. */

import type { TaskDefinition } from "../task.ts";
import { FruitLabel } from "./render-fruit.ts";

export type DemoTeacher = { readonly model: string; readonly baseUrl?: string };

export function demoTask(teacher: DemoTeacher, student: TaskDefinition["student"] = {}): TaskDefinition {
  const isSimulated = teacher.baseUrl !== undefined;
  return {
    name: "fruit",
    input: "image",
    output: { kind: "choice", choices: [...FruitLabel] },
    instructions: "Which fruit or vegetable does the photo show?",
    teacher: {
      ...teacher,
      // What Gemini 2.5 Flash costs: a simulated teacher is charged as if it were real, and always shown as simulated.
      ...(isSimulated && { price: { inputPerMillionUsd: 0.3, outputPerMillionUsd: 2.5 } }),
    },
    // From scratch, at a size that two cores train within a minute; rounds go on from the champion.
    student: {
      trainer: "mobilenet-v3-small",
      imageSize: 64,
      epochs: 12,
      learningRate: 3e-3,
      rounds: "continue",
      ...student,
    },
    // The teacher is wrong on one row in twenty, and a student that is right where it is wrong counts as wrong.
    target: { kind: "regret", risk: 0.07, delta: 0.1 },
    budgetUsd: 5,
    // Four hundred held-out rows cannot tell one point apart; on real traffic there are more, and one point is the default.
    promotion: { margin: 0.03 },
    // Three rounds of little traffic must refill the certify split; at a million requests a month 1 % would do.
    audit: { uniformRate: 0.15, rate: 0.02 },
  };
}
