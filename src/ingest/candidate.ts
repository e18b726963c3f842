/** @file What ingest looks at: a file, or a line that failed to name one. */

export type Candidate = {
  /** Absolute. */
  readonly path: string;
  /** What people are shown, and what the row remembers: the path as the user would write it. */
  readonly source: string;
};

export type Refusal = { readonly source: string; readonly code: string; readonly message: string };

/** One thing that was found, in the order in which it was found. */
export type Finding =
  | ({ readonly kind: "file" } & Candidate)
  | ({ readonly kind: "refused" } & Refusal)
  /** Of another kind by its name. */
  | { readonly kind: "ignored"; readonly extension: string };
