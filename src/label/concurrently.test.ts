import { describe, expect, test } from "vitest";
import { concurrently } from "./concurrently.ts";

async function* numbers(count: number, taken: number[] = []): AsyncGenerator<number> {
  for (let number = 0; number < count; number++) {
    taken.push(number);
    yield number;
  }
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("many at once", () => {
  test("every item once, never more than the limit at a time", async () => {
    const done: number[] = [];
    let [underWay, most] = [0, 0];
    const work = async (item: number) => {
      most = Math.max(most, ++underWay);
      await tick();
      underWay--;
      done.push(item);
    };
    await concurrently(numbers(25), work, { limit: 4 });
    expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, index) => index));
    expect(most).toBe(4);
  });

  test("takes no more than it works on: the rest of the stream stays unread", async () => {
    const taken: number[] = [];
    const stop = new AbortController();
    const work = async (item: number) => {
      await tick();
      if (item === 5) stop.abort();
    };
    await concurrently(numbers(1000, taken), work, { limit: 2, stop: stop.signal });
    expect(taken.length).toBeLessThan(12);
  });

  test("a failure ends it after what was under way", async () => {
    let finished = 0;
    const work = async (item: number) => {
      await tick();
      if (item === 1) throw new Error("no");
      await tick();
      finished++;
    };
    await expect(concurrently(numbers(100), work, { limit: 3 })).rejects.toThrow("no");
    expect(finished).toBe(2);
  });
});
