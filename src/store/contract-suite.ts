/**
 * @file The test suite that every store must pass; exported so that a store from elsewhere can be held to it as well.
 */

import { describe, expect, test } from "vitest";
import {
  type Annotation,
  blobId,
  type Decision,
  type Label,
  type ModelCard,
  modelId,
  type PersonAnnotation,
  type Policy,
  type Prediction,
  policyId,
  type Round,
  type Row,
  type RowId,
  rowId,
  type Split,
} from "../records.ts";
import type { Store } from "./contract.ts";
import { hex, sampleAnnotation, sampleDecision, sampleRow } from "./testing/samples.ts";

const sorted = <T extends { readonly id: string }>(items: readonly T[]): T[] =>
  items.toSorted((a, b) => (a.id < b.id ? -1 : 1));

const ruling = (row: Row, value: string): PersonAnnotation => ({
  id: hex(`${row.id} anna ${value}`),
  rowId: row.id,
  at: 1_700_000_001_000,
  annotator: "person",
  person: "anna",
  value,
  note: "leaf visible",
});

const card = (name: string, createdAt = 1): ModelCard => ({
  id: modelId(hex(name)),
  trainer: "mobilenet-v3-small",
  inputKind: "image",
  classes: ["apple", "pear"],
  parameters: 1_000,
  sizeBytes: 4_000,
  seed: "1",
  dataHash: hex("data"),
  trainingRows: 10,
  options: { epochs: 3 },
  history: [{ epoch: 1, loss: 0.5, accuracy: 0.8 }],
  codeVersion: "0.1.0",
  createdAt,
  trainingMs: 1_000,
});

const certificate = {
  target: { kind: "regret", risk: 0.03, delta: 0.1 },
  deltaSpent: 0.05,
  reference: "teacher",
  bound: 0.02,
  n: 400,
  accepted: 300,
  errors: 2,
  dataHash: hex("certify"),
  modelId: modelId(hex("model")),
  promptVersion: "v1",
  issuedAt: 1,
} as const;

const policy = (name: string, changes: Partial<Policy> = {}): Policy => ({
  id: policyId(hex(name)),
  modelId: modelId(hex("model")),
  promptVersion: "v1",
  classes: ["apple", "pear"],
  calibrator: { kind: "temperature", temperature: 1.5 },
  target: { kind: "regret", risk: 0.03, delta: 0.1 },
  reference: "teacher",
  threshold: 0.8,
  coverage: { value: 0.7, low: 0.6, high: 0.8, n: 100 },
  selectiveRisk: { value: 0.02, low: 0.01, high: 0.05, n: 70 },
  warnings: [],
  createdAt: 1,
  ...changes,
});

const round = (number: number, changes: Partial<Round> = {}): Round => ({
  round: number,
  startedAt: 1,
  endedAt: 2,
  labels: 10,
  challenger: modelId(hex("model")),
  promoted: true,
  why: "better",
  escalated: { value: 0.3, low: 0.2, high: 0.4, n: 50 },
  accuracy: { value: 0.9, low: 0.8, high: 0.95, n: 50 },
  coverage: { value: 0.7, low: 0.6, high: 0.8, n: 50 },
  requests: 50,
  costUsd: 0.5,
  ...changes,
});

/** @param open opens a new, empty store */
export function describeStore(name: string, open: () => Promise<Store>): void {
  describe(`${name} store`, () => {
    describeRows(open);
    describeFiles(open);
    describeBlobs(open);
    describeGold(open);
    describeAnnotations(open);
    describeSpend(open);
    describeLabels(open);
    describeModels(open);
    describePolicies(open);
    describeDecisions(open);
    describeFields(open);
    describeClaims(open);
  });
}

type Open = () => Promise<Store>;

