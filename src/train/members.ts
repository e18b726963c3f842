/**
 * @file Members of a committee in a student's own folder: the models that cross-validation fits anyway, kept. Each has seen all
 * training rows but those of its fold, and no row that calibrates or certifies.
 */

import { dissentOf } from "../committee.ts";
import type { StudentCommittee, StudentInput } from "../contracts.ts";
import type { Task } from "../task.ts";
import type { ModelFiles } from "./trainer.ts";

/** All members as one graph, where they read the same features: logits `[N, members · classes]`, one member after another. */
export const membersFile = "members.onnx";

const memberFile = /^member-\d+\.onnx$/;

/** Of members that are models of their own, by fold from 1. */
export const memberFileOf = (fold: number): string => `member-${fold + 1}.onnx`;

/** In the order of their folds. */
export function memberFilesIn(files: ModelFiles["files"]): readonly (readonly [string, Uint8Array])[] {
  return [...files].filter(([name]) => memberFile.test(name)).sort(([one], [other]) => (one < other ? -1 : 1));
}

export const keepsFolds = ({ student }: Task): boolean => student.committee === "folds";

/** Joins what a model follows from: one with members is another model, one without is what it always was. */
export const followsMembers = (task: Task): { readonly members?: "folds" } =>
  keepsFolds(task) ? { members: "folds" } : {};

export type MembersQuestion = {
  readonly size: number;
  /** Logits of the student `[k]`, and of its members one after another `[size, k]`. */
  hear(input: StudentInput): Both | Promise<Both>;
};

type Both = { readonly logits: Float32Array; readonly members: Float32Array };

/** Input after input. */
export function committeeOf({ size, hear }: MembersQuestion): StudentCommittee {
  return {
    size,
    async dissent(batch, signal) {
      const dissent = new Float32Array(batch.length);
      for (const [row, input] of batch.entries()) {
        signal?.throwIfAborted();
        const { logits, members } = await hear(input);
        dissent[row] = dissentOf(logits, members);
      }
      return dissent;
    },
  };
}
