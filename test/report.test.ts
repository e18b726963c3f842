/** @file The report from a store: what it says at every stage of the wheel, and that it is written whole. */

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Clock, Student, StudentInput } from "../src/contracts.ts";
import { modelId, type RowId } from "../src/records.ts";
import { type CollectOptions, collectReport } from "../src/report/collect.ts";
import { renderPage } from "../src/report/page/page.ts";
import { isMissing, present, type ReportData } from "../src/report/report-data.ts";
import { Summary, summaryOf } from "../src/report/summary.ts";
import { headline } from "../src/report/wording.ts";
import { writeReport } from "../src/report/write-report.ts";
import type { Store } from "../src/store/contract.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { type FixtureOptions, fillWorkspace, fruitTask, START, stages } from "./support/report-fixture.ts";

const clock: Clock = { now: () => START + 10_000_000, sleep: async () => {} };
const task = fruitTask();
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-report-"));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

let opened = 0;
async function openWorkspace(options: Partial<FixtureOptions> = {}): Promise<Store> {
  const store = await openSqliteStore({ directory: join(root, `store-${++opened}`) });
  await fillWorkspace(store, { seed: 1, until: "served", rows: 600, ...options });
  return store;
}

const collect = (store: Store, options: Partial<CollectOptions> = {}): Promise<ReportData> =>
  collectReport({ store, task, clock, seed: "7", ...options });

