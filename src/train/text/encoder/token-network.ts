/**
 * @file A fine-tuned encoder over many texts. Texts of the same number of tokens run together: nothing is filled up, so
 * that what is said of a text does not depend on its neighbours.
 */

import type { Model } from "../../../onnx/model.ts";
import { openSession } from "../../../onnx/session.ts";
import { tokenFeeds } from "./token-feeds.ts";

export type TokenIds = readonly number[];

export type RunTexts = {
  readonly onDone?: ((texts: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type TokenNetwork = AsyncDisposable & {
  /** Outputs for each text. */
  readonly width: number;
  /** `[texts, width]` */
  run(texts: readonly TokenIds[], options?: RunTexts): Promise<Float32Array>;
};

/** Of one run: more are no faster, and their attention fills memory. */
const TOKENS_AT_ONCE = 4096;

/** @param source a model with the one output `logits` `[N, k]`, or the bytes of its file */
export async function openTokenNetwork(source: Model | Uint8Array, threads: number): Promise<TokenNetwork> {
  const session = await openSession(source, { threads });
  const width = Number(session.outputs[0]?.dims[1]);
  return {
    width,
    async run(texts, { onDone, signal } = {}) {
      const logits = new Float32Array(texts.length * width);
      let done = 0;
      for (const { rows, length } of runsOf(texts)) {
        signal?.throwIfAborted();
        const feeds = tokenFeeds(
          session.inputs,
          rows.map((row) => texts[row]!),
          length,
        );
        const own = (await session.run(feeds))["logits"]!.data as Float32Array; // the only output of every model that training writes
        for (const [place, row] of rows.entries()) {
          logits.set(own.subarray(place * width, (place + 1) * width), row * width);
        }
        done += rows.length;
        onDone?.(done);
      }
      return logits;
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** Rows of equal length together, shortest first. */
function* runsOf(texts: readonly TokenIds[]): Generator<{ rows: readonly number[]; length: number }> {
  const byLength = Map.groupBy(texts.keys(), (row) => texts[row]!.length);
  for (const [length, rows] of [...byLength].toSorted(([a], [b]) => a - b)) {
    const size = Math.max(1, Math.floor(TOKENS_AT_ONCE / length));
    for (let first = 0; first < rows.length; first += size) yield { rows: rows.slice(first, first + size), length };
  }
}
