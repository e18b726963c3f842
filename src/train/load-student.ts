/** @file A trained model, loaded to predict. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Student, StudentInput } from "../contracts.ts";
import { FlywheelError, messageOf } from "../errors.ts";
import { prepareImage } from "../image/prepare.ts";
import { openSession, type Session } from "../onnx/session.ts";
import { floats } from "../onnx/tensor.ts";
import { type ImagePreprocessing, modelId } from "../records.ts";
import { isMissing } from "./download-part.ts";
import { inputName } from "./image-input.ts";
import { inOrder } from "./in-order.ts";
import { cardFile, modelFile } from "./model-folder.ts";

export type ImageStudent = Student & {
  readonly preprocessing: ImagePreprocessing;
  /**
   * The fast path: one prepared image `[3, size, size]` (`prepareImage`) to its logits `[classes]`.
   * @throws RangeError for another length
   */
  predictTensor(image: Float32Array): Promise<Float32Array>;
};

export type LoadOptions = {
  /** Threads inside one prediction. */
  readonly threads: number;
};

/** What of `card.json` serving depends on. */
const Card = z.object({
  id: z.string(),
  classes: z.array(z.string()).min(2),
  sha256: z.string(),
  preprocessing: z.object({
    size: z.int().positive(),
    resize: z.int().positive(),
    mean: z.tuple([z.number(), z.number(), z.number()]),
    std: z.tuple([z.number(), z.number(), z.number()]),
  }),
});

/** Images decoded ahead of the one that is being predicted. */
const DECODED_AHEAD = 4;

/**
 * Opens the model in `folder` (`store.models.folder(id)`).
 * @throws FlywheelError `model_missing`, or `model_corrupt` where its files are not those that training wrote
 */
export async function loadStudent(folder: string, { threads }: LoadOptions): Promise<ImageStudent> {
  const card = parseCard(folder, await readPart(folder, cardFile));
  const bytes = await readPart(folder, modelFile);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== card.sha256) throw corrupt(folder, `${modelFile} has SHA-256 ${sha256}, its card says ${card.sha256}`);
  return studentOver(card, await openModel(folder, bytes, threads));
}

async function readPart(folder: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(join(folder, name));
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new FlywheelError("model_missing", `there is no ${name} in ${folder}`, {
      hint: "train again: the same data gives the same model",
      cause,
    });
  }
}

function parseCard(folder: string, bytes: Uint8Array): z.output<typeof Card> {
  try {
    return Card.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw corrupt(folder, `${cardFile} cannot be read: ${messageOf(cause)}`, cause);
  }
}

async function openModel(folder: string, bytes: Uint8Array, threads: number): Promise<Session> {
  // Waiting threads spin while a prediction runs, which makes it a tenth faster, and sleep between predictions.
  const config = { "session.force_spinning_stop": "1" };
  try {
    return await openSession(bytes, { threads, spin: true, config });
  } catch (cause) {
    throw corrupt(folder, `${modelFile} cannot be opened: ${messageOf(cause)}`, cause);
  }
}

function corrupt(folder: string, why: string, cause?: unknown): FlywheelError {
  return new FlywheelError("model_corrupt", `the model in ${folder} is damaged: ${why}`, {
    hint: "delete this folder and train again: the same data gives the same model",
    cause,
  });
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
