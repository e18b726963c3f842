/** @file Which student learns texts. Cheapest first; each is imported only where it is needed. */

import { z } from "zod";
import type { Student } from "../../contracts.ts";
import { FlywheelError } from "../../errors.ts";
import { readCard } from "../load-student.ts";
import type { LoadOptions, ModelFiles, PreparedTraining, TrainerContext } from "../trainer.ts";

const names = ["linear-text", "xgboost", "embedding-text", "encoder-text"] as const;
type Name = (typeof names)[number];

/** @throws FlywheelError `unknown_trainer`, and what preparing the student named throws */
export async function trainTextStudent(context: TrainerContext): Promise<PreparedTraining> {
  const { trainer } = context.task.student;
  switch (trainer === "auto" ? "linear-text" : nameOf(trainer)) {
    case "linear-text":
      return await (await import("./train-linear-student.ts")).trainLinearStudent(context);
    case "xgboost":
      return await (await import("../record/train-record-student.ts")).trainRecordStudent(context);
    case "embedding-text":
      return await (await import("./embedding/train-embedding-student.ts")).trainEmbeddingStudent(context);
    case "encoder-text":
      return await (await import("./encoder/train-encoder-student.ts")).trainEncoderStudent(context);
  }
}

const Card = z.object({ trainer: z.string() });

/** @throws FlywheelError `unknown_trainer`, `model_corrupt`, and what opening the student throws */
export async function openTextStudent(model: ModelFiles, options: LoadOptions): Promise<Student> {
  switch (nameOf(readCard(Card, model).trainer)) {
    case "linear-text":
      return await (await import("./load-linear-student.ts")).openLinearStudent(model);
    case "xgboost":
      return await (await import("../record/load-record-student.ts")).openRecordStudent(model, options);
    case "embedding-text":
      return await (await import("./embedding/load-embedding-student.ts")).openEmbeddingStudent(model, options);
    case "encoder-text":
      return await (await import("./encoder/load-encoder-student.ts")).openEncoderStudent(model, options);
  }
}

function nameOf(trainer: string): Name {
  const name = names.find((known) => known === trainer);
  if (name) return name;
  throw new FlywheelError("unknown_trainer", `"${trainer}" does not train on texts`, {
    hint: `set student.trainer to ${names.join(", ")}, or leave it out`,
  });
}
