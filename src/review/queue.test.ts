import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Row } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { auditPosition } from "../task.ts";
import { buildReviewQueue, interleave } from "./queue.ts";
import type { ReviewItem, SuspectItem } from "./review-item.ts";
import { recordRulings } from "./rulings.ts";
import {
  label,
  openTemporaryStore,
  prediction,
  putModel,
  putRows,
  stillClock,
  teacherSays,
  textRow,
  textTask,
} from "./testing.ts";

const task = textTask(["glad", "sad", "mad"]);
const byText = (items: readonly ReviewItem[]) =>
  new Map(items.map((item) => [item.row.input.kind === "text" ? item.row.input.text : "", item]));

/** 40 rows, all train but the last ten; the first six have something to be said against them. */
async function doubtfulWorkspace(store: Store): Promise<readonly Row[]> {
  const train = Array.from({ length: 30 }, (_, index) => textRow(`text ${index}`, { split: "train" }));
  const certify = Array.from({ length: 10 }, (_, index) => textRow(`text ${30 + index}`, { split: "certify" }));
  const rows = [...train, ...certify];
  await store.rows.put(rows);
  const bases = ["split", "majority", "agreed"] as const;
  const labelled = rows.filter((_, index) => index !== 2);
  await store.labels.put(labelled.map((row) => label(row.id, "glad", bases[rows.indexOf(row)] ?? "agreed")));
  await store.annotations.put([1, 2].map((pass) => teacherSays(task, rows[2]!.id, pass)));
  const votes = ["glad", "sad", "mad"].map((value, pass) => teacherSays(task, rows[0]!.id, pass + 1, value));
  await store.annotations.put(votes);
  const model = await putModel(store, ["glad", "sad", "mad"]);
  const agreeing = rows.slice(6).map((row) => prediction(model, row.id, { top: 0, share: 0.9, k: 3 }));
  const contradicting = prediction(model, rows[3]!.id, { top: 1, share: 0.97, k: 3, basis: "out-of-fold" });
  const unsure = prediction(model, rows[4]!.id, { top: 1, share: 0.6, k: 3, basis: "out-of-fold" });
  const byHeart = prediction(model, rows[5]!.id, { top: 1, share: 0.99, k: 3, basis: "fitted" });
  await store.predictions.put([...agreeing, contradicting, unsure, byHeart]);
  return rows;
}

