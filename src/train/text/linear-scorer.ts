/**
 * @file The logits of a text, from how often its n-grams occur: weighing and adding up in one pass. A text has a thousand
 * n-grams among a few hundred thousand, so most of the time goes into fetching what belongs to each; it lies side by side.
 */

import type { TextEncoder } from "../../text/text-encoder.ts";
import type { LinearWeights } from "./linear-network.ts";

export class LinearScorer {
  readonly k: number;
  readonly #bias: Float32Array;
  /** `[columns, 1 + k]`: idf, then the weights. */
  readonly #rows: Float32Array;

  /** @param idf `[columns]` */
  constructor({ weights, bias, columns, k }: LinearWeights, idf: Float64Array) {
    this.k = k;
    this.#bias = bias;
    this.#rows = new Float32Array(columns * (1 + k));
    for (let column = 0; column < columns; column++) {
      this.#rows[column * (1 + k)] = idf[column]!;
      this.#rows.set(weights.subarray(column * k, (column + 1) * k), column * (1 + k) + 1);
    }
  }

  /** `[k]`, of the text that `encoder` has counted last: bias + Σ value · weights of its column. */
  logitsOf(encoder: TextEncoder): Float32Array {
    const sums = Float64Array.from(this.#bias); // in float64, as everywhere; rounded once
    const add = this.k === 2 ? this.#addTwo : this.#addAll;
    add.call(this, sums, encoder, 0, encoder.wordCount);
    add.call(this, sums, encoder, encoder.wordCount, encoder.count);
    return Float32Array.from(sums);
  }

  /** Entries `[start, end)`, which are scaled to length 1 together. */
  #addAll(sums: Float64Array, { columns, frequencies }: TextEncoder, start: number, end: number): void {
    const [rows, k] = [this.#rows, this.k];
    const own = new Float64Array(k);
    let squares = 0;
    for (let entry = start; entry < end; entry++) {
      let at = columns[entry]! * (1 + k);
      const value = frequencies[entry]! * rows[at++]!;
      squares += value * value;
      for (let c = 0; c < k; c++) own[c]! += value * rows[at++]!;
    }
    const scale = scaleOf(squares);
    for (let c = 0; c < k; c++) sums[c]! += scale * own[c]!;
  }

  /** The usual case without an inner loop. */
  #addTwo(sums: Float64Array, { columns, frequencies }: TextEncoder, start: number, end: number): void {
    const rows = this.#rows;
    let [squares, first, second] = [0, 0, 0];
    for (let entry = start; entry < end; entry++) {
      const at = columns[entry]! * 3;
      const value = frequencies[entry]! * rows[at]!;
      squares += value * value;
      first += value * rows[at + 1]!;
      second += value * rows[at + 2]!;
    }
    const scale = scaleOf(squares);
    sums[0]! += scale * first;
    sums[1]! += scale * second;
  }
}

/** A block without any feature stays 0. */
const scaleOf = (squares: number): number => (squares === 0 ? 0 : 1 / Math.sqrt(squares));
