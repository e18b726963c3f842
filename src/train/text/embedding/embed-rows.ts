/**
 * @file Embeds the training texts, a piece at a time, each durable before the next: a training that was stopped embeds
 * nothing twice.
 */

import { appendFile, mkdir, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../../download-part.ts";
import type { TrainingWork } from "../../trainer.ts";
import { stopIfAsked } from "./interrupted.ts";
import type { SentenceEncoder } from "./sentence-encoder.ts";

/** Texts between two pieces: a second or two of a small network. */
const PIECE = 256;

/**
 * `[texts, width]`
 * @throws FlywheelError `training_interrupted`
 */
export async function embedRows(
  encoder: Pick<SentenceEncoder, "width" | "embed">,
  texts: readonly string[],
  { workFolder, progress, signal }: Pick<TrainingWork, "workFolder" | "progress" | "signal">,
): Promise<Float32Array> {
  const { width } = encoder;
  const path = join(workFolder, "embeddings.bin");
  await mkdir(workFolder, { recursive: true });
  // Longest first: a piece has texts of about one length, which run together, and what is left never takes longer than it seems.
  const order = [...texts.keys()].toSorted((a, b) => texts[b]!.length - texts[a]!.length);
  const embeddings = new Float32Array(texts.length * width);
  const place = (piece: Float32Array, first: number): void => {
    for (let at = 0; at * width < piece.length; at++) {
      embeddings.set(piece.subarray(at * width, (at + 1) * width), order[first + at]! * width);
    }
  };
  const kept = await readKept(path, width);
  place(kept, 0);
  for (let first = kept.length / width; first < texts.length; first += PIECE) {
    stopIfAsked(signal, `after ${first} of ${texts.length} texts were embedded`);
    const piece = await encoder.embed(
      order.slice(first, first + PIECE).map((row) => texts[row]!),
      { onEmbedded: (done) => progress?.({ stage: "embed", done: first + done, total: texts.length }) },
    );
    await appendFile(path, new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
    place(piece, first);
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
