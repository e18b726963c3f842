import { describe, expect, test } from "vitest";
import { exhaustedForMs, retryAfterMs } from "./retry-after.ts";

const now = Date.parse("2026-01-01T00:00:00Z");

describe("how long a provider asks to wait", () => {
  test.each([
    ["seconds", { "retry-after": "2" }, "", 2000],
    ["fractions of a second", { "retry-after": "0.25" }, "", 250],
    ["milliseconds, before seconds", { "retry-after-ms": "40", "retry-after": "1" }, "", 40],
    ["an HTTP date", { "retry-after": "Thu, 01 Jan 2026 00:00:05 GMT" }, "", 5000],
    ["a date that has passed", { "retry-after": "Wed, 31 Dec 2025 23:59:00 GMT" }, "", 0],
    ["OpenAI's reset", { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0.5s" }, "", 360_500],
    [
      "the longest of what is used up",
      {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "2s",
      },
      "",
      2000,
    ],
    [
      "Anthropic's reset",
      { "anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:03Z" },
      "",
      3000,
    ],
    ["OpenRouter's epoch", { "x-ratelimit-reset": String(now + 700) }, "", 700],
    ["Google's RetryInfo", {}, '{"error":{"details":[{"@type":"…RetryInfo","retryDelay":"34.5s"}]}}', 34_500],
    ["OpenAI's words", {}, "Rate limit reached. Please try again in 1m2s.", 62_000],
    ["nothing", {}, "too many requests", undefined],
    ["nonsense", { "retry-after": "soon", "x-ratelimit-reset": "7" }, "", undefined],
    ["a negative number", { "retry-after": "-5" }, "", undefined],
  ] as const)("%s", (_, headers, body, expected) => {
    expect(retryAfterMs(headers, body, now)).toBe(expected);
  });

  test("a limit with something left asks for no wait", () => {
    expect(
      exhaustedForMs({ "x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "10s" }, now),
    ).toBeUndefined();
  });
});
