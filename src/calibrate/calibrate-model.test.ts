import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Clock } from "../contracts.ts";
import { judgeOnHoldout } from "../improve/holdout.ts";
import { createRng } from "../math/random.ts";
import {
  type Annotation,
  type LabelValue,
  type ModelCard,
  modelId,
  type Prediction,
  type Row,
  rowId,
} from "../records.ts";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { hex, sampleAnnotation, sampleRow } from "../store/testing/samples.ts";
import { auditPosition, defineTask, promptVersion, splitOf, type TaskDefinition } from "../task.ts";
import { calibrateModel } from "./calibrate-model.ts";
import { calibrateRow } from "./calibrator.ts";

const classes = ["apple", "pear", "plum"];
const define = (changes: Partial<TaskDefinition> = {}) =>
  defineTask({
    name: "fruit",
    input: "image",
    instructions: "Which?",
    output: { kind: "choice", choices: classes },
    teacher: { model: "google/gemini-2.5-flash" },
    ...changes,
  });
const task = define();
const version = promptVersion(task);
const clock: Clock = { now: () => 1_700_000_000_000, sleep: async () => {} };
const model = modelId(hex("model"));

async function openStore(): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-calibrate-"));
  const store = await openSqliteStore({ directory });
  onTestFinished(async () => {
    await store[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
  return store;
}

const card = (id = model): ModelCard => ({
  id,
  trainer: "mobilenet-v3-small",
  inputKind: "image",
  classes,
  parameters: 1,
  sizeBytes: 1,
  seed: "1",
  dataHash: hex("data"),
  trainingRows: 1,
  options: {},
  history: [],
  codeVersion: "0.1.0",
  createdAt: 1,
  trainingMs: 1,
});

const ruling = (row: Row, value: LabelValue): Annotation => ({
  id: hex(`${row.id} ruling`),
  rowId: row.id,
  at: 5,
  annotator: "person",
  person: "anna",
  value,
});

type World = {
  readonly rows: readonly Row[];
  readonly truth: ReadonlyMap<Row, LabelValue>;
};

/** `n` uniform rows with a student that errs where it is unsure, and a teacher wrong on `teacherErrs` of them. */
async function fill(
  store: Store,
  {
    n,
    teacherErrs,
    novelty,
    members,
    skill = 3,
  }: { n: number; teacherErrs: number; novelty?: (index: number) => number; members?: number; skill?: number },
): Promise<World> {
  const rng = createRng(`world/${n}`);
  const truth = new Map<Row, LabelValue>();
  const [annotations, predictions]: [Annotation[], Prediction[]] = [[], []];
  for (let index = 0; index < n; index++) {
    const id = rowId(hex(`row ${index}`));
    const row = sampleRow(`row ${index}`, { id, split: splitOf(id, task.splits) });
    const right = rng.integer(3);
    truth.set(row, classes[right]!);
    const said = rng.next() < teacherErrs ? (right + 1) % 3 : right;
    annotations.push(sampleAnnotation(row, 1, { promptVersion: version, value: classes[said]! }));
    const logits = Float32Array.from(classes, (_, c) => 2 * (rng.normal() + (c === right ? skill : 0)));
    predictions.push({
      modelId: model,
      rowId: id,
      basis: "held-out",
      logits,
      ...(novelty && { novelty: novelty(index) }),
    });
  }
  await store.rows.put([...truth.keys()]);
  await store.annotations.put(annotations);
  await store.models.put({ ...card(), ...(members && { members }) });
  await store.predictions.put(predictions);
  return { rows: [...truth.keys()], truth };
}

const run = (store: Store, changes: Partial<Parameters<typeof calibrateModel>[0]> = {}) =>
  calibrateModel({ store, task, modelId: model, clock, seed: 1, spending: "each", ...changes });

describe("calibrateModel", () => {
  test("certifies against the teacher, writes the policy, and its counts are those of the certify rows", async () => {
    const store = await openStore();
    const { rows } = await fill(store, { n: 1200, teacherErrs: 0 });
    const policy = await run(store);
    const held = rows.filter((row) => row.split === "certify").length;
    expect(policy.certificate).toMatchObject({
      target: task.target,
      deltaSpent: 0.1,
      reference: "teacher",
      n: held,
      modelId: model,
      promptVersion: version,
    });
    expect(policy.certificate!.bound).toBeLessThan(0.03);
    expect(policy.coverage.value).toBeCloseTo(policy.certificate!.accepted / held, 12);
    expect(policy.coverage.value).toBeGreaterThan(0.7);
    expect(policy.threshold).toBeGreaterThan(0);
    expect(policy.warnings).toEqual([]);
    expect(await store.policies.get(policy.id)).toEqual(policy);
  });

  test("run twice, it is the same policy, and δ is spent once; other evidence costs again, and less is left", async () => {
    const store = await openStore();
    const { rows, truth } = await fill(store, { n: 1200, teacherErrs: 0 });
    const first = await run(store, { spending: "ever" });
    expect(await run(store, { spending: "ever", seed: 2 })).toEqual(first);
    expect(first.certificate!.deltaSpent).toBeCloseTo(0.1 / 3, 12);
    const conflict = rows.find((row) => row.split === "certify")!;
    const other = classes.find((value) => value !== truth.get(conflict))!;
    await store.annotations.put(
      [2, 3].map((pass) => sampleAnnotation(conflict, pass, { promptVersion: version, value: other })),
    );
    const second = await run(store, { spending: "ever" });
    expect(second.id).not.toBe(first.id);
    expect(second.certificate!.deltaSpent).toBeCloseTo(0.1 / 6, 12);
  });

  test("after an alarm only newer rows certify", async () => {
    const store = await openStore();
    const { rows } = await fill(store, { n: 1200, teacherErrs: 0 });
    const policy = await run(store);
    const [{ createdAt } = { createdAt: 0 }] = rows;
    await store.policies.void(policy.id, "the world has moved", createdAt);
    expect(await run(store)).toEqual(policy);
    const other = await openStore();
    await fill(other, { n: 1200, teacherErrs: 0 });
    await other.policies.put(policy);
    await other.policies.void(policy.id, "the world has moved", createdAt + 1);
    expect((await run(other)).noCertificate).toMatchObject({ moreRowsNeeded: 200 });
  });

  test("too few rows: no threshold, the number missing, no δ spent, nothing thrown", async () => {
    const store = await openStore();
    const { rows } = await fill(store, { n: 80, teacherErrs: 0 });
    const held = rows.filter((row) => row.split === "certify").length;
    const policy = await run(store);
    expect(policy.threshold).toBeUndefined();
    expect(policy.noCertificate).toEqual({ reason: expect.stringContaining("needs 200"), moreRowsNeeded: 200 - held });
    expect(policy.coverage).toMatchObject({ value: 0, n: held });
    expect(policy.selectiveRisk.n).toBe(0);
    expect(policy.warnings[0]).toMatch(/only \d+ calibrate rows have a label/);
  });

  test("an empty workspace has a policy that answers nothing", async () => {
    const store = await openStore();
    await store.models.put(card());
    const policy = await run(store);
    expect(policy.coverage.n).toBe(0);
    expect(policy.noCertificate).toMatchObject({ moreRowsNeeded: 200 });
  });

  test("answers of another prompt version are not this teacher's", async () => {
    const store = await openStore();
    await fill(store, { n: 1000, teacherErrs: 0 });
    const policy = await run(store, { task: define({ instructions: "Which fruit?" }) });
    expect(policy.noCertificate?.reason).toMatch(/^0 certify rows/);
  });

  test("rows that are not uniform, or that trained the model, certify nothing", async () => {
    const store = await openStore();
    await fill(store, { n: 1200, teacherErrs: 0 });
    const before = await run(store);
    const extra = sampleRow("escalated", { uniform: false, split: "certify" });
    const fitted = sampleRow("fitted", { split: "certify" });
    await store.rows.put([extra, fitted]);
    await store.annotations.put([extra, fitted].map((row) => sampleAnnotation(row, 1, { promptVersion: version })));
    const logits = Float32Array.of(9, 0, 0);
    await store.predictions.put([
      { modelId: model, rowId: extra.id, basis: "held-out", logits },
      { modelId: model, rowId: fitted.id, basis: "fitted", logits },
    ]);
    expect((await run(store)).id).toBe(before.id);
  });

  test("the truth is bounded by what people say of the teacher, on rows in audit order alone", async () => {
    const store = await openStore();
    const { rows, truth } = await fill(store, { n: 1200, teacherErrs: 0.05 });
    const ordered = rows
      .filter((row) => row.split === "certify")
      .toSorted((a, b) => auditPosition(a.id) - auditPosition(b.id));
    // 150 in order, and some that were picked from the end because they looked wrong.
    const ruled = [...ordered.slice(0, 150), ...ordered.slice(-20)];
    await store.annotations.put(ruled.map((row) => ruling(row, truth.get(row)!)));
    const { certificate, truth: bound } = await run(store, {
      task: define({ target: { kind: "regret", risk: 0.08 } }),
    });
    expect(bound).toMatchObject({ rulings: 150 });
    expect(bound!.bound).toBeGreaterThan(certificate!.bound + bound!.teacherErrors / 150);
    expect(bound!.delta).toBeCloseTo(0.15, 12);
  });

  test("against people, only the uniform sample of rulings counts", async () => {
    const store = await openStore();
    const { rows, truth } = await fill(store, { n: 1200, teacherErrs: 0.05 });
    const held = rows.filter((row) => row.split !== "train");
    await store.annotations.put(held.map((row) => ruling(row, truth.get(row)!)));
    const people = define({ reference: "person" });
    const policy = await run(store, { task: people });
    expect(policy.certificate).toMatchObject({
      reference: "person",
      n: rows.filter((row) => row.split === "certify").length,
    });
    expect(policy.truth).toBeUndefined();
    expect((await run(store)).certificate).not.toEqual(policy.certificate);
  });

  test("a teacher that gave no valid answer, and rows without prediction, are told of", async () => {
    const store = await openStore();
    await fill(store, { n: 1200, teacherErrs: 0 });
    const [silent, late] = [sampleRow("silent", { split: "certify" }), sampleRow("late", { split: "certify" })];
    // Nobody has spoken of the third: there is nothing to predict it for.
    await store.rows.put([silent, late, sampleRow("unlabelled", { split: "certify" })]);
    await store.annotations.put([sampleAnnotation(late, 1, { promptVersion: version })]);
    const { value: _, ...unanswered } = sampleAnnotation(silent, 1, { promptVersion: version });
    await store.annotations.put([{ ...unanswered, failure: { code: "teacher_off_schema", message: "no" } }]);
    await store.predictions.put([
      { modelId: model, rowId: silent.id, basis: "held-out", logits: Float32Array.of(1, 0, 0) },
    ]);
    const { warnings } = await run(store);
    expect(warnings).toEqual([
      expect.stringMatching(/^1 held-out rows have no prediction/),
      expect.stringMatching(/^on 1 certify rows the teacher gave no valid answer/),
    ]);
  });

  test("selective targets certify through the grid of the calibrate rows", async () => {
    const store = await openStore();
    await fill(store, { n: 1200, teacherErrs: 0 });
    const policy = await run(store, { task: define({ target: { kind: "selective", risk: 0.05 } }) });
    expect(policy.certificate).toMatchObject({ target: { kind: "selective" }, bound: 0.05 });
    expect(policy.selectiveRisk.value).toBeLessThan(0.05);
  });

  test("rows beyond the limit of novelty count as not answered, and the limit is the policy's", async () => {
    const store = await openStore();
    const { rows } = await fill(store, { n: 1200, teacherErrs: 0, novelty: (index) => (index * 7919) % 1009 });
    const policy = await run(store);
    const calibrate = rows.filter((row) => row.split === "calibrate").length;
    const predictions = await Array.fromAsync(store.predictions.ofModel(model, "held-out"));
    const beyond = (split: Row["split"]) =>
      predictions.filter(({ rowId, novelty, logits }) => {
        const { confidence } = calibrateRow(policy.calibrator, logits);
        const isOfSplit = rows.some((row) => row.id === rowId && row.split === split);
        return isOfSplit && confidence >= policy.threshold! && novelty! > policy.novelty!.limit;
      }).length;
    expect(policy.novelty!.share).toBe(0.02);
    expect(beyond("calibrate")).toBeLessThanOrEqual(0.02 * (calibrate + 1));
    expect(beyond("certify")).toBeGreaterThan(0);
    const [judged] = await judgeOnHoldout([{ card: card(), policy, isVoid: false }], { store, task });
    expect(judged!.answers.reduce((sum, one) => sum + one, 0)).toBe(policy.certificate!.accepted);
    const off = await run(store, { task: define({ outOfScope: { share: 0 } }) });
    expect(off.novelty).toBeUndefined();
    expect(off.id).not.toBe(policy.id);
    expect(off.certificate!.bound).toBe(policy.certificate!.bound);
  });

  test("rows right but unfamiliar are no sign that confidence is upside down", async () => {
    const store = await openStore();
    const { rows, truth } = await fill(store, { n: 1200, teacherErrs: 0.01 });
    const rightOf = new Map(rows.map((row) => [row.id, classes.indexOf(truth.get(row)!)]));
    const predictions = await Array.fromAsync(store.predictions.ofModel(model));
    const isRight = ({ rowId, logits }: Prediction) => logits.indexOf(Math.max(...logits)) === rightOf.get(rowId);
    await store.predictions.put(predictions.map((one, index) => ({ ...one, novelty: isRight(one) ? index % 100 : 0 })));
    const loose = define({ target: { kind: "regret", risk: 0.2 } });
    const policy = await run(store, { task: loose });
    expect(policy.threshold).toBe(0);
    expect(policy.coverage.value).toBeLessThan(1);
  });

  test("a student that cannot say how novel an input is has no limit, and the policy that it always had", async () => {
    const store = await openStore();
    await fill(store, { n: 1200, teacherErrs: 0 });
    const policy = await run(store);
    expect(policy).not.toHaveProperty("novelty");
    expect((await run(store, { task: define({ outOfScope: { share: 0.3 } }) })).id).toBe(policy.id);
  });

  test("a committee that knows where the student errs is kept, and the certificate is about the rule with it", async () => {
    const store = await openStore();
    const { rows, truth } = await fill(store, { n: 3000, teacherErrs: 0, members: 5, skill: 2 });
    const rng = createRng("members");
    const rightOf = new Map(rows.map((row) => [row.id, classes.indexOf(truth.get(row)!)]));
    const isWrong = ({ rowId, logits }: Prediction) => logits.indexOf(Math.max(...logits)) !== rightOf.get(rowId);
    const predictions = await Array.fromAsync(store.predictions.ofModel(model));
    await store.predictions.put(
      predictions.map((one) => ({ ...one, dissent: rng.next() < (isWrong(one) ? 0.9 : 0.02) ? 3 : 0 })),
    );
    const folds = define({ student: { committee: "folds" }, target: { kind: "regret", risk: 0.05 } });
    const policy = await run(store, { task: folds });
    expect(policy.committee).toEqual({ kind: "folds", size: 5 });
    expect(policy.committeeTrial).toMatchObject({ kept: true, size: 5 });
    expect(policy.threshold).toBeGreaterThan(0);
    const [judged] = await judgeOnHoldout([{ card: card(), policy, isVoid: false }], { store, task });
    expect(judged!.answers.reduce((sum, one) => sum + one, 0)).toBe(policy.certificate!.accepted);
    const alone = await run(store, { task: define({ target: { kind: "regret", risk: 0.05 } }) });
    expect(alone).not.toHaveProperty("committee");
    expect(alone).not.toHaveProperty("committeeTrial");
    expect(policy.coverage.value).toBeGreaterThan(alone.coverage.value);
  });

  test("members that say what the student says change nothing of the policy but its name and the reason", async () => {
    const store = await openStore();
    await fill(store, { n: 1200, teacherErrs: 0.02, novelty: (index) => index % 50, members: 5 });
    const predictions = await Array.fromAsync(store.predictions.ofModel(model));
    await store.predictions.put(predictions.map((one) => ({ ...one, dissent: 0 })));
    const { id, ...alone } = await run(store);
    const {
      id: offered,
      committeeTrial,
      ...policy
    } = await run(store, { task: define({ student: { committee: "folds" } }) });
    expect(policy).toEqual(alone);
    expect(offered).not.toBe(id);
    expect(committeeTrial).toMatchObject({
      kept: false,
      comparison: { onlyCommitteeWrong: 0, onlyConfidenceWrong: 0, p: 1 },
    });
  });

  test("predecessors are the champions before it of the same classes, four at most, named by the policy", async () => {
    const store = await openStore();
    const { rows, truth } = await fill(store, { n: 3000, teacherErrs: 0 });
    const old = ["a", "b", "c", "d", "e", "other"].map((name) => modelId(hex(`old ${name}`)));
    for (const [version, id] of old.entries()) {
      const { classes: own } = card();
      await store.models.put({ ...card(id), classes: version === 5 ? own.toReversed() : own });
      const certified = await run(store);
      await store.policies.promote({ modelId: id, policyId: certified.id, at: version, reason: "" }, version);
    }
    const rng = createRng("predecessors");
    const members = old.slice(1, 5).toReversed();
    for (const id of members) {
      const said = rows.map((row): Prediction => {
        const right = classes.indexOf(truth.get(row)!);
        const logits = Float32Array.from(classes, (_, c) => rng.normal() + (c === right ? 6 : 0));
        return { modelId: id, rowId: row.id, basis: "held-out", logits };
      });
      await store.predictions.put(said);
    }
    const policy = await run(store, {
      task: define({ student: { committee: "predecessors" }, target: { kind: "regret", risk: 0.02 } }),
    });
    expect(policy.committee).toEqual({ kind: "predecessors", size: 4, members });
    const [judged] = await judgeOnHoldout([{ card: card(), policy, isVoid: false }], { store, task });
    expect(judged!.answers.reduce((sum, one) => sum + one, 0)).toBe(policy.certificate!.accepted);
  });

  test("a student without members is certified by its confidence, and the policy says why", async () => {
    const store = await openStore();
    await fill(store, { n: 1200, teacherErrs: 0 });
    const policy = await run(store, { task: define({ student: { committee: "folds" } }) });
    expect(policy.committee).toBeUndefined();
    expect(policy.committeeTrial?.why).toContain("this student has no members");
    expect(policy.threshold).toBe((await run(store)).threshold);
  });

  test("too few rows to place the limit are told of", async () => {
    const store = await openStore();
    await fill(store, { n: 200, teacherErrs: 0, novelty: () => 0 });
    const { warnings } = await run(store);
    expect(warnings.at(-1)).toMatch(/^only \d+ calibrate rows have a label: what is unlike .*\(49 would do\)$/);
  });

  test("unknown models and models without predictions are errors that say what to do", async () => {
    const store = await openStore();
    await expect(run(store)).rejects.toMatchObject({ code: "model_unknown", hint: expect.stringContaining("train") });
    await store.models.put(card());
    await store.rows.put([sampleRow("a", { split: "certify" })]);
    await expect(run(store)).rejects.toMatchObject({ code: "predictions_missing" });
  });

  test("stops when told to", async () => {
    const store = await openStore();
    await fill(store, { n: 100, teacherErrs: 0 });
    await expect(run(store, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});