function describeRows(open: Open): void {
  describe("rows", () => {
    const apple = sampleRow("apple");
    const pear = sampleRow("pear", { split: "certify", origin: "traffic", uniform: false, propensity: 0.02 });
    const text = sampleRow("text", { input: { kind: "text", text: "käse ' \" \u0000 😀" }, split: "calibrate" });
    const record = sampleRow("record", { input: { kind: "record", fields: { a: 1.5, b: null, c: true, d: "x" } } });

    test("a written row is read back, whatever its input", async () => {
      await using store = await open();
      await store.rows.put([apple, pear, text, record]);
      for (const row of [apple, pear, text, record]) expect(await store.rows.get(row.id)).toEqual(row);
      expect(await store.rows.get(rowId(hex("unknown")))).toBeUndefined();
    });

    test("a known row keeps its first record and gains the source", async () => {
      await using store = await open();
      expect(await store.rows.put([apple, pear])).toEqual({ added: 2, duplicates: 0 });
      const again = { ...apple, source: "copy.png", createdAt: 5 };
      expect(await store.rows.put([again, again, sampleRow("fig")])).toEqual({ added: 1, duplicates: 2 });
      expect(await store.rows.get(apple.id)).toEqual(apple);
      expect(await store.rows.sources(apple.id)).toEqual(["apple.png", "copy.png"]);
      expect(await store.rows.bySource("copy.png")).toBe(apple.id);
      expect(await store.rows.bySource("nowhere.png")).toBeUndefined();
    });

    test("a source whose content changed, and changed back, names the row that it showed last", async () => {
      await using store = await open();
      const there = { source: "there.png" };
      for (const shown of [apple, pear, apple]) await store.rows.put([{ ...shown, ...there }]);
      expect(await store.rows.bySource("there.png")).toBe(apple.id);
      await store.rows.put([{ ...pear, ...there }]);
      expect(await store.rows.bySource("there.png")).toBe(pear.id);
    });

    test("lists in id order, by filter, over more than one page", async () => {
      await using store = await open();
      const rows = Array.from({ length: 2_345 }, (_, index) =>
        sampleRow(`row ${index}`, { split: (["train", "calibrate", "certify"] satisfies Split[])[index % 3]! }),
      );
      await store.rows.put([...rows, pear, text]);
      const certify = await Array.fromAsync(store.rows.list({ split: "certify", uniform: true }));
      expect(certify).toEqual(sorted(rows.filter((row) => row.split === "certify")));
      expect((await Array.fromAsync(store.rows.list())).map((row) => row.id)).toEqual(
        sorted([...rows, pear, text]).map((row) => row.id),
      );
      expect(await store.rows.count()).toBe(2_347);
      expect(await store.rows.count({ origin: "traffic", uniform: false })).toBe(1);
      expect(await store.rows.count({ kind: "text" })).toBe(1);
    });

    test("gets many in id order, leaving out the unknown and the repeated", async () => {
      await using store = await open();
      const rows = Array.from({ length: 1_200 }, (_, index) => sampleRow(`row ${index}`));
      await store.rows.put(rows);
      const ids = [...rows, ...rows.slice(0, 5)].map((row) => row.id);
      expect(await store.rows.getMany([rowId(hex("unknown")), ...ids])).toEqual(sorted(rows));
      expect(await store.rows.getMany([])).toEqual([]);
    });

    test("the last word on a rejected source counts, until it becomes a row", async () => {
      await using store = await open();
      const rejection = { source: "apple.png", code: "image_empty", message: "empty", at: 1 };
      const later = { ...rejection, code: "image_truncated", at: 2 };
      const other = { ...rejection, source: "b.png" };
      await store.rows.reject([rejection, other, later]);
      expect(await store.rows.rejections()).toEqual([later, other]);
      await store.rows.put([apple]);
      expect(await store.rows.rejections()).toEqual([other]);
    });

    test("an empty write is no error", async () => {
      await using store = await open();
      expect(await store.rows.put([])).toEqual({ added: 0, duplicates: 0 });
      await store.rows.reject([]);
      await store.annotations.put([]);
      await store.labels.put([]);
      await store.decisions.put([]);
      await store.predictions.put([]);
      await store.gold.put([]);
      await store.files.put([]);
    });
  });
}

