import { expect, test } from "vitest";
import { createBreaker } from "./breaker.ts";
import { createFakeClock } from "./testing/fake-clock.ts";

const options = { failuresToOpen: 3, pauseMs: 1_000, maxPauseMs: 8_000 };

function openedBreaker() {
  const clock = createFakeClock();
  const breaker = createBreaker({ clock, ...options });
  for (let failure = 0; failure < 3; failure++) breaker.failed();
  return { clock, breaker };
}

test("stays closed while failures do not follow each other", () => {
  const breaker = createBreaker({ clock: createFakeClock(), ...options });
  for (let round = 0; round < 10; round++) {
    breaker.failed();
    breaker.failed();
    breaker.succeeded();
  }
  expect(breaker.isOpen).toBe(false);
  expect(breaker.tryPass()).toBe(true);
});

test("opens after failures in a row, and says for how long", () => {
  const { breaker } = openedBreaker();
  expect(breaker.isOpen).toBe(true);
  expect(breaker.tryPass()).toBe(false);
  expect(breaker.retryAfterMs).toBe(1_000);
});

test("half open, lets one through; its success closes", () => {
  const { breaker, clock } = openedBreaker();
  clock.advance(1_000);
  expect([breaker.tryPass(), breaker.tryPass()]).toEqual([true, false]);
  breaker.succeeded();
  expect([breaker.tryPass(), breaker.tryPass()]).toEqual([true, true]);
});

test("half open, a failure opens it for twice as long, up to a ceiling", () => {
  const { breaker, clock } = openedBreaker();
  const pauses = Array.from({ length: 5 }, () => {
    clock.advance(breaker.retryAfterMs);
    breaker.tryPass();
    breaker.failed();
    return breaker.retryAfterMs;
  });
  expect(pauses).toEqual([2_000, 4_000, 8_000, 8_000, 8_000]);
});

test("stays open as long as the provider asks, within the ceiling", () => {
  const breaker = createBreaker({ clock: createFakeClock(), ...options, failuresToOpen: 1 });
  breaker.failed(5_000);
  expect(breaker.retryAfterMs).toBe(5_000);
});

test("many requests that were on their way when it opened are one outage", () => {
  const { breaker } = openedBreaker();
  for (let straggler = 0; straggler < 60; straggler++) breaker.failed();
  expect(breaker.retryAfterMs).toBe(1_000);
});

test("a probe that withdraws leaves its place to the next", () => {
  const { breaker, clock } = openedBreaker();
  clock.advance(1_000);
  breaker.tryPass();
  breaker.withdrew();
  expect(breaker.tryPass()).toBe(true);
});
