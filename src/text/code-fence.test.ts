import { expect, test } from "vitest";
import { withoutCodeFence } from "./code-fence.ts";

test.each([
  ['```json\n{"label":"a"}\n```', '{"label":"a"}'],
  ["  ```\nplain\n```\n", "plain"],
  ["```json```", ""],
  ["```a```b```", "a```b"],
  ["`````", "`````"],
  ["```json\nopen", "```json\nopen"],
  ["  bare ", "bare"],
])("%j stands for %j", (text, bare) => {
  expect(withoutCodeFence(text)).toBe(bare);
});
