import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { labelProbabilities } from "./logprobs.ts";

const token = (text: string, probability = 1, others: Readonly<Record<string, number>> = {}) => ({
  token: text,
  logprob: Math.log(probability),
  top_logprobs: [[text, probability] as const, ...Object.entries(others)].map(([other, p]) => ({
    token: other,
    logprob: Math.log(p),
  })),
});

describe("label probabilities from token log-probabilities", () => {
  test("reads one-token labels at the position where the label begins", () => {
    const tokens = [token('{"'), token("label"), token('":"'), token("apple", 0.7, { pear: 0.3 }), token('"}')];
    const probabilities = labelProbabilities(tokens, ["apple", "pear", "orange"]);
    expect(probabilities?.["apple"]).toBeCloseTo(0.7);
    expect(probabilities?.["pear"]).toBeCloseTo(0.3);
    expect(probabilities).not.toHaveProperty("orange");
  });

  test("follows labels that share a beginning to where they part", () => {
    const tokens = [token('{"label": "'), token("sweet_", 0.9, { mush: 0.1 }), token("pepper", 0.75, { corn: 0.25 })];
    const probabilities = labelProbabilities([...tokens, token('"}')], ["sweet_pepper", "sweet_corn", "mushroom"]);
    expect(probabilities?.["sweet_pepper"]).toBeCloseTo(0.675);
    expect(probabilities?.["sweet_corn"]).toBeCloseTo(0.225);
    expect(probabilities?.["mushroom"]).toBeCloseTo(0.1);
  });

  test("a label that begins another one is told apart by its closing quote", () => {
    const tokens = [token('{"label":"'), token("pear", 1), token('"}', 0.6, { l: 0.4 })];
    const probabilities = labelProbabilities(tokens, ["pear", "pearl"]);
    expect(probabilities?.["pear"]).toBeCloseTo(0.6);
    expect(probabilities?.["pearl"]).toBeCloseTo(0.4);
  });

  test("a token that holds both the opening quote and the label is read", () => {
    const tokens = [token('{"label":'), token(' "apple', 0.8, { ' "pear': 0.1 }), token('"}')];
    expect(labelProbabilities(tokens, ["apple", "pear"])?.["apple"]).toBeCloseTo(8 / 9);
  });

  test("tokens that spell no label are left out and the rest sums to 1", () => {
    const tokens = [token('{"label":"'), token("apple", 0.5, { banana: 0.4, pear: 0.1 }), token('"}')];
    const probabilities = labelProbabilities(tokens, ["apple", "pear"]);
    expect(probabilities?.["apple"]).toBeCloseTo(5 / 6);
  });

  test.each([[undefined], ["text"], [[]], [[token("apple")]], [[{ token: 1 }]]])(
    "is absent where the tokens cannot be read: %j",
    (tokens) => expect(labelProbabilities(tokens, ["apple", "pear"])).toBeUndefined(),
  );

  test("sums to 1 over labels however the answer is cut into tokens", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("apple", "pear", 'a "quoted" one'),
        fc.array(fc.integer({ min: 1, max: 4 })),
        (label, cuts) => {
          const text = JSON.stringify({ label });
          const tokens = cutUp(text, cuts).map((part) => token(part, 0.9, { zzz: 0.05 }));
          const probabilities = labelProbabilities(tokens, ["apple", "pear", 'a "quoted" one']);
          expect(probabilities).toEqual({ [label]: expect.closeTo(1) });
        },
      ),
    );
  });
});

function cutUp(text: string, cuts: readonly number[]): readonly string[] {
  const parts: string[] = [];
  let rest = text;
  for (const cut of cuts) {
    if (rest.length === 0) break;
    parts.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  return rest.length > 0 ? [...parts, rest] : parts;
}
