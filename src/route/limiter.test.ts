import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createLimiter } from "./limiter.ts";

const never = new AbortController().signal;

test("never runs more than its places, and runs everything", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(fc.nat(3), { maxLength: 20 }), async (places, turns) => {
      const limiter = createLimiter(places);
      let [running, most, done] = [0, 0, 0];
      const job = async (waits: number): Promise<void> => {
        most = Math.max(most, ++running);
        for (let wait = 0; wait < waits; wait++) await turn();
        running -= 1;
        done += 1;
      };
      await Promise.all(turns.map((waits) => limiter.run(() => job(waits), never)));
      expect(most).toBeLessThanOrEqual(places);
      expect(done).toBe(turns.length);
    }),
    { numRuns: 30 },
  );
});

test("a caller that gives up while waiting leaves the line, and the place goes on", async () => {
  const limiter = createLimiter(1);
  const held = Promise.withResolvers<void>();
  const first = limiter.run(() => held.promise, never);
  const impatient = new AbortController();
  const second = limiter.run(async () => "second", impatient.signal);
  const third = limiter.run(async () => "third", never);
  impatient.abort(new Error("enough"));
  await expect(second).rejects.toThrow("enough");
  held.resolve();
  await first;
  await expect(third).resolves.toBe("third");
});

test("a job that throws gives its place back", async () => {
  const limiter = createLimiter(1);
  await expect(limiter.run(() => Promise.reject(new Error("no")), never)).rejects.toThrow("no");
  await expect(limiter.run(async () => 1, never)).resolves.toBe(1);
});
