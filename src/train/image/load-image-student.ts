/** @file A trained network, loaded to predict. */

import { z } from "zod";
import type { Student, StudentInput } from "../../contracts.ts";
import { messageOf } from "../../errors.ts";
import { resizeToRgb } from "../../image/prepare.ts";
import { argmaxRows } from "../../math/softmax.ts";
import type { Dimension, Model } from "../../onnx/model.ts";
import { readOnnx } from "../../onnx/proto.ts";
import { openSession, type Session } from "../../onnx/session.ts";
import { type Wider, withFeatures } from "../../onnx/surgery.ts";
import { type ImagePreprocessing, modelId } from "../../records.ts";
import { FeatureSearch, readNeighbours } from "../feature-neighbours.ts";
import { readCard, readModelFolder } from "../load-student.ts";
import { committeeOf, membersFile } from "../members.ts";
import { modelCorrupt, modelFile } from "../model-folder.ts";
import { neighboursFile } from "../neighbours-file.ts";
import type { LoadOptions, ModelFiles } from "../trainer.ts";
import { type Heard, type Hearing, hearingOf } from "./hearing.ts";
import { inOrder } from "./in-order.ts";
import { type PixelReader, rememberedPixels } from "./remembered-pixels.ts";

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

const decode: PixelReader = (photo, { size, resize }) => resizeToRgb(photo, size, { resize });

/** Images decoded ahead of the one that is being predicted. */
const DECODED_AHEAD = 4;

/** @throws FlywheelError `model_missing`, `model_corrupt` */
export async function loadImageStudent(folder: string, options: LoadOptions): Promise<ImageStudent> {
  return await openImageStudent(await readModelFolder(folder), options);
}

/** @throws FlywheelError `model_corrupt` */
export async function openImageStudent(model: ModelFiles, { threads, isTimed }: LoadOptions): Promise<ImageStudent> {
  const card = readCard(Card, model);
  const {
    [modelFile]: network = new Uint8Array(),
    [membersFile]: members,
    [neighboursFile]: neighbours,
  } = Object.fromEntries(model.files);
  await using opened = new AsyncDisposableStack();
  const wider =
    members || neighbours ? await readPart(model, modelFile, () => withFeatures(readOnnx(network))) : undefined;
  const session = opened.use(await openPart(model, { name: modelFile, source: wider?.network ?? network, threads }));
  const hearing = hearingOf({
    session,
    preprocessing: card.preprocessing,
    features: wider?.features,
    pixelsOf: isTimed ? decode : (photo, square) => rememberedPixels.pixelsOf(photo, square),
  });
  const heads = members && opened.use(await openPart(model, { name: membersFile, source: members, threads: 1 }));
  const search =
    neighbours &&
    (await readPart(model, neighboursFile, () => searchOf(neighbours, { card, width: widthOf(session, wider) })));
  const parts = opened.move();
  return {
    ...studentOver(card, hearing),
    ...(search && { novelty: noveltyOver(card, hearing, search) }),
    ...(heads && { committee: committeeOver(card, hearing, heads) }),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

type Part = { readonly name: string; readonly source: Uint8Array | Model; readonly threads: number };

function openPart(model: ModelFiles, { name, source, threads }: Part): Promise<Session> {
  // Threads that wait for work spin for a moment, which bridges the gap between two predictions, and sleep after it.
  const config = { "session.intra_op.spin_duration_us": "300" };
  return readPart(model, name, () => openSession(source, { threads, spin: true, config }));
}

async function readPart<T>({ folder }: ModelFiles, name: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw modelCorrupt(folder, `${name} cannot be opened: ${messageOf(cause)}`, cause);
  }
}

type ReadCard = z.output<typeof Card>;

const widthOf = ({ outputs }: Session, wider: Wider | undefined) =>
  outputs.find(({ name }) => name === wider?.features)?.dims.at(-1);

function searchOf(bytes: Uint8Array, { card, width }: { readonly card: ReadCard; readonly width: Dimension }) {
  const neighbours = readNeighbours(bytes, card.classes.length);
  if (neighbours.width === width) return new FeatureSearch(neighbours);
  throw new RangeError(`it has ${neighbours.width} numbers a photo, the network's last layer reads ${width}`);
}

const noveltyOver =
  ({ classes }: ReadCard, hearing: Hearing, search: FeatureSearch): NonNullable<Student["novelty"]> =>
  async (batch, signal) => {
    const novelty = new Float32Array(batch.length);
    for await (const [row, { logits, features }] of hearEach(batch, hearing, signal)) {
      const [classIndex] = argmaxRows(logits, classes.length);
      novelty[row] = search.novelty(features!.data as Float32Array, classIndex!); // as its input: float32
    }
    return novelty;
  };

/** Beside the network, which has been heard, the heads cost nothing. */
function committeeOver({ classes }: ReadCard, hearing: Hearing, heads: Session) {
  const [input] = heads.inputs;
  const hear = async (asked: StudentInput) => {
    const { logits, features } = await hearing.hear(asked);
    const { logits: members } = await heads.run({ [input!.name]: features! });
    return { logits, members: members!.data as Float32Array };
  };
  return committeeOf({ size: Number(heads.outputs[0]!.dims[1]) / classes.length, hear });
}

function studentOver({ id, classes, preprocessing }: ReadCard, hearing: Hearing) {
  return {
    modelId: modelId(id),
    classes,
    preprocessing,
    predictTensor: (image: Float32Array) => hearing.logitsOf(image),
    async predictLogits(batch: readonly StudentInput[], signal?: AbortSignal) {
      const logits = new Float32Array(batch.length * classes.length);
      for await (const [row, heard] of hearEach(batch, hearing, signal)) logits.set(heard.logits, row * classes.length);
      return logits;
    },
  };
}

/** One by one: larger batches are no faster on a processor, and an answer must not depend on its neighbours. */
async function* hearEach(
  batch: readonly StudentInput[],
  hearing: Hearing,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly [row: number, heard: Heard]> {
  const prepared = async (input: StudentInput) => ({
    input,
    image: hearing.has(input) ? undefined : await hearing.prepare(input),
  });
  let row = 0;
  for await (const { input, image } of inOrder(batch, DECODED_AHEAD, prepared)) {
    signal?.throwIfAborted();
    yield [row, await hearing.hear(input, image)];
    row += 1;
  }
}
