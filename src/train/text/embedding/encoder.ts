/** @file Opens an encoder, of whichever kind its files are. */

import { openStaticEmbeddings, StaticConfig } from "../../../text/static-embeddings.ts";
import { openTokeniser, type Tokeniser } from "../../../text/tokeniser.ts";
import { type EncoderFiles, jsonOf } from "./encoder-files.ts";
import { openNetworkEncoder } from "./network-encoder.ts";
import type { SentenceEncoder } from "./sentence-encoder.ts";

/**
 * @throws FlywheelError `tokenizer_unreadable`, `embeddings_unreadable`, `encoder_unusable`, and what reading an ONNX or a
 *   safetensors file throws
 */
export async function openEncoder(
  { kind, files, source }: EncoderFiles,
  { threads }: { readonly threads: number },
): Promise<SentenceEncoder> {
  const tokeniser = openTokeniser(jsonOf(files, "tokenizer.json", source), `${source}/tokenizer.json`);
  switch (kind) {
    case "static":
      return openStatic(files, tokeniser, source);
    case "network":
      return await openNetworkEncoder({ files, tokeniser, source, threads });
    default:
      return kind satisfies never;
  }
}

function openStatic(files: EncoderFiles["files"], tokeniser: Tokeniser, source: string): SentenceEncoder {
  const config = StaticConfig.parse(jsonOf(files, "config.json", source));
  // Directions alone are compared, so that every embedding has length 1, whatever the file says.
  const embeddings = openStaticEmbeddings(files.get("model.safetensors")!, tokeniser, { ...config, normalize: true });
  const { width } = embeddings;
  return {
    width,
    async embed(texts, { onEmbedded, signal } = {}) {
      const into = new Float32Array(texts.length * width);
      for (const [row, text] of texts.entries()) {
        if (row % 1024 === 0) signal?.throwIfAborted();
        embeddings.embed(text, into, row * width);
      }
      onEmbedded?.(texts.length);
      return into;
    },
    async [Symbol.asyncDispose]() {},
  };
}
