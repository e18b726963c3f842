/**
 * @file Static sentence embeddings: the mean of a text's token vectors, in the format of Model2Vec
 * (https://github.com/MinishLab/model2vec, MIT). No network runs: a text costs a look-up and a sum for each of its tokens.
 */

import { z } from "zod";
import { FlywheelError } from "../errors.ts";
import { type NumericTensor, readSafetensors, type Safetensors } from "../onnx/safetensors.ts";
import type { Tokeniser } from "./tokeniser.ts";

/** `config.json`, as far as it concerns embedding. */
export const StaticConfig = z.looseObject({
  normalize: z.boolean().default(false),
  /** Tokens read of a text; null: all. */
  max_length: z.int().min(1).nullable().default(512),
});
export type StaticConfig = z.output<typeof StaticConfig>;

export type StaticEmbeddings = {
  readonly width: number;
  /** Writes the text's embedding to `into[offset …]`; zeros where no token of it is known. */
  embed(text: string, into: Float32Array, offset: number): void;
};

/**
 * @param bytes `model.safetensors`: `embeddings` `[vectors, width]`; a vocabulary that was quantised has `mapping`
 *   `[tokens]` from tokens to vectors, and `weights` `[tokens]`
 * @throws FlywheelError `safetensors_corrupt`, `embeddings_unreadable`
 */
export function openStaticEmbeddings(bytes: Uint8Array, tokeniser: Tokeniser, config: StaticConfig): StaticEmbeddings {
  const { vectors, width, weights, mapping } = tablesOf(readSafetensors(bytes), tokeniser);
  const { normalize, max_length } = config;
  const maxCharacters = max_length === null ? undefined : max_length * tokeniser.medianTokenLength;
  return {
    width,
    embed(text, into, offset) {
      // Counted as the reference counts, in characters and not in UTF-16 units.
      const isLong = maxCharacters !== undefined && text.length > maxCharacters;
      const read = isLong ? [...text.slice(0, 2 * maxCharacters)].slice(0, maxCharacters).join("") : text;
      const ids = tokeniser.encodePlain(read).slice(0, max_length ?? undefined);
      const sums = new Float64Array(width);
      let count = 0;
      for (const id of ids) {
        if (id === tokeniser.unknownId) continue;
        count += 1;
        const from = (mapping ? Number(mapping[id]) : id) * width;
        const weight = weights ? weights[id]! : 1;
        for (let j = 0; j < width; j++) sums[j]! += weight * vectors[from + j]!;
      }
      const length = normalize ? Math.hypot(...sums) : count;
      if (length > 0) for (let j = 0; j < width; j++) into[offset + j] = sums[j]! / length;
      else into.fill(0, offset, offset + width);
    },
  };
}

type Tables = {
  /** `[vectors, width]` */
  readonly vectors: Float32Array;
  readonly width: number;
  readonly weights: Float32Array | undefined;
  readonly mapping: ArrayLike<number | bigint> | undefined;
};

function tablesOf({ tensors }: Safetensors, { size }: Tokeniser): Tables {
  // sentence-transformers' StaticEmbedding writes the same table under another name.
  const table = tensors.get("embeddings") ?? tensors.get("embedding.weight");
  if (table?.dims.length !== 2) {
    throw unreadable(`it has no matrix "embeddings", but ${[...tensors.keys()].slice(0, 5).join(", ") || "nothing"}`);
  }
  const [rows = 0, width = 0] = table.dims;
  const mapping = tensors.get("mapping")?.data;
  const weights = tensors.get("weights");
  const known = Math.min(mapping ? mapping.length : rows, weights ? weights.data.length : Number.POSITIVE_INFINITY);
  if (known < size) throw unreadable(`it has vectors for ${known} tokens, its tokenizer ${size} tokens`);
  if (mapping && Array.from(mapping, Number).some((row) => !(row >= 0 && row < rows))) {
    throw unreadable(`its mapping leads outside of ${rows} vectors`);
  }
  return { vectors: asFloats(table), width, weights: weights && asFloats(weights), mapping };
}

function asFloats({ dtype, data }: NumericTensor): Float32Array {
  switch (dtype) {
    case "float32":
    case "float64":
    case "int8":
      return Float32Array.from(data);
    case "float16":
      return Float32Array.from(new Float16Array(data.buffer, data.byteOffset, data.length));
    default:
      throw unreadable(`its vectors are ${dtype}`);
  }
}

function unreadable(why: string): FlywheelError {
  return new FlywheelError("embeddings_unreadable", `model.safetensors holds no static embeddings: ${why}`, {
    hint: "give a folder in Model2Vec's format: model.safetensors, tokenizer.json and config.json of one model",
  });
}
