/**
 * @file Sentence embeddings from any ONNX encoder: token ids in, one vector a token out, pooled as the model's own
 * configuration says (sentence-transformers' files), then of length 1. Texts of the same number of tokens run together:
 * nothing is padded, so that a text's embedding never depends on its neighbours.
 */

import { z } from "zod";
import { FlywheelError } from "../../../errors.ts";
import { openSession, type Port, type Session } from "../../../onnx/session.ts";
import type { Tensor } from "../../../onnx/tensor.ts";
import type { Tokeniser } from "../../../text/tokeniser.ts";
import { type EncoderFiles, jsonOf } from "./encoder-files.ts";
import type { SentenceEncoder } from "./sentence-encoder.ts";

/**
 * `1_Pooling/config.json` of sentence-transformers, as it is written now (`pooling_mode`) and as it was (one flag a mode);
 * without the file the mean, its own default.
 */
const Pooling = z.looseObject({ pooling_mode: z.union([z.string(), z.array(z.string())]).optional() });
const Length = z.looseObject({ max_seq_length: z.int().min(3).nullish() });
/** Where there is no limit it is a number like 1e30. */
const TokenizerConfig = z.looseObject({ model_max_length: z.number().min(3).nullish() });
const Config = z.looseObject({ max_position_embeddings: z.int().min(3).optional() });

export type PoolingMode = "cls" | "mean";

/** Tokens read of a text where nothing says how many; attention costs the square of it. */
const USUAL_TOKENS = 256;
/** Of one run: more are no faster, and their attention fills memory. */
const TOKENS_AT_ONCE = 4096;

const known = ["input_ids", "attention_mask", "token_type_ids"];

type NetworkOptions = {
  readonly files: EncoderFiles["files"];
  readonly tokeniser: Tokeniser;
  readonly source: string;
  readonly threads: number;
};

