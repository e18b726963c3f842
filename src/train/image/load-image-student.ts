/** @file A trained network, loaded to predict. */

import { z } from "zod";
import type { Student, StudentInput } from "../../contracts.ts";
import { FlywheelError, messageOf } from "../../errors.ts";
import { prepareImage } from "../../image/prepare.ts";
import { openSession, type Session } from "../../onnx/session.ts";
import { floats } from "../../onnx/tensor.ts";
import { type ImagePreprocessing, modelId } from "../../records.ts";
import { readCard, readModelFolder } from "../load-student.ts";
import { modelCorrupt, modelFile } from "../model-folder.ts";
import type { LoadOptions, ModelFiles } from "../trainer.ts";
import { inputName } from "./image-input.ts";
import { inOrder } from "./in-order.ts";

export type ImageStudent = Student & {
  readonly preprocessing: ImagePreprocessing;
  /**
   * The fast path: one prepared image `[3, size, size]` (`prepareImage`) to its logits `[classes]`.
   * @throws RangeError for another length
   */
  predictTensor(image: Float32Array): Promise<Float32Array>;
};

/** What of `card.json` serving depends on. */
const Card = z.object({
  id: z.string(),
  classes: z.array(z.string()).min(2),
  preprocessing: z.object({
    size: z.int().positive(),
    resize: z.int().positive(),
    mean: z.tuple([z.number(), z.number(), z.number()]),
    std: z.tuple([z.number(), z.number(), z.number()]),
  }),
});

/** Images decoded ahead of the one that is being predicted. */
const DECODED_AHEAD = 4;

/** @throws FlywheelError `model_missing`, `model_corrupt` */
export async function loadImageStudent(folder: string, options: LoadOptions): Promise<ImageStudent> {
  return await openImageStudent(await readModelFolder(folder), options);
}

/** @throws FlywheelError `model_corrupt` */
export async function openImageStudent(model: ModelFiles, { threads }: LoadOptions): Promise<ImageStudent> {
  return studentOver(readCard(Card, model), await openModel(model, threads));
}

async function openModel({ folder, files }: ModelFiles, threads: number): Promise<Session> {
  // Threads that wait for work spin for a moment, which bridges the gap between two predictions, and sleep after it.
  const config = { "session.intra_op.spin_duration_us": "300" };
  try {
    return await openSession(files.get(modelFile) ?? new Uint8Array(), { threads, spin: true, config });
  } catch (cause) {
    throw modelCorrupt(folder, `${modelFile} cannot be opened: ${messageOf(cause)}`, cause);
  }
}

function studentOver({ id, classes, preprocessing }: z.output<typeof Card>, session: Session): ImageStudent {
  const dims = [1, 3, preprocessing.size, preprocessing.size];
  const predictTensor = async (image: Float32Array): Promise<Float32Array> => {
    const { logits } = await session.run({ [inputName]: floats(image, dims) });
    return logits!.data as Float32Array; // the only output of every model that training writes
  };
  return {
    modelId: modelId(id),
    classes,
    preprocessing,
    predictTensor,
    async predictLogits(batch, signal) {
      const logits = new Float32Array(batch.length * classes.length);
      let row = 0;
      // One by one: larger batches are no faster on a processor, and an answer must not depend on its neighbours.
      for await (const image of inOrder(batch, DECODED_AHEAD, (input) => tensorOf(input, preprocessing))) {
        signal?.throwIfAborted();
        logits.set(await predictTensor(image), row * classes.length);
        row += 1;
      }
      return logits;
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

async function tensorOf(input: StudentInput, preprocessing: ImagePreprocessing): Promise<Float32Array> {
  if (input.kind === "image") return await prepareImage(input.bytes, preprocessing);
  throw new FlywheelError("student_wrong_input", `this student takes images, it was given a ${input.kind}`, {
    hint: "check the task's input kind",
  });
}
