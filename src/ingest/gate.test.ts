import fc from "fast-check";
import { expect, test } from "vitest";
import { createGate } from "./gate.ts";

test("what runs at once never weighs more than the gate allows, and everything runs, in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(15)), async (weights) => {
      const gate = createGate(10);
      const started: number[] = [];
      let [weight, most] = [0, 0];
      const work = async (index: number, own: number): Promise<void> => {
        started.push(index);
        weight += Math.min(own, 10);
        most = Math.max(most, weight);
        for (let turn = 0; turn < 5; turn++) await null;
        weight -= Math.min(own, 10);
      };
      await Promise.all(weights.map((own, index) => gate.run(own, () => work(index, own))));
      expect(most).toBeLessThanOrEqual(10);
      expect(started).toEqual([...weights.keys()]);
    }),
  );
});

test("work that fails makes room all the same", async () => {
  const gate = createGate(1);
  await expect(gate.run(1, () => Promise.reject(new Error("bad")))).rejects.toThrow("bad");
  expect(await gate.run(1, async () => "next")).toBe("next");
});