describe("a wheel that has turned", () => {
  let store: Store;
  let data: ReportData;
  beforeAll(async () => {
    store = await openWorkspace();
    data = await collect(store);
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  test("every section is there", () => {
    const { labels, student, evaluation, calibration, policy, traffic, latency, cost } = data;
    for (const section of [labels, student, evaluation, calibration, policy, traffic, latency, cost]) {
      expect(isMissing(section)).toBe(false);
    }
  });

  test("the student is measured on uniform certify rows alone, against gold where there is gold", async () => {
    const evaluation = present(data.evaluation)!;
    const certify = await store.rows.count({ split: "certify", uniform: true });
    expect(evaluation).toMatchObject({ truth: "gold", n: certify, heldOut: certify });
    expect(evaluation.accuracies.map(({ truth }) => truth)).toEqual(["gold", "person", "teacher"]);
    expect(evaluation.confusion.flat().reduce((sum, n) => sum + n, 0)).toBe(certify);
    const right = evaluation.confusion.reduce((sum, row, index) => sum + row[index]!, 0);
    expect(evaluation.accuracy.value).toBeCloseTo(right / certify, 12);
  });

  test("what was asked since the last round is counted apart from what it learned from", async () => {
    const decisions = await Array.fromAsync(store.decisions.list());
    const rounds = await store.rounds.list();
    const since = (await collect(store)).sinceLastRound;
    expect(since.requests).toBe(decisions.filter(({ at }) => at >= rounds.at(-1)!.endedAt).length);
    const before = { ...store, rounds: { ...store.rounds, list: async () => [] } };
    const all = (await collect(before)).sinceLastRound;
    const teacherAsked = decisions.filter(({ route }) => route === "escalated" || route === "degraded").length;
    expect(all).toMatchObject({ requests: 1200, escalated: { value: teacherAsked / 1200, n: 1200 } });
  });

  test("accuracy is what counting predictions against gold by hand gives", async () => {
    const gold = await store.gold.all();
    const certify = new Set<RowId>();
    for await (const { id } of store.rows.list({ split: "certify" })) certify.add(id);
    const card = (await store.models.list())[0]!;
    let [right, n] = [0, 0];
    for await (const { rowId, logits } of store.predictions.ofModel(card.id)) {
      if (!certify.has(rowId)) continue;
      n++;
      if (card.classes[logits.indexOf(Math.max(...logits))] === gold.get(rowId)) right++;
    }
    expect(present(data.evaluation)!.accuracy).toMatchObject({ value: right / n, n });
  });

  test("thresholds are the seven customary ones and the one in force", () => {
    const policy = present(data.policy)!;
    const shown = policy.thresholds.map(({ threshold }) => threshold);
    expect(shown).toEqual([0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, policy.threshold!].toSorted((a, b) => a - b));
    const inForce = policy.thresholds.find(({ chosen }) => chosen)!;
    expect(inForce.threshold).toBe(policy.threshold);
    expect(inForce.answered).toBe(policy.certificate!.accepted);
    expect(present(policy.curve)!.chosen!.coverage).toBeCloseTo(policy.coverage.value, 12);
  });

  test("agreement is reported beside, never as, accuracy", () => {
    const labels = present(data.labels)!;
    expect(present(labels.agreement)!.observed.value).toBeGreaterThan(0.88);
    expect(present(labels.agreement)!.passesAlike).toBe(false);
    expect(present(labels.teacherAccuracy)).toMatchObject({ truth: "gold", selected: false });
    expect(labels.spend.spentUsd).toBeCloseTo(labels.spend.labellingUsd + 0.0064, 9);
  });

  test("the worst confusions come with pictures and the student's confidence, surest first", () => {
    const [worst] = present(data.evaluation)!.confusions;
    expect([worst!.truth, worst!.student].toSorted()).toEqual(["apple", "pear"]);
    const confidences = worst!.examples.map(({ confidence }) => confidence);
    expect(confidences).toEqual(confidences.toSorted((a, b) => b - a));
    expect(worst!.examples[0]!.shown).toMatchObject({ kind: "image" });
    const { shown } = worst!.examples[0]!;
    expect(shown.kind === "image" && shown.dataUri).toMatch(/^data:image\/jpeg;base64,/);
  });

  test("a picture that is lost is said to be lost", async () => {
    const damaged: Store = { ...store, blobs: { ...store.blobs, get: async () => new Uint8Array([1, 2, 3]) } };
    const [worst] = present((await collect(damaged)).evaluation)!.confusions;
    expect(worst!.examples[0]!.shown).toMatchObject({ kind: "text" });
  });

  test("the summary has the promised shape, through JSON too", () => {
    const summary = summaryOf(data);
    expect(Summary.parse(JSON.parse(JSON.stringify(summary)))).toEqual(summary);
    expect(Object.keys(summary)).toEqual([
      "task",
      "seed",
      "simulatedTeacher",
      "labels",
      "student",
      "policy",
      "thresholds",
      "latency",
      "cost",
      "rounds",
    ]);
    expect(summary).toMatchObject({
      task: "fruit",
      seed: "7",
      simulatedTeacher: true,
      student: {
        name: "mobilenet-v3-small",
        parameters: 1_522_981,
        bytes: 6_128_440,
        classes: [...(task.output.kind === "choice" ? task.output.choices.map(({ value }) => value) : [])],
      },
      policy: { certified: true, reference: "teacher", target: task.target },
    });
    expect(summary.thresholds).toHaveLength(8);
    expect(summary.rounds.map(({ promoted }) => promoted)).toEqual([true, true, true, false]);
    expect(Object.keys(summary.student!.accuracy)).toEqual(["value", "low", "high", "n"]);
  });

  test("one store, seed and clock make one page", async () => {
    expect(renderPage(await collect(store))).toBe(renderPage(data));
    expect(await collect(store, { seed: "8" })).not.toEqual(data);
  });

  test("a simulated teacher is said to be simulated, a real one is not", async () => {
    expect(renderPage(data)).toContain("<b>Simulated teacher.</b>");
    await using real = await openWorkspace({ simulated: false, rows: 300, until: "labelled" });
    const page = renderPage(await collect(real));
    expect(page).not.toContain("Simulated teacher");
    expect(page).not.toContain("(simulated)");
  });

  test("the page asks the network for nothing", () => {
    const page = renderPage(data);
    for (const [, url] of page.matchAll(/(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)/g))
      expect(url).toMatch(/^(data:|#)/);
    expect(page).toContain("default-src &#39;none&#39;");
  });

  test("latency is measured where a student is given", async () => {
    let nowMs = 0;
    // As students do whose novelty is asked for next: an input that they have heard costs nothing.
    const heard = new WeakSet<StudentInput>();
    const student: Student = {
      modelId: modelId("m"),
      classes: ["apple"],
      predictLogits: async (batch) => {
        nowMs += 2 * batch.filter((input) => !heard.has(input)).length;
        for (const input of batch) heard.add(input);
        return new Float32Array(batch.length);
      },
      [Symbol.asyncDispose]: async () => {},
    };
    const measured = present((await collect(store, { student, nowMs: () => nowMs })).latency)!;
    expect(measured).toMatchObject({ studentBasis: "measured", student: { p50Ms: 2, p95Ms: 2 }, imagesPerSecond: 500 });
    expect(measured.speedup).toBeCloseTo(measured.teacher!.p50Ms / 2, 9);
    expect(present(data.latency)).toMatchObject({ studentBasis: "served" });
  });

  test("a model that is not there is an error that says so", async () => {
    await expect(collect(store, { modelId: modelId("f".repeat(64)) })).rejects.toMatchObject({ code: "unknown_model" });
  });

  test("a void certificate certifies nothing", async () => {
    const voided: Store = { ...store, policies: { ...store.policies, voided: async () => ({ why: "drift", at: 1 }) } };
    const report = await collect(voided);
    expect(summaryOf(report).policy!.certified).toBe(false);
    expect(headline(report)).toContain("void");
    expect(renderPage(report)).toContain("Voided: drift");
    expect(present(report.cost)!.inputs.coverage.value).toBe(0);
    const otherQuestion = await collect(store, { task: { ...task, instructions: "Which vegetable?" } });
    expect(summaryOf(otherQuestion).policy!.certified).toBe(false);
    expect(present(otherQuestion.cost)!.inputs.coverage.value).toBe(0);
  });

  test("files are written whole, pictures of an earlier report removed", async () => {
    const directory = join(root, "out");
    await mkdir(join(directory, "charts"), { recursive: true });
    await writeFile(join(directory, "charts", "of-yesterday.png"), "");
    const files = await writeReport({ store, task, clock, seed: "7", directory });
    expect((await readdir(directory)).toSorted()).toEqual(["charts", "report.html", "summary.json"]);
    expect(
      (await readdir(join(directory, "charts"))).map((name) => join(directory, "charts", name)).toSorted(),
    ).toEqual(files.pngPaths.toSorted());
    expect(await readFile(files.htmlPath, "utf8")).toBe(renderPage(data));
    expect(Summary.parse(JSON.parse(await readFile(files.summaryPath, "utf8")))).toEqual(files.summary);
    expect(files.headline).toBe(headline(data));
    const { width, format, hasAlpha } = await sharp(files.pngPaths[0]).metadata();
    expect({ width, format, hasAlpha }).toEqual({ width: 1536, format: "png", hasAlpha: false });
  });
});

describe("a wheel on its way", () => {
  const headlines: Readonly<Record<string, string>> = {
    ingested: "300 rows ingested, none labelled yet.",
    trained: "A student is trained, but not certified: every request still goes to the teacher.",
    certified: "Nothing is certified yet: every request still goes to the teacher.",
  };

  test.each(stages)("%s: the page says what is missing and what to run", async (until) => {
    await using store = await openWorkspace({ until, rows: 300, certified: false, gold: false, rulings: 0 });
    const data = await collect(store);
    const page = renderPage(data);
    const missing = [data.labels, data.student, data.evaluation, data.policy, data.traffic].filter(isMissing);
    for (const { missing: why } of missing) expect(page).toContain(why);
    expect(missing.length).toBe({ ingested: 5, labelled: 4, trained: 2, certified: 1, served: 0 }[until]);
    if (headlines[until]) expect(headline(data)).toBe(headlines[until]);
    expect(Summary.parse(JSON.parse(JSON.stringify(summaryOf(data)))).policy?.certified ?? false).toBe(false);
    const files = await writeReport({ store, task, clock, seed: 1, directory: join(root, `report-${until}`) });
    expect(files.pngPaths.length > 0).toBe(until !== "ingested");
  });

  test("an empty workspace has a report", async () => {
    await using store = await openSqliteStore({ directory: join(root, "empty") });
    const data = await collect(store);
    expect(headline(data)).toBe("The workspace is empty.");
    expect(renderPage(data)).toContain("flywheel label");
    expect(Summary.parse(summaryOf(data))).toMatchObject({ student: null, policy: null, cost: null, thresholds: [] });
  });

  test("without gold, rulings in the order of audits are the truth; without those, the teacher is", async () => {
    await using ruled = await openWorkspace({ gold: false, rulings: 60, until: "trained" });
    expect(present((await collect(ruled)).evaluation)).toMatchObject({ truth: "person", n: 60 });
    expect(present(present((await collect(ruled)).labels)!.teacherAccuracy)).toMatchObject({
      truth: "person",
      selected: false,
    });
    await using unruled = await openWorkspace({ gold: false, rulings: 0, until: "trained" });
    const data = await collect(unruled);
    expect(present(data.evaluation)).toMatchObject({ truth: "teacher" });
    expect(renderPage(data)).toContain("against the teacher’s verdicts");
    expect(summaryOf(data).labels.teacherAccuracy).toBeNull();
  });
});

describe("text of others", () => {
  const hostile = [
    `<script>alert(1)</script>`,
    `"><img src=x onerror=alert(2)>`,
    `</title></style></svg><b>`,
    "ラベル",
    "pear",
  ];

  test("labels, file names, messages and instructions are shown, never run", async () => {
    const own = { ...fruitTask(hostile), instructions: "</dd><script>alert(3)</script>" };
    await using store = await openWorkspace({ task: own, rows: 300 });
    await store.rows.reject([{ source: `<svg onload=alert(4)>.jpg`, code: "<i>", message: "<b>no</b>", at: 1 }]);
    const page = renderPage(await collect(store, { task: own }));
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toMatch(/<img src=x|<svg onload|<b>no|<i>/);
    expect(page).toContain("&#60;svg onload=alert(4)&#62;.jpg");
  });
});