function describeFiles(open: Open): void {
  test("files are found by path and by name, and the last word on a path counts", async () => {
    await using store = await open();
    const file = { path: "/a/x.png", rowId: rowId(hex("x")), sizeBytes: 10, modifiedMs: 1_700_000_000_000.25 };
    const twin = { ...file, path: "/b/x.png" };
    await store.files.put([{ ...file, sizeBytes: 9 }, twin]);
    await store.files.put([file]);
    expect(await store.files.getMany(["/a/x.png", "/c/x.png"])).toEqual([file]);
    expect((await store.files.named(["x.png", "y.png"])).map(({ path }) => path).toSorted()).toEqual([
      "/a/x.png",
      "/b/x.png",
    ]);
  });
}

function describeBlobs(open: Open): void {
  describe("blobs", () => {
    test("bytes come back under the hash of their content, however often they are put", async () => {
      await using store = await open();
      const bytes = new TextEncoder().encode("payload");
      const ids = await Promise.all([store.blobs.put(bytes), store.blobs.put(bytes), store.blobs.put(bytes)]);
      expect(new Set(ids)).toEqual(new Set([hex("payload")]));
      expect(new Uint8Array(await store.blobs.get(ids[0]!))).toEqual(bytes);
    });

    test("an unknown blob is reported as missing", async () => {
      await using store = await open();
      await expect(store.blobs.get(blobId(hex("nothing")))).rejects.toMatchObject({ code: "blob_missing" });
    });
  });
}

function describeGold(open: Open): void {
  test("gold is read back whole; the last word on a row counts", async () => {
    await using store = await open();
    const [a, b] = [rowId(hex("a")), rowId(hex("b"))];
    await store.gold.put([
      { rowId: a, value: "apple" },
      { rowId: b, value: "pear" },
    ]);
    await store.gold.put([{ rowId: a, value: "pear" }]);
    expect([...(await store.gold.all())]).toEqual(
      [
        [a, "pear"],
        [b, "pear"],
      ].toSorted((left, right) => (left[0]! < right[0]! ? -1 : 1)),
    );
    await store.gold.put([{ rowId: b, value: "plum" }], [a]);
    expect([...(await store.gold.all())]).toEqual([[b, "plum"]]);
  });
}

