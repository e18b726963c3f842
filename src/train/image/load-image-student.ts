/** @file A trained network, loaded to predict. */

import { z } from "zod";
import type { Student, StudentInput } from "../../contracts.ts";
import { FlywheelError, messageOf } from "../../errors.ts";
import { prepareImage } from "../../image/prepare.ts";
import { readOnnx, writeOnnx } from "../../onnx/proto.ts";
import { openSession, type Session } from "../../onnx/session.ts";
import { floats } from "../../onnx/tensor.ts";
import { type ImagePreprocessing, modelId } from "../../records.ts";
import { readCard, readModelFolder } from "../load-student.ts";
import { committeeOf, membersFile } from "../members.ts";
import { modelCorrupt, modelFile } from "../model-folder.ts";
import type { LoadOptions, ModelFiles } from "../trainer.ts";
import { inputName } from "./image-input.ts";
import { inOrder } from "./in-order.ts";
import { withFeaturesFor } from "./member-heads.ts";

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
  const card = readCard(Card, model);
  const members = model.files.get(membersFile);
  const network = model.files.get(modelFile) ?? new Uint8Array();
  if (!members) return studentOver(card, await openPart(model, { name: modelFile, bytes: network, threads }));
  const { network: wider, features } = withFeaturesFor(readOnnx(network), readOnnx(members));
  await using opened = new AsyncDisposableStack();
  const session = opened.use(await openPart(model, { name: modelFile, bytes: writeOnnx(wider), threads }));
  const heads = opened.use(await openPart(model, { name: membersFile, bytes: members, threads: 1 }));
  const parts = opened.move();
  return {
    ...studentOver(card, session),
    committee: committeeOver(card, { session, heads, features }),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

type Part = { readonly name: string; readonly bytes: Uint8Array; readonly threads: number };

async function openPart({ folder }: ModelFiles, { name, bytes, threads }: Part): Promise<Session> {
  // Threads that wait for work spin for a moment, which bridges the gap between two predictions, and sleep after it.
  const config = { "session.intra_op.spin_duration_us": "300" };
  try {
    return await openSession(bytes, { threads, spin: true, config });
  } catch (cause) {
    throw modelCorrupt(folder, `${name} cannot be opened: ${messageOf(cause)}`, cause);
  }
}

type Heads = { readonly session: Session; readonly heads: Session; readonly features: string };

/** The network runs once more for those that are asked about; the heads cost nothing beside it. */
function committeeOver({ classes, preprocessing }: z.output<typeof Card>, { session, heads, features }: Heads) {
  const dims = [1, 3, preprocessing.size, preprocessing.size];
  const hear = async (input: StudentInput) => {
    const said = await session.run({ [inputName]: floats(await tensorOf(input, preprocessing), dims) });
    const { logits: members } = await heads.run({ [features]: said[features]! });
    return { logits: said["logits"]!.data as Float32Array, members: members!.data as Float32Array };
  };
  return committeeOf({ size: Number(heads.outputs[0]!.dims[1]) / classes.length, hear });
}

function studentOver({ id, classes, preprocessing }: z.output<typeof Card>, session: Session): ImageStudent {
  const dims = [1, 3, preprocessing.size, preprocessing.size];
  const predictTensor = async (image: Float32Array): Promise<Float32Array> => {
    const { logits } = await session.run({ [inputName]: floats(image, dims) }, { outputs: ["logits"] });
    return logits!.data as Float32Array;
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
