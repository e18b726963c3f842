import { expect, test } from "vitest";
import { type Decision, modelId, type Round, rowId } from "../records.ts";
import { fruitTask, openTestStore } from "../route/testing/fixtures.ts";
import { hashOf } from "../route/testing/names.ts";
import { dropOldDecisions } from "./retention.ts";
import { trafficSince } from "./round-traffic.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** One an hour, for ten days. */
const decisions = Array.from(
  { length: 240 },
  (_, hour): Decision => ({
    id: `d${hour}`,
    rowId: rowId(hashOf(`row ${hour}`)),
    at: hour * HOUR + 1_800_000,
    route: hour % 2 ? "escalated" : "answered",
    uniform: false,
    propensity: 1,
    latencyMs: 1,
    costUsd: 0,
  }),
);

const estimate = { value: 0, low: 0, high: 1, n: 0 };
const round: Round = {
  round: 0,
  startedAt: 0,
  endedAt: 50 * HOUR + 60_000,
  labels: 1,
  requests: 50,
  challenger: modelId(hashOf("m")),
  promoted: true,
  why: "",
  escalated: estimate,
  accuracy: estimate,
  coverage: estimate,
  costUsd: 0,
};

test("decisions are kept for ever unless the task says for how long", async () => {
  const store = await openTestStore();
  await store.decisions.put(decisions);
  expect(await dropOldDecisions(store, fruitTask(), 1_000 * DAY)).toBe(0);
  expect(await store.decisions.count()).toBe(240);
});

test("older ones go, a day at a time, and the traffic of the open round is counted as before", async () => {
  const store = await openTestStore();
  await store.decisions.put(decisions);
  await store.rounds.put(round);
  const task = fruitTask({ retention: { decisionDays: 3 } });
  const before = await trafficSince([round], store);
  // Three days before the middle of the eleventh day is the middle of the eighth: the first seven go, but for one hour.
  expect(await dropOldDecisions(store, task, 10.5 * DAY)).toBe(7 * 24 - 1);
  expect(await dropOldDecisions(store, task, 10.5 * DAY)).toBe(0);
  expect(await store.decisions.get("d50")).toEqual(decisions[50]);
  expect(await trafficSince([round], store)).toEqual(before);
  expect(before).toMatchObject({ requests: 190, escalated: { n: 190 } });
});
