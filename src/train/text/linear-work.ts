/**
 * @file The two heavy parts of a linear text student, as pure functions: learning the vocabulary, and one fit. Both run in
 * threads of their own (`fit-worker.ts`).
 */

import type { SparseMatrix } from "../../math/sparse.ts";
import { fitSparseLogistic, type SparseLogistic, sparseLogits } from "../../math/sparse-logistic.ts";
import type { NgramOptions } from "../../text/options.ts";
import { inverseDocumentFrequency, weighTerms } from "../../text/tf-idf.ts";
import type { TermCounts, Vocabulary } from "../../text/vocabulary.ts";
import { type Learned, VocabularyBuilder } from "../../text/vocabulary-builder.ts";

/** Texts between two calls of `onRead`. */
const READ_BETWEEN = 4096;

/** `onRead` hears of every text twice, for each is read twice. */
export function learnVocabulary(
  texts: readonly string[],
  ngrams: NgramOptions,
  onRead: (read: number) => void = () => {},
): Learned {
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  const builder = new VocabularyBuilder(ngrams, characters);
  let read = 0;
  for (const pass of ["observe", "count"] as const) {
    for (const text of texts) {
      builder[pass](text);
      read += 1;
      if (read % READ_BETWEEN === 0) onRead(read);
    }
  }
  return builder.finish();
}

/** What every fit of one training has in common. */
export type LinearProblem = {
  readonly counts: TermCounts;
  readonly documentFrequency: Vocabulary["documentFrequency"];
  readonly minDocuments: number;
  readonly k: number;
  /** `[rows, k]` */
  readonly targets: Float32Array;
  /** `[rows]` */
  readonly weights: Float64Array;
  /** Fold of each row. `[rows]` */
  readonly folds: Int32Array;
  /** Whether a fit without a fold gives its model as well. */
  readonly keepsFolds?: boolean | undefined;
};

/** Without a fold: on every row, the model that serves. */
export type LinearFitRequest = { readonly fold: number | undefined; readonly c: number };

export type LinearFitResult = {
  /** `[held-out rows, k]`, in the order of the rows; empty where no fold was held out. */
  readonly heldOut: Float32Array;
  /** Of a fit on every row, and of those without a fold where they are kept. */
  readonly model: SparseLogistic | undefined;
  readonly iterations: number;
  readonly loss: number;
};

/**
 * Fits of one problem, each from nothing: from the solution at another C the gradient is small at once, and the search would
 * stop where it began. A fold's features are weighed without the
 * fold's texts, and n-grams that are too rare without them weigh nothing: as if the fold had never been seen.
 */
export class LinearFitter {
  readonly #problem: LinearProblem;
  /** Of the fold fitted last, and only of that: features of a large collection fill memory. */
  #current: { readonly fold: number | undefined; readonly features: SparseMatrix } | undefined;

  constructor(problem: LinearProblem) {
    this.#problem = problem;
  }

  fit({ fold, c }: LinearFitRequest): LinearFitResult {
    const { k, targets, weights, folds, keepsFolds } = this.#problem;
    const features = this.#featuresOf(fold);
    const own = fold === undefined ? weights : weights.map((weight, row) => (folds[row] === fold ? 0 : weight));
    const { iterations, loss, ...model } = fitSparseLogistic({ features, k, targets, weights: own }, { c });
    if (fold === undefined) return { heldOut: new Float32Array(0), model, iterations, loss };
    const heldOut = sparseLogits32(model, rowsOf(features, folds, fold));
    return { heldOut, model: keepsFolds ? model : undefined, iterations, loss };
  }

  #featuresOf(fold: number | undefined): SparseMatrix {
    if (this.#current && this.#current.fold === fold) return this.#current.features;
    this.#current = undefined;
    const { counts, minDocuments } = this.#problem;
    const { documents, documentFrequency } = this.#withoutFold(fold);
    const features = weighTerms(counts, inverseDocumentFrequency({ documents, documentFrequency, minDocuments }));
    this.#current = { fold, features };
    return features;
  }

  #withoutFold(fold: number | undefined): { readonly documents: number; readonly documentFrequency: Uint32Array } {
    const { counts, folds } = this.#problem;
    const documentFrequency = this.#problem.documentFrequency.slice();
    let documents = counts.rows;
    for (let row = 0; row < counts.rows; row++) {
      if (fold === undefined || folds[row] !== fold) continue;
      documents -= 1;
      for (let at = counts.starts[row]!, end = counts.starts[row + 1]!; at < end; at++) {
        documentFrequency[counts.indices[at]!]! -= 1;
      }
    }
    return { documents, documentFrequency };
  }
}

const sparseLogits32 = (model: SparseLogistic, features: SparseMatrix): Float32Array =>
  Float32Array.from(sparseLogits(model, features));

/** The rows of one fold. */
function rowsOf({ starts, indices, values, columns }: SparseMatrix, folds: Int32Array, fold: number): SparseMatrix {
  const rows = [...folds.keys()].filter((row) => folds[row] === fold);
  const total = rows.reduce((sum, row) => sum + starts[row + 1]! - starts[row]!, 0);
  const own = {
    starts: new Int32Array(rows.length + 1),
    indices: new Int32Array(total),
    values: new Float32Array(total),
  };
  rows.forEach((row, position) => {
    const at = own.starts[position]!;
    own.indices.set(indices.subarray(starts[row]!, starts[row + 1]!), at);
    own.values.set(values.subarray(starts[row]!, starts[row + 1]!), at);
    own.starts[position + 1] = at + starts[row + 1]! - starts[row]!;
  });
  return { rows: rows.length, columns, ...own };
}
