import { describe, expect, test } from "vitest";
import { TeacherError } from "../contracts.ts";
import { outcomeOf, retryDelayMs } from "./retry.ts";
import { failures } from "./testing/fixtures.ts";

describe("when to ask again", () => {
  test("pauses double, are capped, and are never twice the same for two rows", () => {
    const delays = (seed: string) => [1, 2, 3, 4, 5, 12].map((attempt) => retryDelayMs(failures.down(), attempt, seed));
    const [one, other] = [delays("one"), delays("other")];
    one.forEach((delay, index) => {
      const full = Math.min(30_000, 250 * 2 ** ([1, 2, 3, 4, 5, 12][index]! - 1));
      expect(delay).toBeGreaterThanOrEqual(full / 2);
      expect(delay).toBeLessThanOrEqual(full);
    });
    expect(one).not.toEqual(other);
    expect(delays("one")).toEqual(one);
  });

  test("never sooner than the provider asks", () => {
    for (const seed of ["a", "b", "c", "d"]) {
      expect(retryDelayMs(failures.limited(5000), 1, seed)).toBeGreaterThanOrEqual(5000);
    }
  });

  test("at once after a useless answer: nothing is overloaded", () => {
    expect(retryDelayMs(failures.useless(), 3, "a")).toBe(0);
  });

  test.each([
    [failures.limited(70), { kind: "limited", retryAfterMs: 70 }],
    [failures.limited(86_400_000), { kind: "limited", retryAfterMs: 600_000 }],
    [failures.silent(), { kind: "overloaded" }],
    [failures.down(), { kind: "failed" }],
    [
      new TeacherError("teacher_unavailable", "503", { retryable: true, retryAfterMs: 900 }),
      { kind: "overloaded", retryAfterMs: 900 },
    ],
    [failures.useless(), { kind: "failed" }],
  ])("the pace learns from %s", (error, outcome) => expect(outcomeOf(error)).toMatchObject(outcome));
});
