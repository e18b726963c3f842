/** @file What a round trains: the task's student from its starting weights, or from the champion onward. */

import { join } from "node:path";
import type { Task } from "../task.ts";

/** Networks alone can go on from where they are; share of the epochs in which a champion takes in what is new. */
const continuedShare = 2 / 3;
/** Where the task does not say: what networks of ours are trained for from scratch. */
const usualEpochs = 15;

/**
 * The task to train by. `folder`: the champion's, absent where nothing serves yet. Only the student's start changes: rows,
 * labels, targets and splits stay the task's, so that certify rows are as unseen as before.
 */
export function roundTask(task: Task, folder: string | undefined): Task {
  const { student } = task;
  if (task.input !== "image" || student.rounds === "refit" || folder === undefined) return task;
  const epochs = Math.max(1, Math.round((student.epochs ?? usualEpochs) * continuedShare));
  // The rate was the task's for another start; fine-tuning has its own.
  const { weightsSha256: _, learningRate: __, ...kept } = student;
  const continued = { ...kept, trainer: "onnx", weights: join(folder, "model.onnx"), finetune: "all", epochs } as const;
  return { ...task, student: continued };
}
