import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { TeacherError } from "../contracts.ts";
import { annotationsOf, fieldNames, fieldsOf, partOf, scopesOf } from "../fields.ts";
import type { Row } from "../records.ts";
import { startSimulatedTeacher } from "../simulate/teacher-server.ts";
import { classesOf, defineFieldsTask, type FieldsTaskDefinition, promptVersion } from "../task.ts";
import { labelRows } from "./label-rows.ts";
import { planLabelling } from "./plan-labelling.ts";
import { questionOf } from "./prompts.ts";
import { openTeacher } from "./teacher.ts";
import { hex, openTestStore, textRows } from "./testing/fixtures.ts";

const definition: FieldsTaskDefinition = {
  name: "mail",
  input: "text",
  instructions: "Letters to a shop.",
  fields: {
    topic: { instructions: "What is it about?", output: { kind: "choice", choices: ["bill", "parcel", "other"] } },
    urgent: { instructions: "Does it hurry?", output: { kind: "predicate" } },
    mood: { instructions: "How angry is it?", output: { kind: "score", levels: ["calm", "cross", "furious"] } },
  },
  teacher: {
    model: "compatible/simulated",
    baseUrl: "http://127.0.0.1:9/v1",
    price: { inputPerMillionUsd: 1, outputPerMillionUsd: 7 },
  },
};

const goldOf = (rows: readonly Row[], labels: readonly string[], shift: number) =>
  new Map(
    rows.map(({ input }, index) => [
      hex(input.kind === "text" ? input.text : ""),
      labels[(index + shift) % labels.length]!,
    ]),
  );

async function openWorld(
  rows: readonly Row[],
  faults: { readonly errorRate?: number; readonly pOffSchema?: number } = {},
) {
  const own = fieldsOf(defineFieldsTask(definition));
  const fields = Object.fromEntries(
    own.map(({ name, task }, index) => {
      const classes = classesOf(task);
      return [name, { classes, gold: goldOf(rows, classes, index) }];
    }),
  );
  const simulated = await startSimulatedTeacher({
    gold: fields["topic"]!.gold,
    classes: [],
    fields,
    seed: 3,
    ...faults,
  });
  onTestFinished(() => simulated.close());
  const task = defineFieldsTask({ ...definition, teacher: { ...definition.teacher, baseUrl: simulated.url } });
  const store = await openTestStore(rows);
  const clock = { now: () => Date.now(), sleep: async () => {} };
  const label = () => labelRows({ store, task, clock, seed: 1, teacher: openTeacher({ task, env: {} }) });
  return { store, task, simulated, label, fields };
}

describe("labelling several fields", () => {
  test("one request a row and pass answers them all; what the fields cost adds up to what was paid", async () => {
    const rows = textRows(40);
    const { store, task, simulated, label } = await openWorld(rows);
    const summary = await label();
    expect(summary.answers).toEqual([40, 40, 0]);
    expect(simulated.stats().charged).toBe(80);
    expect(Object.values(summary.fields).map(({ labels }) => labels.agreed)).toEqual([40, 40, 40]);
    let costUsd = 0;
    for (const scope of scopesOf(store, task)) {
      for await (const annotation of scope.store.annotations.teacher()) costUsd += annotation.costUsd;
    }
    const { spentUsd, inFlight } = await store.spend.totals();
    expect(inFlight).toBe(0);
    expect(spentUsd).toBeCloseTo(costUsd, 12);
    expect(spentUsd).toBeCloseTo(summary.costUsd, 12);
    expect((await label()).answers).toEqual([0, 0, 0]);
    expect((await planLabelling({ store, task })).passes.map(({ rows }) => rows.high)).toEqual([0, 0, 0]);
  });

  test("each field errs for itself; a row is asked a third time where any of them is in dispute", async () => {
    const rows = textRows(60);
    const { store, task, label, fields } = await openWorld(rows, { errorRate: 0.2 });
    const summary = await label();
    const disputed = new Set<string>();
    const wrong = new Map<string, Set<string>>();
    for (const { name, store: own } of scopesOf(store, task)) {
      wrong.set(name, new Set());
      for (const row of rows) {
        const [first, second] = await own.annotations.ofRow(row.id);
        if (first!.value !== second!.value) disputed.add(row.id);
        if (first!.value !== fields[name]!.gold.get(row.id)) wrong.get(name)!.add(row.id);
      }
    }
    expect(disputed.size).toBeGreaterThan(5);
    expect(summary.answers).toEqual([60, 60, disputed.size]);
    for (const { store: own } of scopesOf(store, task)) {
      const third = await Array.fromAsync(own.annotations.teacher({ pass: 3 }));
      expect(new Set(third.map(({ rowId }) => rowId))).toEqual(disputed);
    }
    expect(wrong.get("topic")).not.toEqual(wrong.get("mood"));
    expect(wrong.get("urgent")).not.toEqual(wrong.get("mood"));
  });

  test("an answer off the schema in one field fails that field and keeps the others", async () => {
    const rows = textRows(30);
    const { store, task, label } = await openWorld(rows, { pOffSchema: 0.4 }); // rarely enough that ten in a row do not end the run
    const once = { ...task, teacher: { ...task.teacher, maxAttempts: 1, passes: 1 as const } };
    const clock = { now: () => Date.now(), sleep: async () => {} };
    const summary = await labelRows({
      store,
      task: once,
      clock,
      seed: 1,
      teacher: openTeacher({ task: once, env: {} }),
    });
    expect(summary.failed).toBeGreaterThan(5);
    expect(summary.failures[0]?.message).toMatch(/none of the labels of (topic|urgent|mood)$/);
    let failures = 0;
    for (const row of rows) {
      const annotations = (
        await Promise.all(scopesOf(store, task).map((own) => own.store.annotations.ofRow(row.id)))
      ).flat();
      expect(annotations).toHaveLength(3);
      const failed = annotations.filter(({ value }) => value === undefined);
      expect(failed.length).toBeLessThanOrEqual(1);
      failures += failed.length;
    }
    expect(failures).toBe(summary.failed);
    // The rest of the passes ask on under the task's own rules: what was recorded is not asked again.
    expect((await label()).answers[0]).toBe(0);
  });

  test("a teacher's error tells which fields were valid", async () => {
    const rows = textRows(1);
    const { task } = await openWorld(rows, { pOffSchema: 1 });
    const request = { input: rows[0]!.input as { kind: "text"; text: string }, pass: 1, idempotencyKey: "k" };
    const error = await openTeacher({ task, env: {} })
      .ask(request)
      .then(
        () => expect.unreachable("it should have failed"),
        (thrown: TeacherError) => thrown,
      );
    expect(error).toMatchObject({ code: "teacher_off_schema", retryable: true });
    expect(Object.keys(error.valid)).toHaveLength(2);
  });

  test("log-probabilities are each field's own", async () => {
    const rows = textRows(1);
    const { task } = await openWorld(rows, { errorRate: 0.25 });
    const request = { input: rows[0]!.input as { kind: "text"; text: string }, pass: 1, idempotencyKey: "k" };
    const answer = await openTeacher({ task, env: {} }).ask(request);
    const given = "fields" in answer ? answer.fields : {};
    for (const { name, task: own } of fieldsOf(task)) {
      const { value, probabilities = {} } = given[name]!;
      expect(probabilities[value]).toBeCloseTo(0.75);
      expect(Object.keys(probabilities).toSorted()).toEqual([...classesOf(own)].toSorted());
    }
  });
});

