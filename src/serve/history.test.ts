import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { monitorPolicy, type UniformRequest } from "../calibrate/monitor.ts";
import { createRng, type Rng } from "../math/random.ts";
import { type Annotation, type Decision, type Policy, policyId, rowId } from "../records.ts";
import { fruitTask, openTestStore, testPolicy } from "../route/testing/fixtures.ts";
import { hashOf } from "../route/testing/names.ts";
import type { Store, TrafficTally } from "../store/contract.ts";
import { sampleAnnotation } from "../store/testing/samples.ts";
import { LIVE_PASS, wordsOf } from "../verdict.ts";
import { readMonitor } from "./monitor.ts";

const HOUR = 3_600_000;
const task = fruitTask();
const versions = [testPolicy(task, "m1").promptVersion, "another question"];

const policies = (["regret", "selective"] as const).flatMap((kind) =>
  (["teacher", "person"] as const).map((reference): Policy => {
    const base = testPolicy(task, "m1");
    const target = { ...base.target, kind, risk: 0.2 };
    const certificate = { ...base.certificate!, target, reference };
    return { ...base, id: policyId(hashOf(`${kind} ${reference}`)), target, reference, certificate };
  }),
);

/** Decisions of ten hours, not in order of time, over few rows: an annotation is about several of them. */
function randomDecision(rng: Rng, nth: number): Decision {
  const pick = <T>(items: readonly T[]): T => items[rng.integer(items.length)]!;
  const route = pick(["answered", "audited", "audited", "escalated", "degraded"] as const);
  const policy = pick([...policies, undefined]);
  return {
    id: `d${nth}`,
    rowId: rowId(hashOf(`row ${rng.integer(12)}`)),
    at: rng.integer(10 * HOUR),
    route,
    ...(route === "escalated" ? { reason: pick(["unsure", "unfamiliar"] as const) } : {}),
    studentValue: pick(["apple", "pear"]),
    ...(policy ? { policyId: policy.id } : {}),
    uniform: rng.next() < 0.6,
    propensity: 1,
    ...(route === "degraded" ? { degradedTo: pick(["queue", "answer-flagged", "refuse"] as const) } : {}),
    latencyMs: 1 + rng.integer(50),
    costUsd: rng.integer(3) / 1000,
  };
}

function randomAnnotation(rng: Rng, nth: number): Annotation {
  const row = { id: rowId(hashOf(`row ${rng.integer(12)}`)) };
  const [at, value] = [rng.integer(11 * HOUR), rng.next() < 0.7 ? "apple" : "pear"];
  if (rng.next() < 0.3) {
    const person = rng.next() < 0.5 ? "ada" : "bob";
    return { id: hashOf(`ruling ${nth}`), rowId: row.id, at, annotator: "person", person, value };
  }
  const promptVersion = versions[rng.integer(2)]!;
  const { value: _, ...failed } = sampleAnnotation(row, rng.integer(3), { promptVersion, at });
  return rng.next() < 0.2 ? { ...failed, failure: { code: "teacher_off_schema", message: "?" } } : { ...failed, value };
}