function describeAnnotations(open: Open): void {
  describe("annotations", () => {
    const rows = sorted(Array.from({ length: 6 }, (_, index) => sampleRow(`row ${index}`)));
    const [a, b, c, d, e, f] = rows as [Row, Row, Row, Row, Row, Row];
    const ids = (found: readonly Row[]): readonly RowId[] => found.map((row) => row.id);

    test("annotations are read back in order of time and never overwritten", async () => {
      await using store = await open();
      const first = sampleAnnotation(a, 1, { probabilities: { apple: 0.75, pear: 0.25 } });
      const { value: _, ...unanswered } = sampleAnnotation(a, 2);
      const failed: Annotation = { ...unanswered, failure: { code: "teacher_off_schema", message: "banana" } };
      await store.annotations.put([ruling(a, "pear"), failed, first]);
      await store.annotations.put([{ ...first, value: "pear" }]);
      expect(await store.annotations.ofRow(a.id)).toEqual([first, failed, ruling(a, "pear")]);
      expect(await store.annotations.ofRow(b.id)).toEqual([]);
    });

    test("lists by row, by annotator, by pass and by prompt version", async () => {
      await using store = await open();
      const other = sampleAnnotation(b, 1, { promptVersion: "v2" });
      await store.annotations.put([other, ruling(c, "pear"), sampleAnnotation(a, 2), sampleAnnotation(a, 1)]);
      expect(await Array.fromAsync(store.annotations.byRow())).toEqual([
        { rowId: a.id, annotations: [sampleAnnotation(a, 1), sampleAnnotation(a, 2)] },
        { rowId: b.id, annotations: [other] },
        { rowId: c.id, annotations: [ruling(c, "pear")] },
      ]);
      expect(await Array.fromAsync(store.annotations.people())).toEqual([ruling(c, "pear")]);
      expect(await Array.fromAsync(store.annotations.teacher())).toHaveLength(3);
      expect(await Array.fromAsync(store.annotations.teacher({ pass: 1, promptVersion: "v1" }))).toEqual([
        sampleAnnotation(a, 1),
      ]);
    });

    test("groups of annotations stay whole across pages", async () => {
      await using store = await open();
      const many = Array.from({ length: 500 }, (_, index) => sampleRow(`many ${index}`));
      await store.annotations.put(many.flatMap((row) => [1, 2, 3].map((pass) => sampleAnnotation(row, pass))));
      const groups = await Array.fromAsync(store.annotations.byRow());
      expect(groups.map(({ rowId }) => rowId)).toEqual(ids(sorted(many)));
      expect(new Set(groups.map(({ annotations }) => annotations.length))).toEqual(new Set([3]));
    });

    test("names the rows that lack a pass; a recorded failure counts as done, another prompt version does not", async () => {
      await using store = await open();
      await store.rows.put([...rows, sampleRow("asked", { origin: "traffic" })]);
      const { value: _, ...unanswered } = sampleAnnotation(b, 1);
      await store.annotations.put([
        sampleAnnotation(a, 1),
        { ...unanswered, failure: { code: "teacher_refused", message: "no" } },
        sampleAnnotation(c, 2),
        sampleAnnotation(d, 1, { promptVersion: "v0" }),
        ruling(e, "pear"),
      ]);
      const query = { pass: 1, promptVersion: "v1", limit: 10, origin: "ingest" } as const;
      expect(ids(await store.annotations.missingPass(query))).toEqual(ids([c, d, e, f]));
      expect(ids(await store.annotations.missingPass({ ...query, limit: 2 }))).toEqual(ids([c, d]));
      expect(ids(await store.annotations.missingPass({ ...query, after: d.id }))).toEqual(ids([e, f]));
    });

    test("names the rows whose two passes differ and that nobody has adjudicated", async () => {
      await using store = await open();
      await store.rows.put(rows);
      const { value: _, ...unanswered } = sampleAnnotation(d, 2);
      const pear = { value: "pear" };
      await store.annotations.put([
        ...rows.map((row) => sampleAnnotation(row, 1)),
        sampleAnnotation(a, 2, pear),
        sampleAnnotation(b, 2),
        ...[sampleAnnotation(c, 2, pear), sampleAnnotation(c, 3)],
        { ...unanswered, failure: { code: "teacher_refused", message: "no" } },
        sampleAnnotation(e, 2, { ...pear, promptVersion: "v2" }),
        sampleAnnotation(f, 2, pear),
      ]);
      const query = { promptVersion: "v1", limit: 10 };
      expect(ids(await store.annotations.disagreements(query))).toEqual(ids([a, f]));
      expect(ids(await store.annotations.disagreements({ ...query, after: a.id }))).toEqual(ids([f]));
    });
  });
}

function describeSpend(open: Open): void {
  describe("spend", () => {
    test("what is in flight counts against the budget, to the last cent", async () => {
      await using store = await open();
      const ask = (id: string) => store.spend.reserve({ id, maxCostUsd: 0.1, budgetUsd: 0.3, at: 1 });
      expect([await ask("a"), await ask("b"), await ask("c"), await ask("d")]).toEqual([true, true, true, false]);
      await store.spend.settle("a", 0, 2);
      expect([await ask("d"), await ask("e")]).toEqual([true, false]);
      // `neededUsd` stays: what the last question needed that found no room.
      expect(await store.spend.totals()).toEqual({ spentUsd: 0, reservedUsd: 0.3, inFlight: 3, neededUsd: 0.1 });
    });

    test("reserving a known id again renews it and does not count twice", async () => {
      await using store = await open();
      await store.spend.reserve({ id: "a", maxCostUsd: 0.2, at: 1 });
      expect(await store.spend.reserve({ id: "a", maxCostUsd: 0.3, budgetUsd: 0.3, at: 2 })).toBe(true);
      expect(await store.spend.totals()).toEqual({ spentUsd: 0, reservedUsd: 0.3, inFlight: 1 });
      expect(await store.spend.open()).toEqual([{ id: "a", maxCostUsd: 0.3, at: 2 }]);
    });

    test("charges add up over attempts", async () => {
      await using store = await open();
      for (const cost of [0.1, 0.2]) {
        await store.spend.reserve({ id: "a", maxCostUsd: 0.5, at: 1 });
        await store.spend.settle("a", cost, 2);
      }
      expect(await store.spend.totals()).toEqual({ spentUsd: 0.3, reservedUsd: 0, inFlight: 0 });
      expect(await store.spend.open()).toEqual([]);
    });

    test("an annotation settles the reservation of its id, once", async () => {
      await using store = await open();
      const annotation = sampleAnnotation(sampleRow("a"), 1, { costUsd: 0.02 });
      await store.spend.reserve({ id: annotation.id, maxCostUsd: 0.05, at: 1 });
      await store.annotations.put([annotation]);
      await store.annotations.put([annotation]);
      expect(await store.spend.totals()).toEqual({ spentUsd: 0.02, reservedUsd: 0, inFlight: 0 });
    });

    test("an answer that two processes asked for at once is charged twice, and leaves no reservation", async () => {
      await using store = await open();
      const annotation = sampleAnnotation(sampleRow("a"), 1, { costUsd: 0.02 });
      for (let process = 0; process < 2; process++) {
        await store.spend.reserve({ id: annotation.id, maxCostUsd: 0.05, at: 1 });
        await store.annotations.put([annotation]);
      }
      expect(await store.spend.totals()).toEqual({ spentUsd: 0.04, reservedUsd: 0, inFlight: 0 });
    });

    test("a thousand concurrent reservations never exceed the budget", async () => {
      await using store = await open();
      const asked = Array.from({ length: 1_000 }, (_, index) =>
        store.spend.reserve({ id: `${index}`, maxCostUsd: 0.01, budgetUsd: 4, at: 1 }),
      );
      expect((await Promise.all(asked)).filter((granted) => granted)).toHaveLength(400);
    });
  });
}

