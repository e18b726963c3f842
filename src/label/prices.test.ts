import { describe, expect, test } from "vitest";
import { costOf, PRICES_AS_OF, priceOf, requirePrice } from "./prices.ts";
import { fruitTask } from "./testing/fixtures.ts";
import { imageTokens, maxImageTokens, maxOutputTokens } from "./tokens.ts";

const listed = (model: string) => priceOf(fruitTask({ teacher: { model, price: undefined } }), model);

describe("prices", () => {
  test("the list is dated", () => expect(PRICES_AS_OF).toMatch(/^20\d\d-\d\d$/));

  test.each([
    ["google/gemini-2.5-flash", 0.3],
    ["openai/gpt-4o-mini-2024-07-18", 0.15],
    ["anthropic/claude-haiku-4-5-20251001", 1],
    ["google/gemini-2.0-flash-001", 0.1],
  ])("%s, snapshots included", (model, input) => expect(listed(model)?.inputPerMillionUsd).toBe(input));

  test.each(["openai/gpt-5-pro", "openai/gpt-4o-audio-preview", "google/gemini-9", "anthropic/claude-opus-9"])(
    "%s is not guessed from a name like it",
    (model) => expect(listed(model)).toBeUndefined(),
  );

  test("the task's own price counts before the list's, and for its first model only", () => {
    const price = { inputPerMillionUsd: 7, outputPerMillionUsd: 8 };
    const task = fruitTask({ teacher: { model: "openai/gpt-4o", secondModel: "openai/gpt-4o-mini", price } });
    expect(priceOf(task, "openai/gpt-4o")).toEqual(price);
    expect(priceOf(task, "openai/gpt-4o-mini")?.inputPerMillionUsd).toBe(0.15);
  });

  test.each([
    ["http://127.0.0.1:11434/v1", 0],
    ["http://localhost:8000/v1", 0],
    ["http://[::1]:8000/v1", 0],
    ["https://router.example/api/v1", undefined],
    ["http://127.0.0.1.example/v1", undefined],
  ])("a server at %s is free only on this machine", (baseUrl, input) => {
    const task = fruitTask({ teacher: { baseUrl, price: undefined } });
    expect(priceOf(task, task.teacher.model)?.inputPerMillionUsd).toBe(input);
  });

  test("a budget needs a price; without a budget none is needed", () => {
    const teacher = { model: "openai/gpt-99", price: undefined };
    expect(() => requirePrice(fruitTask({ teacher, budgetUsd: 1 }), "openai/gpt-99")).toThrow("unknown");
    expect(requirePrice(fruitTask({ teacher }), "openai/gpt-99")).toBeUndefined();
  });

  test("cost by the million", () => {
    const price = { inputPerMillionUsd: 2, outputPerMillionUsd: 10 };
    expect(costOf({ inputTokens: 1000, outputTokens: 100 }, price)).toBeCloseTo(0.003, 12);
  });
});

describe("image tokens, by the providers' rules", () => {
  const square = (side: number) => ({ width: side, height: side });

  test.each([
    ["google/gemini-2.5-flash", square(384), 258],
    ["google/gemini-2.5-flash", square(768), 4 * 258],
    ["openai/gpt-4o", square(1024), 765],
    ["openai/gpt-4o", square(512), 255],
    ["anthropic/claude-haiku-4-5", square(1000), 1334],
  ])("%s at %j", (model, size, tokens) => expect(imageTokens(model, size)).toBe(tokens));

  test.each(["google/gemini-2.5-flash", "openai/gpt-4o", "openai/gpt-5-mini", "anthropic/x", "compatible/x"])(
    "%s: no shape takes more than the ceiling that budgets reserve",
    (model) => {
      const most = maxImageTokens(model);
      for (let width = 32; width <= 6000; width += 331) {
        for (let height = 32; height <= 6000; height += 331) {
          expect(imageTokens(model, { width, height })).toBeLessThanOrEqual(most);
        }
      }
      expect(maxOutputTokens(1)).toBeGreaterThan(0);
    },
  );
});
