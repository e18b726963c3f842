import { expect, test } from "vitest";
import { createSpanTree } from "./span-tree.ts";

type Line = readonly [id: string, parent: string | undefined, hasWords: boolean];

/** The spans that count as calls, in the order in which the log holds them. */
function counted(lines: readonly Line[], limit?: number): readonly string[] {
  const tree = createSpanTree(limit);
  return lines.filter(([id, parent, hasWords]) => tree.isNew({ id, parent }, hasWords)).map(([id]) => id);
}

const agent: Line = ["agent", undefined, true];
const step: Line = ["step", "agent", false];
const call: Line = ["call", "step", true];
const wire: Line = ["wire", "call", true];

test("of spans in one another that hold a call, one counts: the first, in whichever order they are written", () => {
  expect(counted([wire, call, step, agent])).toEqual(["wire"]);
  expect(counted([agent, step, call, wire])).toEqual(["agent"]);
  expect(counted([call, agent, step, wire])).toHaveLength(2);
});

test("two calls below one agent are two, and a span that the log does not place is one for itself", () => {
  const other: Line = ["other", "step", true];
  expect(counted([call, other, step, agent])).toEqual(["call", "other"]);
  const tree = createSpanTree();
  expect([1, 2].map(() => tree.isNew({}, true))).toEqual([true, true]);
  expect(tree.isNew({}, false)).toBe(false);
});

test("a span that is written twice is one", () => {
  expect(counted([call, call])).toEqual(["call"]);
});

test("remembers no more spans than it is allowed to", () => {
  const many = Array.from({ length: 1_000 }, (_, n): Line => [`${n}`, `p${n}`, true]);
  expect(counted(many, 10)).toHaveLength(1_000);
});
