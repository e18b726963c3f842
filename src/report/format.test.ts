import { expect, test } from "vitest";
import {
  bytes,
  compact,
  count,
  decimal,
  duration,
  instant,
  percent,
  percentInterval,
  plural,
  sample,
  short,
  shorten,
  unbroken,
  usd,
} from "./format.ts";

test("shares, with their unit unbreakably beside them", () => {
  expect(percent(0.713)).toBe("71.3\u202f%");
  expect(percent(-0.09, 0)).toBe("−9\u202f%");
  expect(percentInterval({ low: 0.6889, high: 0.7361 })).toBe("68.9–73.6\u202f%");
});

test.each([
  [0, "$0"],
  [0.000_321, "$0.00032"],
  [0.5, "$0.50"],
  [31.4159, "$31.42"],
  [1252.4, "$1,252"],
  [-30.02, "−$30.02"],
])("%d dollars read %s", (value, text) => expect(usd(value)).toBe(text));

test.each([
  [0.00758, "0.0076\u202fms"],
  [4.214, "4.21\u202fms"],
  [250.4, "250\u202fms"],
  [1300, "1.3\u202fs"],
  [240_000, "4\u202fmin"],
])("%d ms read %s", (ms, text) => expect(duration(ms)).toBe(text));

test("a share inside of a sentence keeps its unit", () => {
  expect(unbroken("certified at 5.0 % of 20 rows")).toBe("certified at 5.0\u202f% of 20 rows");
});

test("large numbers are grouped or shortened", () => {
  expect(count(1_234_567)).toBe("1,234,567");
  expect(compact(10_000)).toBe("10\u202fk");
  expect(compact(1_000_000)).toBe("1\u202fM");
  expect(compact(640)).toBe("640");
  expect(bytes(6_128_440)).toBe("6.13\u202fMB");
});

test("small things", () => {
  expect(decimal(0.0314)).toBe("0.031");
  expect(short(0.1)).toBe("0.1");
  expect(sample(1234)).toBe("n\u00a0=\u00a01,234");
  expect(plural(1, "row")).toBe("1 row");
  expect(plural(2, "row")).toBe("2 rows");
  expect(instant(Date.UTC(2026, 2, 1, 9, 5))).toBe("2026-03-01 09:05 UTC");
});

test("text is shortened by characters, never inside one", () => {
  expect(shorten("apple", 5)).toBe("apple");
  expect(shorten("sweet pepper", 7)).toBe("sweet…");
  expect(shorten("🍎🍐🍊🍋", 3)).toBe("🍎🍐…");
});
