import { describe, expect, test } from "vitest";
import type { Decision, Policy, Reference, Target } from "../records.ts";
import { fruitTask, openTestStore, testPolicy } from "../route/testing/fixtures.ts";
import { hashOf } from "../route/testing/names.ts";
import type { Store } from "../store/contract.ts";
import { sampleAnnotation, sampleRow } from "../store/testing/samples.ts";
import { enforceMonitor, readMonitor } from "./monitor.ts";

const task = fruitTask();

function policyFor(reference: Reference, kind: Target["kind"] = "regret"): Policy {
  const policy = testPolicy(task, "m1");
  const target = { ...policy.target, kind };
  return { ...policy, target, reference, certificate: { ...policy.certificate!, target, reference } };
}

type Seen = {
  readonly route?: Decision["route"];
  readonly teacher?: string;
  readonly person?: string;
  readonly uniform?: boolean;
};

/** Uniform requests in order; the student called each of them an apple. */
async function storeSeen(policy: Policy, seen: readonly Seen[]): Promise<Store> {
  const store = await openTestStore();
  await store.policies.put(policy);
  for (const [index, { route = "audited", teacher, person, uniform = true }] of seen.entries()) {
    const row = sampleRow(`row ${index}`);
    const { id: rowId } = row;
    await store.rows.put([row]);
    const { promptVersion } = policy;
    const judged = { id: hashOf(`person ${index}`), rowId, at: 5, annotator: "person", person: "ada" } as const;
    if (teacher) await store.annotations.put([sampleAnnotation(row, 0, { value: teacher, promptVersion })]);
    if (person) await store.annotations.put([{ ...judged, value: person }]);
    const decision = { id: `d${index}`, rowId, at: index, route, studentValue: "apple", policyId: policy.id } as const;
    await store.decisions.put([{ ...decision, uniform, propensity: 1, latencyMs: 1, costUsd: 0 }]);
  }
  return store;
}

const repeat = (count: number, seen: Seen): readonly Seen[] => Array.from({ length: count }, () => seen);
const agreed = { teacher: "apple" };
const disagreed = { teacher: "pear" };

describe("the monitor", () => {
  test("counts the student's uniform answers that the teacher contradicts", async () => {
    const policy = policyFor("teacher");
    const store = await storeSeen(policy, [agreed, disagreed, agreed, { ...disagreed, uniform: false }]);
    expect((await readMonitor(store, policy))?.verdict).toMatchObject({ kind: "holding", n: 3, errors: 1 });
  });

  test("of regret counts escalations as not wrong; of selective risk leaves them out", async () => {
    const seen = [disagreed, { ...disagreed, route: "escalated" as const }];
    const verdictUnder = async (kind: Target["kind"]) => {
      const policy = policyFor("teacher", kind);
      return (await readMonitor(await storeSeen(policy, seen), policy))?.verdict;
    };
    expect(await verdictUnder("regret")).toMatchObject({ n: 2, errors: 1 });
    expect(await verdictUnder("selective")).toMatchObject({ n: 1, errors: 1 });
  });

  test("waits for answers that have not come", async () => {
    const policy = policyFor("teacher");
    const reading = await readMonitor(await storeSeen(policy, [{}, {}, agreed]), policy);
    expect(reading).toMatchObject({ awaiting: 2, verdict: { n: 1 } });
  });

  test("of a certificate against people hears people alone", async () => {
    const policy = policyFor("person");
    const seen = [{ ...disagreed, person: "apple" }, { ...agreed, person: "pear" }, disagreed];
    const escalated = { ...disagreed, route: "escalated" } as const;
    const store = await storeSeen(policy, [...seen, escalated, { ...escalated, person: "pear" }]);
    expect(await readMonitor(store, policy)).toMatchObject({ awaiting: 1, verdict: { n: 3, errors: 1 } });
  });

  test("bounds the risk exactly, and says nothing of it before the first observation", async () => {
    const policy = policyFor("teacher");
    expect((await readMonitor(await storeSeen(policy, []), policy))?.riskUpper).toBeUndefined();
    const clean = await readMonitor(await storeSeen(policy, repeat(10, agreed)), policy);
    // The rate at which ten requests in a row go well one time in twenty.
    expect(clean?.riskUpper).toBeCloseTo(1 - 0.05 ** 0.1, 9);
  });

  test("voids a policy whose risk has risen, and leaves one alone that holds", async () => {
    const policy = policyFor("teacher");
    const holding = await storeSeen(policy, [...repeat(30, agreed), disagreed]);
    await enforceMonitor(holding, policy, 9);
    expect(await holding.policies.voided(policy.id)).toBeUndefined();
    const moved = await storeSeen(policy, repeat(12, disagreed));
    await enforceMonitor(moved, policy, 9);
    expect(await moved.policies.voided(policy.id)).toMatchObject({ at: 9, why: expect.stringContaining("12 wrong") });
  });

  test("has nothing to watch without a certificate", async () => {
    const { certificate: _, ...uncertified } = policyFor("teacher");
    expect(await readMonitor(await openTestStore(), uncertified)).toBeUndefined();
  });
});
