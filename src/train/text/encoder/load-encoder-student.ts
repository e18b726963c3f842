/** @file A fine-tuned encoder, loaded: its tokeniser, then `model.onnx`. Everything lies in the model's own folder. */

import { z } from "zod";
import type { Student } from "../../../contracts.ts";
import { messageOf } from "../../../errors.ts";
import { modelId } from "../../../records.ts";
import { readCard } from "../../load-student.ts";
import { modelCorrupt, modelFile } from "../../model-folder.ts";
import type { LoadOptions, ModelFiles } from "../../trainer.ts";
import { textOf } from "../text-input.ts";
import { openReading } from "./reading.ts";
import { openTokenNetwork, type TokenNetwork } from "./token-network.ts";

const Card = z.object({ id: z.string(), classes: z.array(z.string()).min(2) });

/** @throws FlywheelError `model_corrupt`, `tokenizer_unreadable` */
export async function openEncoderStudent(model: ModelFiles, { threads }: LoadOptions): Promise<Student> {
  const { id, classes } = readCard(Card, model);
  const { encode } = openReading({ files: model.files, source: model.folder });
  const network = await openModel(model, threads);
  if (network.width !== classes.length) {
    await network[Symbol.asyncDispose]();
    throw modelCorrupt(model.folder, `${modelFile} has ${network.width} outputs, its card ${classes.length} classes`);
  }
  return {
    modelId: modelId(id),
    classes,
    predictLogits: async (batch, signal) =>
      await network.run(
        batch.map((input) => encode(textOf(input))),
        { signal },
      ),
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

async function openModel({ folder, files }: ModelFiles, threads: number): Promise<TokenNetwork> {
  try {
    return await openTokenNetwork(files.get(modelFile) ?? new Uint8Array(), threads);
  } catch (cause) {
    throw modelCorrupt(folder, `${modelFile} cannot be opened: ${messageOf(cause)}`, cause);
  }
}
