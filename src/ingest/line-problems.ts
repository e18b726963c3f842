/** @file What is wrong with some lines of a file: all are counted, the first are kept for people to read. */

export type LineProblems = {
  readonly count: number;
  readonly first: readonly { readonly line: number; readonly text: string }[];
};

const SHOWN = 20;

export type Problems = { add(line: number, text: string): void; summary(): LineProblems };

export function createProblems(): Problems {
  let count = 0;
  const first: { line: number; text: string }[] = [];
  return {
    add(line, text) {
      if (count++ < SHOWN) first.push({ line, text });
    },
    summary: () => ({ count, first }),
  };
}
