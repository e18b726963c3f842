import { expect, onTestFinished, test } from "vitest";
import type { Student, StudentInput, Teacher } from "../contracts.ts";
import { TeacherError } from "../contracts.ts";
import { scopesOf } from "../fields.ts";
import type { TeacherDownPolicy } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { classesOf, defineFieldsTask, type FieldsTask, promptVersion } from "../task.ts";
import { routeOfRow } from "./routed.ts";
import { createRouter, type Router } from "./router.ts";
import { createFakeClock } from "./testing/fake-clock.ts";
import { calibrateBySoftmax, loadText, openTestStore, promote, textRequest } from "./testing/fixtures.ts";
import { hashOf } from "./testing/names.ts";

const definition = (whenTeacherDown: TeacherDownPolicy, answer: FieldsTask["answer"] = "each") =>
  defineFieldsTask({
    name: "fruit",
    input: "text",
    answer,
    fields: {
      kind: { instructions: "Which?", output: { kind: "choice", choices: ["apple", "pear"] } },
      ripe: { instructions: "Ripe?", output: { kind: "predicate" } },
    },
    audit: { uniformRate: 0, rate: 0 },
    whenTeacherDown,
    teacher: {
      model: "compatible/test",
      baseUrl: "http://127.0.0.1:9/v1",
      price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
    },
  });

/** Of "apple 0.6", `kind` says apple at 0.6; whether it is ripe is always sure. */
const studentOf = (field: string): Student => ({
  modelId: hashOf(field) as Student["modelId"],
  classes: field === "kind" ? ["apple", "pear"] : ["true", "false"],
  async predictLogits(batch: readonly StudentInput[]) {
    return Float32Array.from(
      batch.flatMap((input) => {
        const confidence = field === "kind" && input.kind === "text" ? Number(input.text.split(" ")[1]) : 0.99;
        return [Math.log(confidence / (1 - confidence)), 0];
      }),
    );
  },
  async [Symbol.asyncDispose]() {},
});

type Open = { readonly task: FieldsTask; readonly ask?: Teacher["ask"] };

async function open({ task, ask = down }: Open): Promise<{ readonly store: Store; readonly router: Router }> {
  const store = await openTestStore();
  for (const scope of scopesOf(store, task)) {
    await promote(scope.store, scope.task, scope.name, { classes: classesOf(scope.task) });
  }
  const teacher: Teacher = {
    id: "compatible/test",
    simulated: true,
    promptVersion: promptVersion(task),
    maxCostUsd: () => 0.01,
    ask,
  };
  const router = await createRouter({
    task,
    store,
    teacher,
    clock: createFakeClock(),
    loadStudent: async ({ modelId }) => studentOf(modelId === hashOf("kind") ? "kind" : "ripe"),
    calibrate: calibrateBySoftmax,
    loadTeacherInput: loadText,
    seed: 1,
  });
  onTestFinished(() => router.close(AbortSignal.abort()));
  return { store, router };
}

const down: Teacher["ask"] = async () => {
  throw new TeacherError("teacher_unauthorised", "the key is refused");
};

const says: Teacher["ask"] = async () => ({
  fields: { kind: { value: "pear" }, ripe: { value: "false" } },
  usage: { inputTokens: 101, outputTokens: 7 },
  costUsd: 0.003,
  latencyMs: 1,
});

const decide = (router: Router, confidence: number) =>
  router.decideRow({ ...textRequest("apple", confidence), requestId: `request ${confidence}` });

const saidOf = (row: Awaited<ReturnType<typeof decide>>) =>
  Object.fromEntries(
    [...row.fields].map(([name, { answer, decision }]) => [name, `${decision.route}: ${answer.kind}`]),
  );

test.each([
  ["answer-flagged", { kind: "degraded: student", ripe: "audited: student" }],
  ["refuse", { kind: "degraded: refused", ripe: "audited: student" }],
  ["queue", { kind: "degraded: queued", ripe: "audited: student" }],
] as const)("teacher down, %s: what a field is sure of is answered all the same", async (policy, expected) => {
  const { router } = await open({ task: definition(policy) });
  const row = await decide(router, 0.6);
  expect(saidOf(row)).toEqual(expected);
  expect(routeOfRow(row)).toBe("degraded");
});

test("teacher down, together: what may not be answered alone is refused with the rest", async () => {
  const { router } = await open({ task: definition("refuse", "together") });
  expect(saidOf(await decide(router, 0.6))).toEqual({ kind: "degraded: refused", ripe: "degraded: refused" });
  expect(saidOf(await decide(router, 0.9))).toEqual({ kind: "answered: student", ripe: "answered: student" });
});

test("one reply teaches every field; its tokens and its cost are counted once", async () => {
  const task = definition("refuse");
  const { router, store } = await open({ task, ask: says });
  const row = await decide(router, 0.6);
  expect(saidOf(row)).toEqual({ kind: "escalated: teacher", ripe: "audited: student" });
  expect(row.usage).toEqual({ inputTokens: 101, outputTokens: 7 });
  const costs = [...row.fields.values()].map(({ decision }) => decision.costUsd);
  expect(costs[0]! + costs[1]!).toBeCloseTo(0.003, 12);
  expect((await store.spend.totals()).spentUsd).toBeCloseTo(0.003, 12);
  const { rowId } = row.fields.get("kind")!.decision;
  const taught = await Promise.all(scopesOf(store, task).map((scope) => scope.store.annotations.ofRow(rowId)));
  expect(taught.map(([annotation]) => annotation?.value)).toEqual(["pear", "false"]);
  expect(await router.backlog.depth()).toBe(0);
});

test("a void on one field stops that field alone; together, it stops the row", async () => {
  for (const answer of ["each", "together"] as const) {
    const task = definition("refuse", answer);
    const { router, store } = await open({ task, ask: says });
    const champion = await store.field("kind").policies.champion();
    await store.field("kind").policies.void(champion!.policyId, "alarm", 1);
    await router.reload();
    const row = await decide(router, 0.9);
    expect(row.fields.get("kind")!.decision).toMatchObject({ route: "escalated", reason: "voided" });
    const ripe = row.fields.get("ripe")!.decision;
    expect(ripe).toMatchObject(answer === "each" ? { route: "audited" } : { route: "escalated", reason: "together" });
  }
});

test("only the fields that are asked for are decided; the others are taught all the same", async () => {
  const task = definition("refuse");
  const { router, store } = await open({ task, ask: says });
  const row = await router.decideRow({ ...textRequest("apple", 0.6), requestId: "r", fields: ["kind"] });
  expect([...row.fields.keys()]).toEqual(["kind"]);
  expect(await store.field("ripe").decisions.count()).toBe(0);
  const { rowId } = row.fields.get("kind")!.decision;
  expect(await store.field("ripe").annotations.ofRow(rowId)).toHaveLength(1);
});
