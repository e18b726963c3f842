import { expect, test } from "vitest";
import { roundTrigger } from "./trigger.ts";

const quiet = { alarmed: false, forced: false };

test("a hundred new labels start a round of a small champion, a tenth that of a large one", () => {
  expect(roundTrigger({ labels: 600, championLabels: 500, ...quiet }).kind).toBe("due");
  expect(roundTrigger({ labels: 5100, championLabels: 5000, ...quiet })).toEqual({
    kind: "not-due",
    newLabels: 100,
    needed: 500,
  });
});

test("an alarm, a request and the lack of a champion start one at once", () => {
  expect(roundTrigger({ labels: 500, championLabels: 500, alarmed: true, forced: false }).kind).toBe("due");
  expect(roundTrigger({ labels: 500, championLabels: 500, alarmed: false, forced: true }).kind).toBe("due");
  expect(roundTrigger({ labels: 500, championLabels: 0, ...quiet }).kind).toBe("due");
});