describe("buildReviewQueue", () => {
  test("finds every kind of evidence against a label, the strongest first, and says which", async () => {
    await using store = await openTemporaryStore();
    await doubtfulWorkspace(store);
    const queue = await buildReviewQueue({ store, task, limit: 7 });
    const suspects = queue.filter((item) => item.kind === "suspect");
    expect(suspects.map(({ row, reasons }) => [row.source, ...reasons])).toEqual([
      ["text 3.txt", "contradicted", "doubtful"],
      ["text 0.txt", "split"],
      ["text 2.txt", "no-answer"],
      ["text 1.txt", "majority"],
      ["text 4.txt", "doubtful"],
    ]);
    const items = byText(queue);
    expect(items.get("text 0")).toMatchObject({
      suggestion: "glad",
      votes: [{ value: "glad" }, { value: "sad" }, { value: "mad" }],
    });
    expect(items.get("text 3")).toMatchObject({ student: { value: "sad" } });
    expect(items.get("text 2")).not.toHaveProperty("suggestion");
  });

  test("a student's word on rows that it learnt by heart is no evidence", async () => {
    await using store = await openTemporaryStore();
    await doubtfulWorkspace(store);
    const queue = await buildReviewQueue({ store, task, limit: 40 });
    expect(byText(queue).get("text 5")?.kind).toBe("audit");
  });

  test("a calibrated student that is not sure contradicts nobody", async () => {
    await using store = await openTemporaryStore();
    await doubtfulWorkspace(store);
    const queue = await buildReviewQueue({ store, task, limit: 40, confidenceOf: () => 0.55 });
    expect(queue.some((item) => item.kind === "suspect" && item.reasons.includes("contradicted"))).toBe(false);
  });

  test("certify rows are never suspects; calibrate rows are where people are the reference", async () => {
    await using store = await openTemporaryStore();
    const [certify, calibrate] = [textRow("a", { split: "certify" }), textRow("b", { split: "calibrate" })];
    await store.rows.put([certify, calibrate]);
    await store.labels.put([label(certify.id, "glad", "split"), label(calibrate.id, "glad", "split")]);
    await store.annotations.put([teacherSays(task, certify.id, 1)]);
    const kinds = async (reference: "teacher" | "person") => {
      const queue = await buildReviewQueue({ store, task: { ...task, reference }, limit: 9 });
      return Object.fromEntries(queue.map(({ kind, row }) => [row.source, kind]));
    };
    expect(await kinds("teacher")).toEqual({ "a.txt": "audit", "b.txt": "audit" });
    expect(await kinds("person")).toEqual({ "a.txt": "audit", "b.txt": "suspect" });
  });

  test("audits are certify rows in the audit order, without gaps, and carry nobody's answer", async () => {
    await using store = await openTemporaryStore();
    const rows = await doubtfulWorkspace(store);
    const audits = (await buildReviewQueue({ store, task, limit: 12, auditShare: 0.5 })).filter(
      (item) => item.kind === "audit",
    );
    const order = rows
      .filter(({ split }) => split === "certify")
      .sort((a, b) => auditPosition(a.id) - auditPosition(b.id));
    expect(audits.map(({ row }) => row.id)).toEqual(order.slice(0, audits.length).map(({ id }) => id));
    expect(audits.length).toBe(7);
    for (const audit of audits) expect(Object.keys(audit).sort()).toEqual(["kind", "priority", "reasons", "row"]);
  });

  test("rows that are not uniform are never audited", async () => {
    await using store = await openTemporaryStore();
    await putRows(store, 5, { uniform: false, origin: "traffic", split: "train" });
    expect(await buildReviewQueue({ store, task, limit: 5 })).toEqual([]);
  });

  test("rows on which somebody has ruled are gone, and the audits move on to the next in order", async () => {
    await using store = await openTemporaryStore();
    await doubtfulWorkspace(store);
    const first = await buildReviewQueue({ store, task, limit: 6 });
    await recordRulings(
      store,
      first.map(({ row }) => ({ rowId: row.id, person: "ann", value: "glad" })),
      stillClock,
    );
    const second = await buildReviewQueue({ store, task, limit: 40 });
    const seen = new Set(first.map(({ row }) => row.id));
    expect(second.some(({ row }) => seen.has(row.id))).toBe(false);
    expect(second).toHaveLength(34);
  });

  test("the same store gives the same queue; an empty one gives none", async () => {
    await using store = await openTemporaryStore();
    expect(await buildReviewQueue({ store, task, limit: 3 })).toEqual([]);
    await doubtfulWorkspace(store);
    expect(await buildReviewQueue({ store, task, limit: 9 })).toEqual(
      await buildReviewQueue({ store, task, limit: 9 }),
    );
  });

  test("the uniform share cannot be turned off", async () => {
    await using store = await openTemporaryStore();
    const refused = { code: "invalid_review_queue" };
    await expect(buildReviewQueue({ store, task, limit: 9, auditShare: 0 })).rejects.toMatchObject(refused);
    await expect(buildReviewQueue({ store, task, limit: 0 })).rejects.toMatchObject(refused);
  });
});

describe("interleave", () => {
  const suspect = (index: number): SuspectItem => ({
    kind: "suspect",
    row: textRow(`row ${index}`),
    priority: 1 - index / 1000,
    reasons: ["split"],
    votes: [],
  });

  test("every first part holds its share of audits, no row twice, in falling priority, as long as the limit", () => {
    const counts = fc.record({
      suspects: fc.nat(40),
      audits: fc.nat(40),
      overlap: fc.nat(10),
      limit: fc.integer({ min: 1, max: 60 }),
      auditShare: fc.double({ min: 0.1, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(counts, ({ suspects, audits, overlap, limit, auditShare }) => {
        const doubted = Array.from({ length: suspects }, (_, index) => suspect(index));
        const first = Math.max(0, suspects - overlap);
        const drawn = Array.from({ length: audits }, (_, index) => textRow(`row ${first + index}`));
        const items = interleave(doubted, drawn, { limit, auditShare });
        const ids = items.map(({ row }) => row.id);
        expect(new Set(ids).size).toBe(ids.length);
        const everyRow = new Set([...doubted.map(({ row }) => row.id), ...drawn.map(({ id }) => id)]);
        expect(items).toHaveLength(Math.min(limit, everyRow.size));
        const drawable = items.filter(({ kind }) => kind === "audit").length;
        expect(drawable).toBeGreaterThanOrEqual(
          Math.min(audits, Math.ceil(Math.min(limit, everyRow.size) * auditShare)),
        );
        let audited = 0;
        for (const [index, item] of items.entries()) {
          if (item.kind === "audit") audited++;
          expect(audited).toBeGreaterThanOrEqual(Math.min(drawable, Math.ceil((index + 1) * auditShare)));
          expect(item.priority).toBeLessThanOrEqual(items[index - 1]?.priority ?? 1);
        }
      }),
      { numRuns: 200 },
    );
  });
});
