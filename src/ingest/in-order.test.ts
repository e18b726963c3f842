import fc from "fast-check";
import { expect, test } from "vitest";
import { inGroups, mapInOrder } from "./in-order.ts";

test("results come in the order of the items, whatever finishes first, and never more at once than allowed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20)), fc.integer({ min: 1, max: 5 }), async (delays, concurrency) => {
      let [running, most] = [0, 0];
      const results = mapInOrder(delays.entries(), concurrency, async ([index, turns]) => {
        most = Math.max(most, ++running);
        for (let turn = 0; turn < turns; turn++) await null;
        running--;
        return index;
      });
      expect(await Array.fromAsync(results)).toEqual([...delays.keys()]);
      expect(most).toBeLessThanOrEqual(concurrency);
    }),
  );
});

test("whoever stops early, or fails, waits for what is under way", async () => {
  const finished: number[] = [];
  const work = async (item: number): Promise<number> => {
    for (let turn = 0; turn < 10; turn++) await null;
    if (item === 2) throw new Error("second");
    finished.push(item);
    return item;
  };
  await expect(Array.fromAsync(mapInOrder([1, 2, 3, 4], 3, work))).rejects.toThrow("second");
  expect(finished).toEqual([1, 3, 4]);
  finished.length = 0;
  for await (const _ of mapInOrder([5, 6, 7, 8], 3, work)) break;
  expect(finished).toEqual([5, 6, 7]);
});

test("groups end early where their items are heavy", async () => {
  const items = mapInOrder([1, 9, 1, 1, 1, 10], 1, async (item) => item);
  const groups = await Array.fromAsync(inGroups(items, 3, { of: (item) => item, most: 10 }));
  expect(groups).toEqual([[1, 9], [1, 1, 1], [10]]);
});

test("groups are full but the last", async () => {
  const groups = await Array.fromAsync(
    inGroups(
      mapInOrder([1, 2, 3, 4, 5], 1, async (item) => item),
      2,
    ),
  );
  expect(groups).toEqual([[1, 2], [3, 4], [5]]);
});
