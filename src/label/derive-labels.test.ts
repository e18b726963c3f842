import { describe, expect, test } from "vitest";
import type { Annotation, Row } from "../records.ts";
import { promptVersion } from "../task.ts";
import { deriveLabels } from "./derive-labels.ts";
import { fruitTask, openTestStore, personSays, teacherSays, textRows } from "./testing/fixtures.ts";

const task = fruitTask();
const rows = textRows(6);

async function derive(annotations: readonly Annotation[], of = task) {
  const store = await openTestStore(rows);
  await store.annotations.put(annotations);
  return { store, counts: await deriveLabels({ store, task: of }) };
}

const [a, b, c, d] = rows as [Row, Row, Row, Row];
const says = teacherSays;

describe("labels in force", () => {
  test("are derived from the record, and counted by how they came to be", async () => {
    const { store, counts } = await derive([
      ...[says(a, 1), says(a, 2)],
      ...[says(b, 1), says(b, 2, { value: "pear" }), says(b, 3, { value: "pear" })],
      ...[says(c, 1), personSays(c, "orange")],
      says(d, 1),
    ]);
    expect(counts).toMatchObject({
      agreed: 1,
      majority: 1,
      person: 1,
      single: 1,
      split: 0,
      total: 4,
      aggregation: "vote",
    });
    expect(await store.labels.get(b.id)).toMatchObject({ value: "pear", basis: "majority" });
    expect(await store.labels.get(c.id)).toMatchObject({ value: "orange", weight: 1 });
  });

  test("derived twice, nothing is written", async () => {
    const probabilities = { apple: 0.6, pear: 0.4 };
    const { store, counts } = await derive([says(a, 1, { probabilities }), says(a, 2), says(b, 1)]);
    expect(counts.changed).toBe(2);
    expect(await deriveLabels({ store, task })).toMatchObject({ changed: 0, withdrawn: 0, total: 2 });
  });

  test("follow a later ruling", async () => {
    const { store } = await derive([says(a, 1), says(b, 1), says(c, 1)]);
    await store.annotations.put([personSays(b, "orange")]);
    expect(await deriveLabels({ store, task })).toMatchObject({ changed: 1 });
    expect(await store.labels.get(b.id)).toMatchObject({ value: "orange", basis: "person" });
  });

  test("are withdrawn when the question changes, and a ruling outlives it", async () => {
    const { store } = await derive([says(a, 1), says(b, 1), personSays(b, "pear"), says(c, 1)]);
    const other = fruitTask({ instructions: "Which vegetable is meant?" });
    expect(await deriveLabels({ store, task: other })).toMatchObject({ withdrawn: 2, person: 1, total: 1 });
    expect(await store.labels.get(a.id)).toBeUndefined();
    await store.annotations.put([says(a, 1, { promptVersion: promptVersion(other) })]);
    expect(await deriveLabels({ store, task: other })).toMatchObject({ total: 2 });
  });

  test("with three sources, who errs how decides between them", async () => {
    const many = textRows(90);
    const store = await openTestStore(many);
    // The second model calls every pear an apple; people ruled on enough rows to show it.
    const truth = (index: number) => (index % 2 === 0 ? "apple" : "pear");
    const annotations = many.flatMap((row, index) => [
      says(row, 1, { value: truth(index), teacher: "one" }),
      says(row, 2, { value: "apple", teacher: "two" }),
      ...(truth(index) === "pear" ? [says(row, 3, { value: "apple", teacher: "two" })] : []),
      ...(index < 60 ? [personSays(row, truth(index))] : []),
    ]);
    await store.annotations.put(annotations);
    const counts = await deriveLabels({ store, task });
    expect(counts).toMatchObject({ aggregation: "dawid-skene", person: 60 });
    const labels = await Promise.all(many.slice(60).map((row) => store.labels.get(row.id)));
    expect(labels.map((label) => label?.value)).toEqual(many.slice(60).map((_, index) => truth(index)));
    for (const label of labels) {
      const total = Object.values(label?.distribution ?? { sure: 1 }).reduce((sum, share) => sum + share, 0);
      expect(total).toBeCloseTo(1);
    }
  });
});
