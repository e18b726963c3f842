import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { observe, startEProcess } from "./e-process.ts";

type Case = {
  readonly null_mean: number;
  readonly alpha: number;
  readonly observations: number[];
  readonly log_values: number[];
  readonly alarmed_at: number | null;
};

describe("e-process", () => {
  test("agrees with the product in NumPy, alarm included", () => {
    const golden = readGolden<Case>("math-e-process");
    const { null_mean, alpha, observations, log_values, alarmed_at } = golden.cases;
    let state = startEProcess(null_mean, alpha);
    const seen = observations.map((z) => {
      state = observe(state, z);
      return state.logValue;
    });
    expectClose(
      seen.filter((_, index) => index % 10 === 0),
      log_values,
      golden,
    );
    expect(state.alarmedAt ?? null).toBe(alarmed_at);
  });

  test("survives JSON: a monitor that restarts goes on where it was", () => {
    const half = [1, 0, 0, 1].reduce(observe, startEProcess(0.1));
    const revived: typeof half = JSON.parse(JSON.stringify(half));
    expect(observe(revived, 1)).toEqual(observe(half, 1));
  });

  test("an alarm is never taken back", () => {
    let state = startEProcess(0.05);
    for (let row = 0; row < 30; row++) state = observe(state, 1);
    const at = state.alarmedAt;
    for (let row = 0; row < 500; row++) state = observe(state, 0);
    expect(at).toBeGreaterThan(0);
    expect(state.alarmedAt).toBe(at);
    expect(state.logValue).toBeLessThan(Math.log(20));
  });

  test("scales its bets to any risk, so that no observation can ruin it", () => {
    for (const nullMean of [0.0003, 0.03, 0.5, 0.9]) {
      const state = observe(observe(startEProcess(nullMean), 0), 0);
      expect(Number.isFinite(state.logValue)).toBe(true);
      expect(Math.max(...state.bets) * nullMean).toBeCloseTo(0.6, 10);
    }
  });

  test("refuses observations outside [0, 1]", () => {
    expect(() => observe(startEProcess(0.05), 2)).toThrow("observation must lie in [0, 1], got 2");
  });
});