/** Puts them in an order of its own: labels come before and after what they are about, policies whenever. */
async function live(store: Store, seed: number): Promise<readonly Decision[]> {
  const rng = createRng(seed);
  const decisions: Decision[] = [];
  const missing = [...policies];
  const step = (nth: number): Promise<void> => {
    const die = rng.next();
    if (die < 0.06 && missing.length > 0) return store.policies.put(missing.pop()!);
    if (die < 0.4) return store.annotations.put([randomAnnotation(rng, nth)]);
    if (die < 0.45) return store.policies.void(policies[rng.integer(4)]!.id, "alarm", nth);
    if (die < 0.5 && decisions.length > 0) return store.decisions.put([decisions[rng.integer(decisions.length)]!]);
    const some = Array.from({ length: 1 + rng.integer(4) }, (_, index) => randomDecision(rng, nth * 10 + index));
    decisions.push(...some);
    return store.decisions.put(some);
  };
  // Some at a time share a transaction.
  for (let nth = 0; nth < 80; nth += 4) await Promise.all([0, 1, 2, 3].map((more) => step(nth + more)));
  for (const policy of missing) await store.policies.put(policy);
  return decisions.toSorted((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
}

/** What the monitor sees of the decisions, by looking at every one of them. */
async function scanMonitor(store: Store, policy: Policy, decisions: readonly Decision[]) {
  const { reference, promptVersion } = policy.certificate!;
  const observed: UniformRequest[] = [];
  let awaiting = 0;
  for (const { rowId: id, route, studentValue } of decisions.filter((d) => d.uniform && d.policyId === policy.id)) {
    const answered = route === "audited";
    const word = wordsOf(await store.annotations.ofRow(id), promptVersion)[reference];
    if (!answered && reference === "teacher") observed.push({ answered, wrong: false });
    else if (word !== undefined) observed.push({ answered, wrong: answered && word !== studentValue });
    else if (answered) awaiting += 1;
  }
  return { verdict: monitorPolicy(policy.certificate!, observed), awaiting };
}

function scanTraffic(decisions: readonly Decision[], since: number): readonly TrafficTally[] {
  const groups = Map.groupBy(
    decisions.filter(({ at }) => at >= since),
    ({ route, reason }) => `${route} ${reason}`,
  );
  return [...groups.values()].map((group) => ({
    route: group[0]!.route,
    reason: group[0]!.reason,
    requests: group.length,
    paid: group.filter(({ costUsd }) => costUsd > 0).length,
    costUsd: group.reduce((sum, { costUsd }) => sum + costUsd, 0),
    firstAt: group[0]!.at,
    lastAt: group.at(-1)!.at,
  }));
}

async function scanPending(store: Store, decisions: readonly Decision[]): Promise<readonly string[]> {
  const pending: string[] = [];
  for (const { id, rowId: row, at, route, degradedTo, uniform } of decisions) {
    if (route !== "audited" && degradedTo !== "queue" && !(uniform && degradedTo === "answer-flagged")) continue;
    const answers = await store.annotations.ofRow(row);
    if (!answers.some((one) => one.annotator === "teacher" && one.pass === LIVE_PASS && one.at >= at)) pending.push(id);
  }
  return pending;
}

const byRoute = (tallies: readonly TrafficTally[]) =>
  tallies
    .map((one) => ({ ...one, costUsd: Math.round(one.costUsd * 1e9) }))
    .toSorted((a, b) => (`${a.route} ${a.reason}` < `${b.route} ${b.reason}` ? -1 : 1));

async function expectAsScanned(store: Store, decisions: readonly Decision[]): Promise<void> {
  const { history } = store;
  for (const since of [undefined, 0, 1, 3 * HOUR, 3 * HOUR + 1, 20 * HOUR])
    expect(byRoute(await history.traffic(since))).toEqual(byRoute(scanTraffic(decisions, since ?? 0)));
  const pending = await Array.fromAsync(history.pendingLabels(), ({ id }) => id);
  expect(pending).toEqual(await scanPending(store, decisions));
  expect(await history.countPending([""])).toBe(pending.length);
  for (const policy of policies) {
    const { verdict, awaiting } = await scanMonitor(store, policy, decisions);
    const reading = (await readMonitor(store, policy))!;
    const evidence = expect.closeTo(verdict.evidence, 6 - Math.ceil(Math.log10(1 + verdict.evidence)));
    expect(reading).toMatchObject({ verdict: { ...verdict, evidence }, awaiting });
  }
  const answered = decisions.filter(({ route }) => route === "answered").map(({ latencyMs }) => latencyMs);
  const latencies = (await history.latencies()).flatMap(({ ms, requests }) => Array<number>(requests).fill(ms));
  expect(latencies).toHaveLength(answered.length);
  for (const [index, ms] of answered.toSorted((a, b) => a - b).entries()) {
    expect(Math.abs(latencies[index]! / ms - 1)).toBeLessThan(0.011);
  }
}

describe("what is kept beside the decisions", () => {
  test("is what a scan of all of them finds, whatever came in which order; built anew it is the same", async () => {
    const rounds = fc.asyncProperty(fc.integer(), async (seed) => {
      const store = await openTestStore();
      const decisions = await live(store, seed);
      await expectAsScanned(store, decisions);
      await store.history.rebuild();
      await expectAsScanned(store, decisions);
    });
    await fc.assert(rounds, { numRuns: 4 });
  }, 180_000);

  test("outlives the decisions, of which none is dropped that calls for a label", async () => {
    const rounds = fc.asyncProperty(fc.integer(), async (seed) => {
      const store = await openTestStore();
      const decisions = await live(store, seed);
      const [traffic, latencies] = [byRoute(await store.history.traffic()), await store.history.latencies()];
      const monitors = await Promise.all(policies.map((policy) => readMonitor(store, policy)));
      const pending = await scanPending(store, decisions);
      expect(await store.history.dropDecisions(24 * HOUR + 1)).toBe(decisions.length - pending.length);
      await store.history.rebuild();
      expect(await Array.fromAsync(store.decisions.list(), ({ id }) => id)).toEqual(pending);
      expect(byRoute(await store.history.traffic())).toEqual(traffic);
      expect(await store.history.latencies()).toEqual(latencies);
      expect(await Promise.all(policies.map((policy) => readMonitor(store, policy)))).toEqual(monitors);
      expect(await Array.fromAsync(store.history.pendingLabels(), ({ id }) => id)).toEqual(pending);
    });
    await fc.assert(rounds, { numRuns: 2 });
  }, 180_000);
});
