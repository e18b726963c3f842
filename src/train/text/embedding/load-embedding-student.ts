/** @file An embedding student, loaded: its encoder, then its head. Everything lies in the model's own folder. */

import { z } from "zod";
import type { Student, StudentInput } from "../../../contracts.ts";
import { openSession } from "../../../onnx/session.ts";
import { floats } from "../../../onnx/tensor.ts";
import { modelId } from "../../../records.ts";
import { readCard } from "../../load-student.ts";
import { modelCorrupt, modelFile } from "../../model-folder.ts";
import type { LoadOptions, ModelFiles } from "../../trainer.ts";
import { noveltyOnce } from "../novelty-once.ts";
import { textOf } from "../text-input.ts";
import { openEncoder } from "./encoder.ts";
import { shareEncoder } from "./share-encoder.ts";

const Card = z.object({
  id: z.string(),
  classes: z.array(z.string()).min(2),
  options: z.looseObject({ encoder: z.enum(["static", "network"]), encoderHash: z.string() }),
});

/** @throws FlywheelError `model_corrupt`, and what opening the encoder throws */
export async function openEmbeddingStudent(model: ModelFiles, { threads, isTimed }: LoadOptions): Promise<Student> {
  const { id, classes, options } = readCard(Card, model);
  await using opened = new AsyncDisposableStack();
  const { encoder: kind, encoderHash } = options;
  const encoder = opened.use(
    await shareEncoder(
      `${encoderHash} ${threads}`,
      () => openEncoder({ kind, files: model.files, source: model.folder }, { threads }),
      { remembers: !isTimed },
    ),
  );
  const head = opened.use(await openSession(model.files.get(modelFile)!, { threads }));
  const [embedding, logits] = [head.inputs[0], head.outputs.find(({ name }) => name === "logits")];
  if (embedding?.dims[1] !== encoder.width || logits?.dims[1] !== classes.length) {
    throw modelCorrupt(model.folder, `${modelFile} does not go with the encoder beside it, or with the card`);
  }
  const novelties = new WeakMap<StudentInput, number>();
  const predictLogits: Student["predictLogits"] = async (batch, signal) => {
    if (batch.length === 0) return new Float32Array(0);
    const texts = batch.map((input) => textOf(input));
    const embeddings = await encoder.embed(texts, { signal });
    const said = await head.run({ embeddings: floats(embeddings, [batch.length, encoder.width]) });
    batch.forEach((input, row) => void novelties.set(input, Number(said["novelty"]!.data[row])));
    return said["logits"]!.data as Float32Array;
  };
  const parts = opened.move();
  return {
    modelId: modelId(id),
    classes,
    predictLogits,
    novelty: noveltyOnce(predictLogits, novelties),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