function describeLabels(open: Open): void {
  test("labels are put, replaced, withdrawn, counted and listed with their rows", async () => {
    await using store = await open();
    const rows = sorted([sampleRow("a"), sampleRow("b", { split: "certify" }), sampleRow("c")]);
    await store.rows.put(rows);
    const labels = rows.map(
      (row): Label => ({
        rowId: row.id,
        value: "apple",
        weight: 1,
        basis: "agreed",
        distribution: { apple: 1 },
        at: 1,
      }),
    );
    await store.labels.put(labels);
    const replaced: Label = { rowId: rows[0]!.id, value: "pear", weight: 0.3, basis: "split", at: 2 };
    await store.labels.put([replaced], [rows[2]!.id]);
    expect(await store.labels.get(rows[0]!.id)).toEqual(replaced);
    expect(await store.labels.get(rows[2]!.id)).toBeUndefined();
    expect(await Array.fromAsync(store.labels.list())).toEqual([
      { row: rows[0], label: replaced },
      { row: rows[1], label: labels[1] },
    ]);
    expect([await store.labels.count(), await store.labels.count({ split: "certify" })]).toEqual([
      2,
      rows[1]!.split === "certify" ? 1 : 0,
    ]);
    const bySplit = { train: 0, calibrate: 0, certify: 0 };
    for await (const { row } of store.labels.list()) bySplit[row.split]++;
    expect(await store.labels.countBySplit()).toEqual(bySplit);
    const byValue = Map.groupBy(await Array.fromAsync(store.labels.list()), ({ label }) => label.value);
    expect(new Map(await store.labels.countByValue())).toEqual(
      new Map([...byValue].map(([value, { length }]) => [value, length])),
    );
  });
}

