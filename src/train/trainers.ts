/** @file Which kind of student learns which kind of input. Each is imported only where it is needed. */

import type { Input } from "../records.ts";
import type { StudentLoader, StudentTrainer } from "./trainer.ts";

type Kind = Input["kind"];

export async function trainerFor(kind: Kind): Promise<StudentTrainer> {
  switch (kind) {
    case "image":
      return (await import("./image/train-image-student.ts")).trainImageStudent;
    case "record":
      return (await import("./record/train-record-student.ts")).trainRecordStudent;
    case "text":
      return (await import("./text/text-trainers.ts")).trainTextStudent;
    default:
      return kind satisfies never;
  }
}

export async function loaderFor(kind: Kind): Promise<StudentLoader> {
  switch (kind) {
    case "image":
      return (await import("./image/load-image-student.ts")).openImageStudent;
    case "record":
      return (await import("./record/load-record-student.ts")).openRecordStudent;
    case "text":
      return (await import("./text/text-trainers.ts")).openTextStudent;
    default:
      return kind satisfies never;
  }
}
