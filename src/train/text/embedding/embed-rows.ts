/**
 * @file Embeds the training texts, a piece at a time, each durable before the next: a training that was stopped embeds
 * nothing twice.
 */

import { appendFile, mkdir, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { FlywheelError } from "../../../errors.ts";
import { isMissing } from "../../download-part.ts";
import type { TrainingWork } from "../../trainer.ts";
import type { SentenceEncoder } from "./sentence-encoder.ts";

/** Texts between two pieces. */
const PIECE = 1024;

/**
 * `[texts, width]`
 * @throws FlywheelError `training_interrupted`
 */
export async function embedRows(
  encoder: SentenceEncoder,
  texts: readonly string[],
  { workFolder, progress, signal }: TrainingWork,
): Promise<Float32Array> {
  const { width } = encoder;
  const path = join(workFolder, "embeddings.bin");
  await mkdir(workFolder, { recursive: true });
  const kept = await readKept(path, width);
  const embeddings = new Float32Array(texts.length * width);
  embeddings.set(kept);
  for (let first = kept.length / width; first < texts.length; first += PIECE) {
    if (signal?.aborted) throw interrupted(first, texts.length, signal.reason);
    const piece = await encoder.embed(texts.slice(first, first + PIECE), {
      onEmbedded: (done) => progress?.({ stage: "embed", done: first + done, total: texts.length }),
    });
    await appendFile(path, new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    embeddings.set(piece, first * width);
  }
  return embeddings;
}

/** Whole rows that an earlier run left; half a row is cut off. */
async function readKept(path: string, width: number): Promise<Float32Array> {
  const bytes = await readFile(path).catch((thrown: unknown) => {
    if (isMissing(thrown)) return new Uint8Array(0);
    throw thrown;
  });
  const rowBytes = width * Float32Array.BYTES_PER_ELEMENT;
  const whole = Math.floor(bytes.length / rowBytes) * rowBytes;
  if (whole < bytes.length) await truncate(path, whole);
  return new Float32Array(Uint8Array.from(bytes.subarray(0, whole)).buffer);
}

function interrupted(done: number, total: number, cause: unknown): FlywheelError {
  return new FlywheelError(
    "training_interrupted",
    `training was stopped after ${done} of ${total} texts were embedded`,
    {
      hint: "run the same command again: it continues from there",
      retryable: true,
      cause,
    },
  );
}
