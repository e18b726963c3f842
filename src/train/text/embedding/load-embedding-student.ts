/** @file An embedding student, loaded: its encoder, then its head. Everything lies in the model's own folder. */

import { z } from "zod";
import type { Student, StudentInput } from "../../../contracts.ts";
import { openSession } from "../../../onnx/session.ts";
import { floats } from "../../../onnx/tensor.ts";
import { modelId } from "../../../records.ts";
import { readCard } from "../../load-student.ts";
import { modelCorrupt, modelFile } from "../../model-folder.ts";
import type { LoadOptions, ModelFiles } from "../../trainer.ts";
import { textOf } from "../text-input.ts";
import { openEncoder } from "./encoder.ts";

const Card = z.object({
  id: z.string(),
  classes: z.array(z.string()).min(2),
  options: z.looseObject({ encoder: z.enum(["static", "network"]) }),
});

/** @throws FlywheelError `model_corrupt`, and what opening the encoder throws */
export async function openEmbeddingStudent(model: ModelFiles, { threads }: LoadOptions): Promise<Student> {
  const { id, classes, options } = readCard(Card, model);
  await using opened = new AsyncDisposableStack();
  const encoder = opened.use(
    await openEncoder({ kind: options.encoder, files: model.files, source: model.folder }, { threads }),
  );
  const head = opened.use(await openSession(model.files.get(modelFile)!, { threads }));
  if (head.inputs[0]?.dims[1] !== encoder.width || head.outputs[0]?.dims[1] !== classes.length) {
    throw modelCorrupt(model.folder, `${modelFile} does not go with the encoder beside it, or with the card`);
  }
  const ask = async (output: string, batch: readonly StudentInput[], signal?: AbortSignal): Promise<Float32Array> => {
    if (batch.length === 0) return new Float32Array(0);
    const embeddings = await encoder.embed(
      batch.map((input) => textOf(input)),
      { signal },
    );
    const feeds = { embeddings: floats(embeddings, [batch.length, encoder.width]) };
    return (await head.run(feeds, { outputs: [output] }))[output]!.data as Float32Array;
  };
  const parts = opened.move();
  return {
    modelId: modelId(id),
    classes,
    predictLogits: (batch, signal) => ask("logits", batch, signal),
    novelty: (batch, signal) => ask("novelty", batch, signal),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
