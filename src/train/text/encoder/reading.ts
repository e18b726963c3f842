/** @file How an encoder reads texts, from its files: the tokeniser, how many tokens, and how their vectors become one. */

import { readOnnx } from "../../../onnx/proto.ts";
import { openSession } from "../../../onnx/session.ts";
import { openTokeniser } from "../../../text/tokeniser.ts";
import { type EncoderFiles, jsonOf } from "../embedding/encoder-files.ts";
import { outputOf, type PoolingMode, readingOf } from "../embedding/network-encoder.ts";
import type { ClassifierParts } from "./classifier-network.ts";
import type { TokenIds } from "./token-network.ts";

export type Reading = {
  readonly pooling: PoolingMode;
  /** The end of a longer text is left out. */
  readonly maxTokens: number;
  encode(text: string): TokenIds;
};

/** @throws FlywheelError `tokenizer_unreadable`, `encoder_unusable` */
export function openReading({ files, source }: Pick<EncoderFiles, "files" | "source">): Reading {
  const { pooling, maxTokens } = readingOf({ files, source });
  const tokeniser = openTokeniser(jsonOf(files, "tokenizer.json", source), `${source}/tokenizer.json`);
  return { pooling, maxTokens, encode: (text) => tokeniser.encode(text, maxTokens) };
}

/** The network, and which of its outputs to classify by. @throws FlywheelError `encoder_unusable` */
export async function readNetwork({
  files,
  source,
}: Pick<EncoderFiles, "files" | "source">): Promise<Pick<ClassifierParts, "encoder" | "output">> {
  const bytes = files.get("encoder.onnx")!; // `readEncoderFiles` has it of every network
  await using session = await openSession(bytes, { threads: 1, optimisation: "disabled" });
  const { name, dims } = outputOf(session, source);
  return { encoder: readOnnx(bytes), output: { name, rank: dims.length } };
}
