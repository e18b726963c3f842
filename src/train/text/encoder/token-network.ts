/**
 * @file A fine-tuned encoder over many texts. Texts of the same number of tokens run together: nothing is filled up, so
 * that what is said of a text does not depend on its neighbours.
 */

import type { Dimension, Model } from "../../../onnx/model.ts";
import { openSession } from "../../../onnx/session.ts";
import { tokenFeeds } from "./token-feeds.ts";

export type TokenIds = readonly number[];

export type RunTexts = {
  readonly onDone?: ((texts: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type TokenNetwork = AsyncDisposable & {
  /** Classes that it tells apart; `undefined` where the file does not say. */
  readonly classes: Dimension;
  /** Each of `outputs`: `[texts, width]`. */
  run(
    texts: readonly TokenIds[],
    outputs: readonly string[],
    options?: RunTexts,
  ): Promise<ReadonlyMap<string, Float32Array>>;
};

/** Of one run: more are no faster, and their attention fills memory. */
const TOKENS_AT_ONCE = 4096;

/** @param source a model whose outputs are float32 `[N, width]`, or the bytes of its file */
export async function openTokenNetwork(source: Model | Uint8Array, threads: number): Promise<TokenNetwork> {
  const session = await openSession(source, { threads });
  return {
    classes: session.outputs.find(({ name }) => name === "logits")?.dims[1],
    async run(texts, outputs, { onDone, signal } = {}) {
      const tables = new Map(outputs.map((name) => [name, new Float32Array(0)]));
      let done = 0;
      for (const { rows, length } of runsOf(texts)) {
        signal?.throwIfAborted();
        const feeds = tokenFeeds(
          session.inputs,
          rows.map((row) => texts[row]!),
          length,
        );
        const said = await session.run(feeds, { outputs });
        for (const name of outputs) {
          const own = said[name]!.data as Float32Array; // as of every model that training writes
          const width = own.length / rows.length;
          const table = tables.get(name)!.length > 0 ? tables.get(name)! : new Float32Array(texts.length * width);
          for (const [place, row] of rows.entries()) {
            table.set(own.subarray(place * width, (place + 1) * width), row * width);
          }
          tables.set(name, table);
        }
        done += rows.length;
        onDone?.(done);
      }
      return tables;
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
