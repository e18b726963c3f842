/**
 * @file TF-IDF as scikit-learn defines it (`TfidfVectorizer(sublinear_tf=True)`): (1 + ln count) · idf, with the smooth
 * idf = ln((1 + texts) / (1 + texts that hold it)) + 1; words and characters each scaled to length 1 by themselves, as a
 * `FeatureUnion` of two vectorisers does.
 */

import type { SparseMatrix } from "../math/sparse.ts";
import type { TermCounts } from "./vocabulary.ts";

export type Rarity = {
  readonly documents: number;
  readonly documentFrequency: ArrayLike<number>;
  /** An n-gram in fewer texts weighs nothing. Default 1. */
  readonly minDocuments?: number;
};

/** Weight of each feature, 0 for those that are too rare. `[columns]` */
export function inverseDocumentFrequency({ documents, documentFrequency, minDocuments = 1 }: Rarity): Float64Array {
  const idf = new Float64Array(documentFrequency.length);
  for (let column = 0; column < idf.length; column++) {
    const frequency = documentFrequency[column]!;
    if (frequency >= minDocuments) idf[column] = Math.log((1 + documents) / (1 + frequency)) + 1;
  }
  return idf;
}

/** The matrix that a classifier learns from. `idf`: `[columns]`. Shares its index with `counts`. */
export function weighTerms(counts: TermCounts, idf: Float64Array): SparseMatrix {
  const { rows, columns, starts, indices, frequencies, wordColumns } = counts;
  const values = new Float32Array(indices.length);
  for (let row = 0; row < rows; row++) {
    const [start, end] = [starts[row]!, starts[row + 1]!];
    let boundary = start;
    while (boundary < end && indices[boundary]! < wordColumns) boundary++;
    weighBlock({ indices, frequencies, idf, values }, start, boundary);
    weighBlock({ indices, frequencies, idf, values }, boundary, end);
  }
  return { rows, columns, starts, indices, values };
}

type Block = {
  readonly indices: Int32Array;
  readonly frequencies: Float32Array;
  readonly idf: Float64Array;
  readonly values: Float32Array;
};

/** Entries `[start, end)`: weight, then length 1. A block without any feature stays 0. */
export function weighBlock({ indices, frequencies, idf, values }: Block, start: number, end: number): void {
  let squares = 0;
  for (let entry = start; entry < end; entry++) {
    const weight = frequencies[entry]! * idf[indices[entry]!]!;
    values[entry] = weight;
    squares += weight * weight;
  }
  if (squares === 0) return;
  const scale = 1 / Math.sqrt(squares);
  for (let entry = start; entry < end; entry++) values[entry]! *= scale;
}
