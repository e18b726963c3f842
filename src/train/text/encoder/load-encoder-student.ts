/** @file A fine-tuned encoder, loaded: its tokeniser, then `model.onnx`. Everything lies in the model's own folder. */

import { z } from "zod";
import type { Student, StudentInput } from "../../../contracts.ts";
import { messageOf } from "../../../errors.ts";
import { argmaxRows } from "../../../math/softmax.ts";
import { readOnnx } from "../../../onnx/proto.ts";
import { withFeatures } from "../../../onnx/surgery.ts";
import { modelId } from "../../../records.ts";
import { FeatureSearch, readNeighbours } from "../../feature-neighbours.ts";
import { readCard } from "../../load-student.ts";
import { modelCorrupt, modelFile } from "../../model-folder.ts";
import { neighboursFile } from "../../neighbours-file.ts";
import type { LoadOptions, ModelFiles } from "../../trainer.ts";
import { noveltyOnce } from "../novelty-once.ts";
import { textOf } from "../text-input.ts";
import { openReading } from "./reading.ts";
import { openTokenNetwork, type TokenNetwork } from "./token-network.ts";

const Card = z.object({ id: z.string(), classes: z.array(z.string()).min(2) });

/** @throws FlywheelError `model_corrupt`, `tokenizer_unreadable` */
export async function openEncoderStudent(model: ModelFiles, { threads }: LoadOptions): Promise<Student> {
  const { id, classes } = readCard(Card, model);
  const { encode } = openReading({ files: model.files, source: model.folder });
  const { network, features } = await opened(model, threads);
  await using parts = new AsyncDisposableStack();
  parts.use(network);
  const search = searchOf(model, classes.length);
  if (network.classes !== classes.length) {
    throw modelCorrupt(model.folder, `${modelFile} has ${network.classes} outputs, its card ${classes.length} classes`);
  }
  const novelties = new WeakMap<StudentInput, number>();
  const predictLogits: Student["predictLogits"] = async (batch, signal) => {
    const ids = batch.map((input) => encode(textOf(input)));
    const said = await network.run(ids, search ? ["logits", features] : ["logits"], { signal });
    const [logits, read] = [said.get("logits")!, said.get(features)];
    if (!search || !read) return logits;
    const width = read.length / batch.length;
    for (const [row, classIndex] of argmaxRows(logits, classes.length).entries()) {
      novelties.set(batch[row]!, search.novelty(read.subarray(row * width, (row + 1) * width), classIndex));
    }
    return logits;
  };
  const kept = parts.move();
  return {
    modelId: modelId(id),
    classes,
    predictLogits,
    ...(search && { novelty: noveltyOnce(predictLogits, novelties) }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

type Opened = { readonly network: TokenNetwork; readonly features: string };

async function opened({ folder, files }: ModelFiles, threads: number): Promise<Opened> {
  try {
    const { network, features } = withFeatures(readOnnx(files.get(modelFile) ?? new Uint8Array()));
    return { network: await openTokenNetwork(network, threads), features };
  } catch (cause) {
    throw modelCorrupt(folder, `${modelFile} cannot be opened: ${messageOf(cause)}`, cause);
  }
}

/** Undefined of models of earlier versions: these take every text for familiar. */
function searchOf({ folder, files }: ModelFiles, classes: number): FeatureSearch | undefined {
  const bytes = files.get(neighboursFile);
  try {
    return bytes && new FeatureSearch(readNeighbours(bytes, classes));
  } catch (cause) {
    throw modelCorrupt(folder, `${neighboursFile} cannot be opened: ${messageOf(cause)}`, cause);
  }
}
