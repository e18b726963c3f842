/** @file Students for images: convolutional networks, from scratch or from anybody's ONNX file. */

import { writeOnnx } from "../../onnx/proto.ts";
import { classesOf } from "../../task.ts";
import { followsMembers, keepsFolds, membersFile } from "../members.ts";
import type { PreparedTraining, TrainerContext } from "../trainer.ts";
import { readValidationRows } from "../training-rows.ts";
import { memberHeads } from "./member-heads.ts";
import { recipeFor, trainsBackbone } from "./recipe.ts";
import { startingNetwork } from "./starting-network.ts";
import { trainNetwork } from "./train-network.ts";

/**
 * @throws FlywheelError `unknown_trainer`, `weights_…`, `unknown_preprocessing`; running: `training_photo_unreadable`,
 *   `onnx_diverged`
 */
export async function trainImageStudent(context: TrainerContext): Promise<PreparedTraining> {
  const { store, task, set, seed, clock, signal } = context;
  const { student } = task;
  const classes = classesOf(task);
  const sha256 = student.weightsSha256;
  const network = await startingNetwork({ student, classes, seed: String(seed), sha256, clock, signal });
  const recipe = recipeFor(student, network);
  const unfreezes = trainsBackbone(student, { ...network, rows: set.rows.length, classes: classes.length });
  const validation = unfreezes ? await readValidationRows(store, task) : [];
  const isHeadOnly = network.isPretrained && !unfreezes;
  const options = {
    ...recipe,
    trainsBackbone: unfreezes,
    weightsSha256: network.weightsSha256,
    validationRows: validation.length,
  };
  return {
    trainer: network.trainer,
    preprocessing: network.preprocessing,
    options: { ...options, weights: student.weights },
    follows: {
      ...options,
      validation: validation.map(({ id, classIndex }) => [id, classIndex]),
      neighbours: 1,
      ...(isHeadOnly && followsMembers(task)),
    },
    async run(work) {
      const trained = await trainNetwork({
        ...work,
        network,
        set,
        validation,
        recipe,
        trainsBackbone: unfreezes,
        blobs: store.blobs,
      });
      const { members: heads, ...student } = trained;
      if (!keepsFolds(task) || heads.length === 0) return student;
      const files = new Map([...student.files, [membersFile, writeOnnx(memberHeads(heads, network.features))]]);
      return { ...student, files, members: heads.length };
    },
  };
}
