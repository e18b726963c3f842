import { describe, expect, test } from "vitest";
import type { Row } from "../records.ts";
import { labelAgreement } from "./agreement.ts";
import { estimateTeacherAccuracy } from "./teacher-accuracy.ts";
import { fruitTask, openTestStore, personSays, teacherSays, textRows } from "./testing/fixtures.ts";

const task = fruitTask();

/** Pass 1 is right but for every `wrongEvery`-th row, pass 2 differs on every `differEvery`-th. */
async function labelled(count: number, wrongEvery: number, differEvery: number) {
  const rows = textRows(count);
  const store = await openTestStore(rows);
  const truth = (index: number) => (index % 2 === 0 ? "apple" : "pear");
  const first = (index: number) => (index % wrongEvery === 0 ? "orange" : truth(index));
  const second = (index: number) => (index % differEvery === 1 ? "orange" : first(index));
  const annotations = (row: Row, index: number) => [
    teacherSays(row, 1, { value: first(index) }),
    teacherSays(row, 2, { value: second(index) }),
  ];
  await store.annotations.put(rows.flatMap(annotations));
  return { store, rows, truth };
}

describe("agreement of the passes", () => {
  test("is given raw and corrected for chance, with intervals", async () => {
    const { store } = await labelled(100, 10, 10);
    const agreement = await labelAgreement(store, task);
    expect(agreement?.observed).toMatchObject({ value: 0.9, n: 100 });
    expect(agreement?.kappa?.value).toBeLessThan(0.9);
    expect(agreement?.kappa?.low).toBeLessThan(agreement?.kappa?.value ?? 0);
    expect(agreement).not.toHaveProperty("warning");
  });

  test("too good is warned of, with what to do", async () => {
    const { store } = await labelled(200, 10, 1000);
    expect((await labelAgreement(store, task))?.warning).toMatch(/not independent.*no accuracy.*secondModel/);
  });

  test("is absent until a row has two passes", async () => {
    const rows = textRows(2);
    const store = await openTestStore(rows);
    await store.annotations.put(rows.map((row) => teacherSays(row, 1)));
    expect(await labelAgreement(store, task)).toBeUndefined();
  });
});

describe("the teacher's accuracy", () => {
  test("is estimated from gold where there is some", async () => {
    const { store, rows, truth } = await labelled(400, 10, 7);
    await store.gold.put(rows.slice(0, 200).map((row, index) => ({ rowId: row.id, value: truth(index) })));
    const accuracy = await estimateTeacherAccuracy(store, task);
    expect(accuracy).toMatchObject({ truth: "gold", method: "ppi++", n: 200 });
    expect(accuracy?.low).toBeLessThan(0.9);
    expect(accuracy?.high).toBeGreaterThan(0.9);
    expect(accuracy).not.toHaveProperty("warning");
  });

  test("else from rulings, with the warning that these rows were chosen", async () => {
    const { store, rows, truth } = await labelled(100, 10, 7);
    await store.annotations.put(rows.slice(0, 30).map((row, index) => personSays(row, truth(index))));
    const accuracy = await estimateTeacherAccuracy(store, task);
    expect(accuracy).toMatchObject({ truth: "person", n: 30, value: 0.9, method: "clopper-pearson" });
    expect(accuracy?.warning).toContain("chosen");
  });

  test("nobody knows it without either", async () => {
    const { store } = await labelled(10, 10, 10);
    expect(await estimateTeacherAccuracy(store, task)).toBeUndefined();
  });
});