describe("the question about several fields", () => {
  const task = defineFieldsTask(definition);

  test("passes differ in words, and each field's labels in order", () => {
    const questions = [1, 2, 3].map((pass) => questionOf(task, pass, "key"));
    expect(new Set(questions.map(({ system }) => system)).size).toBe(3);
    for (const { asked, system } of questions) {
      expect(asked.map(({ field }) => field)).toEqual(fieldNames(task));
      expect(system).toContain("Letters to a shop.");
      for (const [index, { task: own }] of fieldsOf(task).entries()) {
        expect(asked[index]!.labels.toSorted()).toEqual([...classesOf(own)].toSorted());
        expect(system).toContain(own.instructions);
      }
    }
    const orders = Array.from({ length: 8 }, (_, index) =>
      questionOf(task, 2, `key ${index}`).asked.map(({ labels }) => labels.join()),
    );
    for (const field of [0, 1, 2]) expect(new Set(orders.map((order) => order[field])).size).toBeGreaterThan(1);
  });

  test("has one version for all fields: any of them changed, all are asked anew; targets are no part of it", () => {
    const version = promptVersion(task);
    for (const field of fieldsOf(task)) expect(promptVersion(field.task)).toBe(version);
    const { topic, ...others } = definition.fields;
    const changed = (fields: FieldsTaskDefinition["fields"]) =>
      promptVersion(defineFieldsTask({ ...definition, fields }));
    expect(changed({ ...others, topic: { ...topic!, instructions: "About what?" } })).not.toBe(version);
    expect(changed(others)).not.toBe(version);
    expect(changed({ ...definition.fields, topic: { ...topic!, target: { kind: "regret", risk: 0.2 } } })).toBe(
      version,
    );
  });
});

describe("the parts of one answer", () => {
  test("add up to it exactly", () => {
    fc.assert(
      fc.property(fc.nat({ max: 1e9 }), fc.integer({ min: 1, max: 64 }), (amount, count) => {
        const parts = Array.from({ length: count }, (_, index) => partOf(amount, index, count));
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(amount);
        expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("of one output are the answer as it came", () => {
    const [row] = textRows(1);
    const base = {
      id: "i",
      rowId: row!.id,
      at: 1,
      annotator: "teacher",
      teacher: "t",
      simulated: true,
      pass: 1,
      promptVersion: "v",
    } as const;
    const usage = { inputTokens: 7, outputTokens: 3 };
    const judged = { given: { "": { value: "pear" } }, usage, costUsd: 1e-10 / 3, latencyMs: 2.5 };
    expect(annotationsOf(base, [""], judged)).toEqual([
      { ...base, value: "pear", usage, costUsd: 1e-10 / 3, latencyMs: 2.5 },
    ]);
  });
});