function describeModels(open: Open): void {
  test("model cards are kept as first written and listed newest first", async () => {
    await using store = await open();
    await store.models.put(card("old", 1));
    await store.models.put(card("new", 2));
    await store.models.put({ ...card("old", 1), trainer: "other" });
    expect(await store.models.get(modelId(hex("old")))).toEqual(card("old", 1));
    expect(await store.models.list()).toEqual([card("new", 2), card("old", 1)]);
    expect(store.models.folder(modelId(hex("old")))).toContain(hex("old"));
  });

  test("predictions come back bit for bit, by model and basis, in row order", async () => {
    await using store = await open();
    const id = modelId(hex("model"));
    const predictions = sorted(Array.from({ length: 1_100 }, (_, index) => sampleRow(`${index}`))).map(
      (row, index): Prediction => ({
        modelId: id,
        rowId: row.id,
        basis: index % 2 ? "held-out" : "fitted",
        logits: Float32Array.of(index / 3, -0, Number.MIN_VALUE),
        ...(index % 3 > 0 && { novelty: Math.fround(index / 7) }),
        ...(index % 5 > 0 && { dissent: index % 5 }),
      }),
    );
    await store.predictions.put(predictions.toReversed());
    await store.predictions.put(predictions.slice(0, 3));
    expect(await Array.fromAsync(store.predictions.ofModel(id))).toEqual(predictions);
    expect(await Array.fromAsync(store.predictions.ofModel(id, "held-out"))).toHaveLength(550);
    expect(await Array.fromAsync(store.predictions.ofModel(modelId(hex("other"))))).toEqual([]);
    const again = { ...predictions[0]!, novelty: 0.5, dissent: 3 };
    await store.predictions.put([again]);
    expect(await Array.fromAsync(store.predictions.ofModel(id))).toEqual([again, ...predictions.slice(1)]);
  });
}

function describePolicies(open: Open): void {
  describe("policies", () => {
    test("policies are read back; those with a certificate are counted, once each", async () => {
      await using store = await open();
      const certified = policy("certified", { certificate, createdAt: 2 });
      for (const written of [policy("plain"), certified, certified]) await store.policies.put(written);
      expect(await store.policies.get(certified.id)).toEqual(certified);
      expect(await store.policies.ofModel(certified.modelId)).toEqual([certified, policy("plain")]);
      expect(await store.policies.certificatesIssued()).toBe(1);
    });

    test("promotion is a compare-and-set on the version", async () => {
      await using store = await open();
      const next = { modelId: modelId(hex("model")), policyId: policyId(hex("policy")), at: 1, reason: "first" };
      expect(await store.policies.champion()).toBeUndefined();
      expect(await store.policies.promote(next, 1)).toBe(false);
      expect(await store.policies.promote(next, 0)).toBe(true);
      expect(await store.policies.promote({ ...next, reason: "late" }, 0)).toBe(false);
      expect(await store.policies.promote({ ...next, reason: "second" }, 1)).toBe(true);
      expect(await store.policies.champion()).toEqual({ ...next, reason: "second", version: 2 });
      expect((await store.policies.history()).map(({ reason }) => reason)).toEqual(["second", "first"]);
    });

    test("of many promotions at once exactly one wins", async () => {
      await using store = await open();
      const next = { modelId: modelId(hex("model")), policyId: policyId(hex("policy")), at: 1, reason: "race" };
      const wins = await Promise.all(Array.from({ length: 50 }, () => store.policies.promote(next, 0)));
      expect(wins.filter((won) => won)).toHaveLength(1);
    });

    test("a voided policy stays voided for the first reason given", async () => {
      await using store = await open();
      const { id } = policy("plain");
      expect(await store.policies.voided(id)).toBeUndefined();
      await store.policies.void(id, "the monitor alarmed", 5);
      await store.policies.void(id, "again", 6);
      expect(await store.policies.voided(id)).toEqual({ why: "the monitor alarmed", at: 5 });
    });
  });
}

