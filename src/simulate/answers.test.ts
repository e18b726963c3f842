import { describe, expect, test } from "vitest";
import { answerTo, confusionOf } from "./answers.ts";
import { faultOf, latencyOf } from "./faults.ts";
import { createTokenBucket } from "./token-bucket.ts";

const classes = ["apple", "pear", "orange"];
const contents = Array.from({ length: 3000 }, (_, index) => `row ${index}`);
const shareOf = (items: readonly unknown[], all: readonly unknown[]): number => items.length / all.length;

describe("simulated answers", () => {
  test("a confusion matrix sums to 1 in each row and to the error rate over the classes", () => {
    const confusion = confusionOf({ classes, errorRate: 0.1, pairs: [["apple", "pear"]] });
    for (const label of classes) {
      expect(Object.values(confusion[label]!).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
    }
    const errors = classes.map((label) => 1 - confusion[label]![label]!);
    expect(errors.reduce((sum, error) => sum + error, 0) / 3).toBeCloseTo(0.1);
    expect(errors[0]! / errors[2]!).toBeCloseTo(3);
    expect(confusion["apple"]!["pear"]! / errors[0]!).toBeCloseTo(0.8);
  });

  test("errs at the rate ordered", () => {
    const confusion = confusionOf({ classes, errorRate: 0.2 });
    const options = { classes, confusion, correlation: 0.5, seed: 1 };
    const wrong = contents.filter((content) => answerTo(options, { content, wording: "a", gold: "pear" }) !== "pear");
    // Five standard deviations of a share of 3,000.
    expect(Math.abs(shareOf(wrong, contents) - 0.2)).toBeLessThan(5 * Math.sqrt((0.2 * 0.8) / 3000));
  });

  test.each([
    [1, 1],
    [0, 0.7 ** 2 + 2 * 0.15 ** 2],
  ])("at correlation %d two wordings agree on a share of %d", (correlation, expected) => {
    const options = { classes, confusion: confusionOf({ classes, errorRate: 0.3 }), correlation, seed: 1 };
    const answer = (content: string, wording: string) => answerTo(options, { content, wording, gold: "pear" });
    const alike = contents.filter((content) => answer(content, "a") === answer(content, "b"));
    expect(Math.abs(shareOf(alike, contents) - expected)).toBeLessThan(5 * Math.sqrt(0.25 / 3000));
  });

  test("faults come at the rates ordered, another for each attempt", () => {
    const rates = { p429: 0.1, p5xx: 0.05, pHang: 0.02 };
    const faults = contents.map((content) => faultOf(rates, 1, content));
    const count = (fault: string | undefined) =>
      shareOf(
        faults.filter((one) => one === fault),
        faults,
      );
    expect(count("p429")).toBeCloseTo(0.1, 1);
    expect(count(undefined)).toBeCloseTo(0.83, 1);
    expect(
      new Set(Array.from({ length: 60 }, (_, attempt) => faultOf(rates, 1, `row/${attempt}`))).size,
    ).toBeGreaterThan(1);
  });

  test("latency has the median ordered", () => {
    const sorted = contents
      .map((content) => latencyOf({ medianMs: 100, sigma: 0.5 }, 1, content))
      .sort((a, b) => a - b);
    expect(sorted[1500]! / 100).toBeCloseTo(1, 1);
  });

  test("a token bucket lets through its rate, and a burst of what it holds", () => {
    const bucket = createTokenBucket(100, 50);
    const burst = Array.from({ length: 10 }, () => bucket.take(0));
    expect(burst.filter((wait) => wait === undefined)).toHaveLength(5);
    expect(burst.at(-1)).toBeCloseTo(10);
    let taken = 0;
    for (let nowMs = 1; nowMs <= 10_000; nowMs++) if (bucket.take(nowMs) === undefined) taken++;
    expect(taken).toBe(1000);
  });
});
