import { expect, test } from "vitest";
import { oneAnswerSuffices } from "./one-answer.ts";

const target = { kind: "regret", risk: 0.03, delta: 0.1 } as const;
const counts = [
  ["fine", 999],
  ["threat", 1],
] as const;

test("one in a thousand: always saying the other keeps the target, and that is said with what to ask for", () => {
  expect(oneAnswerSuffices(counts, target)).toMatch(
    /always saying "fine" .*"threat" 1.*target\.recall: \{ "threat": 0\.95 \}/,
  );
});

test("nothing is said where the target asks for more, or too little is known", () => {
  expect(oneAnswerSuffices(counts, { ...target, recall: { threat: 0.9 } })).toBeUndefined();
  expect(oneAnswerSuffices(counts, { ...target, never: ["fine"] })).toBeUndefined();
  expect(oneAnswerSuffices(counts, { ...target, risk: 0.0005 })).toBeUndefined();
  expect(oneAnswerSuffices([["fine", 10]], target)).toBeUndefined();
});