function describeDecisions(open: Open): void {
  test("decisions that come at once are all kept, whoever of them is at fault or comes twice", async () => {
    await using store = await open();
    const names = Array.from({ length: 600 }, (_, index) => `${index}`);
    const broken = { ...sampleDecision("broken"), rowId: undefined as unknown as Row["id"] };
    const put = async (one: Decision) => {
      await store.decisions.put([one]);
      return await store.decisions.get(one.id); // durable by now
    };
    const outcomes = await Promise.allSettled([
      ...names.map((name) => put(sampleDecision(name))),
      put(broken),
      put(sampleDecision("7", { value: "pear" })),
    ]);
    expect(outcomes.flatMap(({ status }, index) => (status === "rejected" ? [index] : []))).toEqual([600]);
    expect(await store.decisions.count()).toBe(600);
    expect((await store.decisions.get("7"))?.value).toBe("apple");
    expect(outcomes[42]).toMatchObject({ value: sampleDecision("42") });
  });

  test("decisions that a spent budget degraded are counted once each", async () => {
    await using store = await open();
    expect(await store.decisions.overBudget()).toBeUndefined();
    const degraded = (id: string, at: number) =>
      sampleDecision(id, { at, route: "degraded", degradedTo: "refuse", degradedFor: "budget_exhausted" });
    await store.decisions.put([degraded("b", 5), sampleDecision("c"), degraded("a", 3)]);
    await store.decisions.put([degraded("b", 9), sampleDecision("d", { degradedFor: "teacher_down" })]);
    expect(await store.decisions.overBudget()).toEqual({ requests: 2, firstAt: 3, lastAt: 5 });
    expect(await store.field("topic").decisions.overBudget()).toBeUndefined();
  });

  test("what a caller waits for the write is part of a decision's latency; of one that nobody waits for it is as given", async () => {
    await using store = await open();
    await store.decisions.put([sampleDecision("waited", { latencyMs: 5 })], 60_000);
    await store.decisions.put([sampleDecision("given", { latencyMs: 5 })]);
    expect((await store.decisions.get("waited"))?.latencyMs).toBeGreaterThan(5);
    expect(await store.decisions.get("given")).toEqual(sampleDecision("given", { latencyMs: 5 }));
  });

  test("decisions are listed in order of time, by filter, over more than one page", async () => {
    await using store = await open();
    const served = policyId(hex("policy"));
    const decisions = Array.from({ length: 2_100 }, (_, index) =>
      sampleDecision(`${index}`, {
        at: Math.floor(index / 7),
        uniform: index % 10 === 0,
        route: index % 2 ? "escalated" : "answered",
        ...(index % 3 ? {} : { policyId: served }),
      }),
    );
    await store.decisions.put(decisions);
    await store.decisions.put(decisions.slice(0, 10));
    const inTime = decisions.toSorted((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
    expect(await Array.fromAsync(store.decisions.list())).toEqual(inTime);
    const filter = { since: 100, uniform: true, route: "answered", policyId: served } as const;
    const wanted = inTime.filter(
      ({ at, uniform, route, policyId }) => at >= 100 && uniform && route === "answered" && policyId === served,
    );
    expect(await Array.fromAsync(store.decisions.list(filter))).toEqual(wanted);
    expect([await store.decisions.count(), await store.decisions.count(filter)]).toEqual([2_100, wanted.length]);
    expect(await store.decisions.get("7")).toEqual(decisions[7]);
    expect(await store.decisions.get("unknown")).toBeUndefined();
  });

  test("rounds are listed in order; writing one again replaces it", async () => {
    await using store = await open();
    for (const written of [round(2), round(1, { promoted: false }), round(1)]) await store.rounds.put(written);
    expect(await store.rounds.list()).toEqual([round(1), round(2)]);
  });
}

function describeFields(open: Open): void {
  describe("fields", () => {
    const row = sampleRow("a");
    const model = modelId(hex("model"));

    test("what one field writes no other sees, under the same ids", async () => {
      await using store = await open();
      await store.rows.put([row]);
      for (const [index, name] of ["", "topic", "urgent"].entries()) {
        const own = store.field(name);
        const value = `value ${index}`;
        await own.gold.put([{ rowId: row.id, value }]);
        await own.annotations.put([sampleAnnotation(row, 1, { value }), ruling(row, "pear")]);
        await own.labels.put([{ rowId: row.id, value, weight: 1, basis: "agreed", at: 1 }]);
        await own.models.put(card("model", index));
        await own.policies.put(policy("policy", { certificate, createdAt: index }));
        const next = { modelId: model, policyId: policyId(hex("policy")), at: index, reason: value };
        expect(await own.policies.promote(next, 0)).toBe(true);
        await own.decisions.put([sampleDecision("request", { value })]);
        await own.rounds.put(round(0, { why: value }));
      }
      await store.field("urgent").policies.void(policyId(hex("policy")), "alarm", 1);
      await store.field("urgent").labels.put([], [row.id]);
      for (const [index, name] of ["", "topic", "urgent"].entries()) {
        const own = store.field(name);
        const value = `value ${index}`;
        expect([...(await own.gold.all())]).toEqual([[row.id, value]]);
        expect(await own.annotations.ofRow(row.id)).toMatchObject([{ value }, { annotator: "person" }]);
        expect(await Array.fromAsync(own.annotations.byRow())).toHaveLength(1);
        expect(await Array.fromAsync(own.annotations.teacher({ pass: 1 }))).toMatchObject([{ value }]);
        expect(await Array.fromAsync(own.annotations.people())).toHaveLength(1);
        expect((await own.labels.get(row.id))?.value).toBe(name === "urgent" ? undefined : value);
        expect(await own.labels.count()).toBe(name === "urgent" ? 0 : 1);
        expect(await Array.fromAsync(own.labels.list())).toHaveLength(name === "urgent" ? 0 : 1);
        expect(await own.models.list()).toEqual([card("model", index)]);
        expect((await own.models.get(model))?.createdAt).toBe(index);
        expect(await own.policies.ofModel(model)).toMatchObject([{ createdAt: index }]);
        expect(await own.policies.certificatesIssued()).toBe(1);
        expect(await own.policies.champion()).toMatchObject({ version: 1, reason: value });
        expect((await own.policies.voided(policyId(hex("policy"))))?.why).toBe(name === "urgent" ? "alarm" : undefined);
        expect((await own.decisions.get("request"))?.value).toBe(value);
        expect(await Array.fromAsync(own.decisions.list())).toMatchObject([{ value }]);
        expect(await own.decisions.count()).toBe(1);
        expect(await own.rounds.list()).toMatchObject([{ why: value }]);
      }
    });

    test("rows and money are everybody's; passes are missing and disagree in each field for itself", async () => {
      await using store = await open();
      const [topic, urgent] = [store.field("topic"), store.field("urgent")];
      await topic.rows.put([row]);
      expect(await urgent.rows.get(row.id)).toEqual(row);
      await topic.annotations.put([sampleAnnotation(row, 1), sampleAnnotation(row, 2, { value: "pear" })]);
      const query = { promptVersion: "v1", limit: 9 };
      expect(await topic.annotations.missingPass({ ...query, pass: 1 })).toEqual([]);
      expect(await urgent.annotations.missingPass({ ...query, pass: 1 })).toEqual([row]);
      expect(await topic.annotations.disagreements(query)).toEqual([row]);
      expect(await urgent.annotations.disagreements(query)).toEqual([]);
      expect((await urgent.spend.totals()).spentUsd).toBe(0.002);
    });

    test("the answers to one request, each to its field, settle its one reservation", async () => {
      await using store = await open();
      const answers = ["topic", "urgent"].map((field) => sampleAnnotation(row, 1, { field, costUsd: 0.01 }));
      await store.spend.reserve({ id: answers[0]!.id, maxCostUsd: 0.05, at: 1 });
      await store.annotations.put(answers);
      await store.annotations.put(answers);
      expect(await store.spend.totals()).toEqual({ spentUsd: 0.02, reservedUsd: 0, inFlight: 0 });
      expect(await store.annotations.ofRow(row.id)).toEqual([]);
      expect(await store.field("topic").annotations.ofRow(row.id)).toEqual([answers[0]]);
      expect(await store.field("urgent").annotations.ofRow(row.id)).toEqual([answers[1]]);
    });

    test("the answers to one request that two processes asked at once are all charged twice", async () => {
      await using store = await open();
      const answers = ["topic", "urgent"].map((field) => sampleAnnotation(row, 1, { field, costUsd: 0.01 }));
      for (let process = 0; process < 2; process++) {
        await store.spend.reserve({ id: answers[0]!.id, maxCostUsd: 0.05, at: 1 });
        await store.annotations.put(answers);
      }
      expect(await store.spend.totals()).toEqual({ spentUsd: 0.04, reservedUsd: 0, inFlight: 0 });
    });
  });
}

function describeClaims(open: Open): void {
  test("work that is claimed cannot be claimed again until the claim is gone; other work can", async () => {
    await using store = await open();
    const refusal = expect.objectContaining({ code: "work_under_way" });
    {
      using _label = store.claim("label");
      expect(() => store.claim("label")).toThrow(refusal);
      expect(() => store.field("topic").claim("label")).toThrow(refusal);
      using _train = store.claim("train");
    }
    using _again = store.claim("label");
  });
}