/** @throws FlywheelError `encoder_unusable` naming what does not fit */
export async function openNetworkEncoder(options: NetworkOptions): Promise<SentenceEncoder> {
  const { files, tokeniser, source, threads } = options;
  const { pooling, maxTokens } = readingOf(options);
  const session = await openSession(files.get("encoder.onnx")!, { threads });
  try {
    const network = networkOf(session, source);
    const { width } = network;
    return {
      width,
      async embed(texts, { onEmbedded, signal } = {}) {
        const into = new Float32Array(texts.length * width);
        const ids = texts.map((text) => tokeniser.encode(text, maxTokens));
        let done = 0;
        for (const rows of batchesOf(ids)) {
          signal?.throwIfAborted();
          const output = await network.run(rows.map((row) => ids[row]!));
          rows.forEach((row, place) => {
            pool(output, { pooling, place, width }, into.subarray(row * width, (row + 1) * width));
          });
          done += rows.length;
          onEmbedded?.(done);
        }
        return into;
      },
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
  } catch (thrown) {
    await session[Symbol.asyncDispose]();
    throw thrown;
  }
}

/** How tokens become a sentence, and how many are read. */
export function readingOf({ files, source }: Pick<NetworkOptions, "files" | "source">): {
  readonly pooling: PoolingMode;
  readonly maxTokens: number;
} {
  const parsed = (name: string): unknown => (files.has(name) ? jsonOf(files, name, source) : {});
  const read = <T extends z.ZodType>(schema: T, name: string): z.output<T> => {
    const result = schema.safeParse(parsed(name));
    if (result.success) return result.data;
    throw unusable(source, `its ${name} cannot be read: ${z.prettifyError(result.error)}`);
  };
  const { max_seq_length } = read(Length, "sentence_bert_config.json");
  const { model_max_length } = read(TokenizerConfig, "tokenizer_config.json");
  const { max_position_embeddings = USUAL_TOKENS } = read(Config, "config.json");
  return {
    pooling: poolingOf(read(Pooling, "pooling.json"), source),
    maxTokens: Math.min(max_seq_length ?? model_max_length ?? USUAL_TOKENS, max_position_embeddings),
  };
}

const modes: Readonly<Record<string, PoolingMode>> = {
  cls: "cls",
  mean: "mean",
  pooling_mode_cls_token: "cls",
  pooling_mode_mean_tokens: "mean",
};

function poolingOf(config: z.output<typeof Pooling>, source: string): PoolingMode {
  const flags = Object.keys(config).filter((key) => key.startsWith("pooling_mode_") && config[key] === true);
  const named = config.pooling_mode === undefined ? flags : [config.pooling_mode].flat();
  if (named.length === 0) return "mean";
  const [mode] = named.map((name) => modes[name]);
  if (named.length === 1 && mode) return mode;
  throw unusable(source, `it pools tokens by ${named.join(" and ")}; "mean" and "cls" can be computed`);
}

/** One vector a token `[rows, tokens, width]`, or one a sentence `[rows, width]`. */
type Output = { readonly data: Float32Array; readonly tokens: number | undefined };

type Network = { readonly width: number; run(ids: readonly (readonly number[])[]): Promise<Output> };

function networkOf(session: Session, source: string): Network {
  const unknown = session.inputs.find(({ name }) => !known.includes(name));
  const ids = session.inputs.find(({ name }) => name === "input_ids");
  if (unknown || !ids) {
    throw unusable(source, `its inputs are ${namesOf(session.inputs)}, not ${known.join(", ")}`);
  }
  const output = outputOf(session, source);
  const width = output.dims.at(-1);
  if (typeof width !== "number") throw unusable(source, `its output ${output.name} has no fixed width`);
  return {
    width,
    async run(rows) {
      const dims = [rows.length, rows[0]?.length ?? 0];
      const feeds = Object.fromEntries(session.inputs.map((port) => [port.name, feedOf(port, rows, dims)]));
      const result = (await session.run(feeds, { outputs: [output.name] }))[output.name];
      if (result?.dtype !== "float32") throw unusable(source, `its output ${output.name} is not float32`);
      return { data: result.data, tokens: result.dims.length === 3 ? result.dims[1] : undefined };
    },
  };
}

/** A sentence's own vector where there is one, else the last layer's tokens. */
export function outputOf({ outputs }: Session, source: string): Port {
  const wanted = ["sentence_embedding", "last_hidden_state", "token_embeddings"];
  const found = wanted.flatMap((name) => outputs.find((port) => port.name === name) ?? []).at(0) ?? outputs[0];
  if (found && (found.dims.length === 2 || found.dims.length === 3)) return found;
  throw unusable(source, `its outputs are ${namesOf(outputs)}, none of them vectors of tokens`);
}

function feedOf({ name, dtype }: Port, rows: readonly (readonly number[])[], dims: readonly number[]): Tensor {
  const values = name === "input_ids" ? rows.flat() : rows.flat().fill(name === "attention_mask" ? 1 : 0);
  return dtype === "int32"
    ? { dtype, dims, data: Int32Array.from(values) }
    : { dtype: "int64", dims, data: BigInt64Array.from(values, BigInt) };
}

type Place = { readonly pooling: PoolingMode; readonly place: number; readonly width: number };

/** Writes one row's embedding, of length 1. */
function pool({ data, tokens }: Output, { pooling, place, width }: Place, into: Float32Array): void {
  const summed = tokens === undefined || pooling === "cls" ? 1 : tokens;
  const from = place * (tokens ?? 1) * width;
  const sums = new Float64Array(width);
  for (let token = 0; token < summed; token++) {
    for (let j = 0; j < width; j++) sums[j]! += data[from + token * width + j]!;
  }
  const length = Math.hypot(...sums) || 1;
  for (let j = 0; j < width; j++) into[j] = sums[j]! / length;
}

/** Rows of equal length together, shortest first. */
function* batchesOf(ids: readonly (readonly number[])[]): Generator<readonly number[]> {
  const byLength = Map.groupBy(ids.keys(), (row) => ids[row]!.length);
  for (const [length, rows] of [...byLength].toSorted(([a], [b]) => a - b)) {
    const size = Math.max(1, Math.floor(TOKENS_AT_ONCE / length));
    for (let first = 0; first < rows.length; first += size) yield rows.slice(first, first + size);
  }
}

const namesOf = (ports: readonly Port[]): string => ports.map(({ name }) => name).join(", ");

function unusable(source: string, why: string): FlywheelError {
  return new FlywheelError("encoder_unusable", `the encoder of ${source} cannot be used: ${why}`, {
    hint: "export a text encoder for feature extraction: input_ids (and attention_mask) in, last_hidden_state out",
  });
}
