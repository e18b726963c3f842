import { expect, test } from "vitest";
import { createMemory } from "./memory.ts";

test("recalls what was made of a value that says the same, and of no other", () => {
  const memory = createMemory<number>();
  expect(memory.recall({ a: 1 })).toBeUndefined();
  expect(memory.remember({ a: 1 }, 7)).toBe(7);
  expect(memory.recall({ a: 1 })).toBe(7);
  for (const other of [{ a: "1" }, { a: 1, b: 2 }, [{ a: 1 }], undefined, null, "a"]) {
    expect(memory.recall(other)).toBeUndefined();
  }
});

test("holds a bounded number of values, and none that is long", () => {
  const memory = createMemory<number>();
  memory.remember(["x".repeat(40_000)], 1);
  expect(memory.recall(["x".repeat(40_000)])).toBeUndefined();
  for (let value = 0; value < 100; value++) memory.remember(value, value);
  const kept = Array.from({ length: 100 }, (_, value) => value).filter((value) => memory.recall(value) !== undefined);
  expect(kept).toEqual(Array.from({ length: 64 }, (_, index) => index + 36));
});
