/** @file What is wrong with some lines of a table: all are counted, the first are kept for people to read. */

export type LineProblems = {
  readonly count: number;
  /** `source`: file and line, `data.csv:12`. */
  readonly first: readonly { readonly source: string; readonly text: string }[];
};

const SHOWN = 20;

export type Problems = { add(source: string, text: string): void; summary(): LineProblems };

export function createProblems(): Problems {
  let count = 0;
  const first: { source: string; text: string }[] = [];
  return {
    add(source, text) {
      if (count++ < SHOWN) first.push({ source, text });
    },
    summary: () => ({ count, first }),
  };
}
