/** @file Which kind of student learns which kind of input. Each is imported only where it is needed. */

import { FlywheelError } from "../errors.ts";
import type { Input } from "../records.ts";
import type { StudentLoader, StudentTrainer } from "./trainer.ts";

type Kind = Input["kind"];

export async function trainerFor(kind: Kind): Promise<StudentTrainer> {
  switch (kind) {
    case "image":
      return (await import("./image/train-image-student.ts")).trainImageStudent;
    case "text":
    case "record":
      throw notYet(kind);
    default:
      return kind satisfies never;
  }
}

export async function loaderFor(kind: Kind): Promise<StudentLoader> {
  switch (kind) {
    case "image":
      return (await import("./image/load-image-student.ts")).openImageStudent;
    case "text":
    case "record":
      throw notYet(kind);
    default:
      return kind satisfies never;
  }
}

const notYet = (kind: Kind) =>
  new FlywheelError("unknown_trainer", `there is no student for ${kind} yet`, {
    hint: "set the task's input to image",
  });
