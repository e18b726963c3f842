/**
 * @file A workspace as it looks after a few turns of the wheel, made from a seed without training anything: for tests of the
 * report, and for looking at it. The student is drawn, its threshold is chosen by the rule of SCIENCE D2.
 */

import { createHash } from "node:crypto";
import sharp from "sharp";
import { fruitLabel, renderFruit } from "../../src/demo/render-fruit.ts";
import { clopperPearsonUpper } from "../../src/math/binomial.ts";
import { proportionEstimate } from "../../src/math/estimate.ts";
import { createRng, fork, type Rng, type Seed } from "../../src/math/random.ts";
import { argmaxRows, softmax } from "../../src/math/softmax.ts";
import {
  type BlobId,
  type Certificate,
  type Decision,
  type Label,
  type LabelValue,
  type ModelCard,
  modelId,
  type PersonAnnotation,
  type Policy,
  type Prediction,
  policyId,
  type Round,
  type Row,
  rowId,
  type TeacherAnnotation,
} from "../../src/records.ts";
import type { Store } from "../../src/store/contract.ts";
import { auditPosition, classesOf, defineTask, promptVersion, splitOf, type Task } from "../../src/task.ts";

export const START = Date.UTC(2026, 2, 1, 9);
const hex = (text: string): string => createHash("sha256").update(text).digest("hex");

export const fruitTask = (classes: readonly LabelValue[] = fruit): Task =>
  defineTask({
    name: "fruit",
    input: "image",
    instructions: "Which fruit is in the picture? Choose the one in front.",
    output: { kind: "choice", choices: classes },
    teacher: { model: "compatible/simulated-teacher", baseUrl: "http://127.0.0.1:9/v1" },
    costs: { hostingPerMonthUsd: 30, reviewPerRulingUsd: 0.05 },
    budgetUsd: 20,
  });

const fruit = ["apple", "mushroom", "orange", "pear", "sweet_pepper"] as const;

/** How far the wheel has turned. Each includes those before it. */
export const stages = ["ingested", "labelled", "trained", "certified", "served"] as const;
export type Stage = (typeof stages)[number];

export type FixtureOptions = {
  readonly seed: Seed;
  readonly until: Stage;
  readonly rows?: number;
  readonly task?: Task;
  readonly gold?: boolean;
  /** By one person, from the front of the audit order. */
  readonly rulings?: number;
  readonly simulated?: boolean;
  /** A threshold is in force only if so; else the policy says why not. */
  readonly certified?: boolean;
};

type Fixture = Required<FixtureOptions> & {
  readonly store: Store;
  readonly classes: readonly LabelValue[];
  readonly rng: Rng;
};

/** Fills an empty store. */
export async function fillWorkspace(store: Store, options: FixtureOptions): Promise<void> {
  const task = options.task ?? fruitTask();
  const fixture: Fixture = {
    rows: 1500,
    gold: true,
    rulings: 120,
    simulated: true,
    certified: true,
    ...options,
    task,
    store,
    classes: classesOf(task),
    rng: createRng(fork(options.seed, "fixture")),
  };
  const reached = stages.indexOf(options.until);
  const truths = await ingest(fixture);
  if (reached >= 1) await label(fixture, truths);
  const card = reached >= 2 ? await train(fixture, truths) : undefined;
  const policy = card && reached >= 3 ? await certify(fixture, truths, card) : undefined;
  if (card && policy && reached >= 4) await serve(fixture, truths, card, policy);
}

type Truths = readonly { readonly row: Row; readonly truth: number; readonly teacher: number }[];

async function ingest({ store, rows, classes, rng, seed, gold, task }: Fixture): Promise<Truths> {
  const pictures = await picturesByClass(store, classes.length);
  const truths = Array.from({ length: rows }, (_, index) => {
    const truth = rng.integer(classes.length);
    const id = rowId(hex(`${seed}/row/${index}`));
    const blobs = pictures[truth]!;
    const row: Row = {
      id,
      input: { kind: "image", blob: blobs[rng.integer(blobs.length)]!, width: 96, height: 96, mediaType: "image/png" },
      source: `photos/${String(index).padStart(5, "0")}.jpg`,
      origin: "ingest",
      uniform: true,
      split: splitOf(id, task.splits),
      propensity: 1,
      createdAt: START,
    };
    return { row, truth, teacher: rng.next() < 0.05 ? mistaken(truth, classes.length, rng) : truth };
  });
  await store.rows.put(truths.map(({ row }) => row));
  await store.rows.reject(
    ["image_truncated", "image_empty", "image_truncated"].map((code, index) => ({
      source: `photos/broken-${index}.jpg`,
      code,
      message: code === "image_empty" ? "the file has no bytes" : "the file ends before the picture does",
      at: START,
    })),
  );
  if (gold) await store.gold.put(truths.map(({ row, truth }) => ({ rowId: row.id, value: classes[truth]! })));
  return truths;
}

/** Apples (0) and pears (3) are mistaken for each other first. */
function mistaken(truth: number, k: number, rng: Rng): number {
  const alike = truth === 0 ? 3 : truth === 3 ? 0 : undefined;
  if (alike !== undefined && alike < k && rng.next() < 0.75) return alike;
  return (truth + 1 + rng.integer(k - 1)) % k;
}

const PICTURES_PER_CLASS = 3;

async function picturesByClass(store: Store, k: number): Promise<readonly (readonly BlobId[])[]> {
  const byClass = await Promise.all(
    Array.from({ length: k }, async (_, index) => {
      const pictures = await picturesOf(fruit[index % fruit.length]!);
      return await Promise.all(pictures.map((picture) => store.blobs.put(picture)));
    }),
  );
  return byClass;
}

const rendered = new Map<string, Promise<readonly Buffer[]>>();

/** Rendered once in the life of the process. */
function picturesOf(label: string): Promise<readonly Buffer[]> {
  const pictures = rendered.get(label) ?? render(label);
  rendered.set(label, pictures);
  return pictures;
}

async function render(wanted: string): Promise<readonly Buffer[]> {
  const numbers: number[] = [];
  for (let index = 0; numbers.length < PICTURES_PER_CLASS; index++) {
    if (fruitLabel({ seed: 1, index }) === wanted) numbers.push(index);
  }
  return await Promise.all(
    numbers.map((index) => {
      const { rgb, side } = renderFruit({ seed: 1, index, side: 96 });
      return sharp(rgb, { raw: { width: side, height: side, channels: 3 } })
        .png()
        .toBuffer();
    }),
  );
}

async function label(fixture: Fixture, truths: Truths): Promise<void> {
  const { store, classes, rng, rulings } = fixture;
  const annotations: TeacherAnnotation[] = [];
  const labels: Label[] = [];
  for (const { row, teacher } of truths) {
    const failed = rng.next() < 0.004;
    const second = rng.next() < 0.06 ? mistaken(teacher, classes.length, rng) : teacher;
    annotations.push(pass(fixture, row, { number: 1, value: failed ? undefined : teacher }));
    annotations.push(pass(fixture, row, { number: 2, value: failed ? undefined : second }));
    if (failed) continue;
    if (second !== teacher) annotations.push(pass(fixture, row, { number: 3, value: teacher }));
    const agreed = second === teacher;
    labels.push({
      rowId: row.id,
      value: classes[teacher]!,
      weight: agreed ? 0.8 : 0.5,
      basis: agreed ? "agreed" : "majority",
      at: START + 60_000,
    });
  }
  const ruled = inAuditOrder(truths)
    .slice(0, rulings)
    .map(({ row, truth }) => rulingOn(row, classes[truth]!));
  await store.annotations.put([...annotations, ...ruled]);
  await store.spend.settle("attempt that failed", 0.0064, START);
  const byPerson = new Map(ruled.map((ruling) => [ruling.rowId, ruling.value]));
  await store.labels.put(
    labels.map((each) => {
      const value = byPerson.get(each.rowId);
      return value === undefined ? each : { ...each, value, weight: 1, basis: "person" as const };
    }),
  );
}

/** Certify rows first, in the order in which people audit them. */
function inAuditOrder(truths: Truths): Truths {
  const rank = ({ row }: Truths[number]) => Number(row.split !== "certify") + auditPosition(row.id);
  return truths.toSorted((a, b) => rank(a) - rank(b));
}

type Pass = { readonly number: number; readonly value: number | undefined };

function pass({ task, classes, rng, simulated }: Fixture, row: Row, { number, value }: Pass): TeacherAnnotation {
  return {
    id: hex(`${row.id}/pass/${number}`),
    rowId: row.id,
    at: START + 30_000,
    annotator: "teacher",
    teacher: task.teacher.model,
    simulated,
    pass: number,
    promptVersion: promptVersion(task),
    ...(value === undefined
      ? { failure: { code: "teacher_off_schema", message: 'answered "banana", which is no choice' } }
      : { value: classes[value]! }),
    usage: { inputTokens: 320, outputTokens: 12 },
    costUsd: 0.00032,
    latencyMs: 700 + 500 * Math.exp(0.6 * rng.normal()),
  };
}

const rulingOn = (row: Row, value: LabelValue): PersonAnnotation => ({
  id: hex(`${row.id}/anna`),
  rowId: row.id,
  at: START + 90_000,
  annotator: "person",
  person: "anna",
  value,
});

async function train({ store, classes, rng, seed, task }: Fixture, truths: Truths): Promise<ModelCard> {
  const card: ModelCard = {
    id: modelId(hex(`${seed}/model`)),
    trainer: "mobilenet-v3-small",
    inputKind: task.input,
    classes,
    parameters: 1_522_981,
    sizeBytes: 6_128_440,
    seed: String(seed),
    dataHash: hex(`${seed}/training`),
    trainingRows: truths.filter(({ row }) => row.split === "train").length,
    options: { epochs: 24 },
    history: Array.from({ length: 24 }, (_, epoch) => ({
      epoch: epoch + 1,
      loss: 0.24 + 1.4 * Math.exp(-epoch / 5) + 0.02 * rng.normal(),
      accuracy: 0.92 - 0.6 * Math.exp(-epoch / 5),
    })),
    codeVersion: "0.1.0",
    createdAt: START + 3_600_000,
    trainingMs: 48_000,
  };
  await store.models.put(card);
  const heldOut = truths.filter(({ row }) => row.split !== "train");
  await store.predictions.put(
    heldOut.map(({ row, truth }): Prediction => {
      return { modelId: card.id, rowId: row.id, basis: "held-out", logits: drawLogits(truth, classes.length, rng) };
    }),
  );
  return card;
}

/** Mostly sure and right; now and then unsure, and apples and pears alike. */
function drawLogits(truth: number, k: number, rng: Rng): Float32Array {
  const clear = rng.next() < 0.85;
  const logits = Float32Array.from({ length: k }, () => 1.2 * rng.normal());
  const seen = clear && rng.next() < 0.012 ? mistaken(truth, k, rng) : truth;
  logits[seen]! += clear ? 7.5 : 2.4;
  if ((truth === 0 || truth === 3) && k > 3) logits[3 - truth]! += clear ? 1.5 : 2.2;
  return logits;
}

async function certify(fixture: Fixture, truths: Truths, card: ModelCard): Promise<Policy> {
  const { store, classes, task, certified } = fixture;
  const temperature = 1.25;
  const confident = new Map<string, { readonly confidence: number; readonly wrong: boolean }>();
  const teachers = new Map(truths.map(({ row, teacher }) => [row.id, teacher]));
  const certifyRows = new Set(truths.filter(({ row }) => row.split === "certify").map(({ row }) => row.id));
  for await (const { rowId: id, logits } of store.predictions.ofModel(card.id)) {
    if (!certifyRows.has(id)) continue;
    const p = softmax(logits, classes.length, temperature);
    const answer = argmaxRows(p, classes.length)[0]!;
    confident.set(id, { confidence: p[answer]!, wrong: answer !== teachers.get(id) });
  }
  const scored = [...confident.values()].sort((a, b) => b.confidence - a.confidence);
  const { risk, delta } = task.target;
  let [accepted, errors, chosen] = [0, 0, { accepted: 0, errors: 0 }];
  for (const { wrong } of scored) {
    accepted++;
    errors += Number(wrong);
    if (clopperPearsonUpper(errors, scored.length, delta) > risk) break;
    chosen = { accepted, errors };
  }
  const threshold = scored[chosen.accepted - 1]?.confidence;
  const issues = certified && threshold !== undefined;
  const certificate: Certificate = {
    target: task.target,
    deltaSpent: delta,
    reference: task.reference,
    bound: clopperPearsonUpper(chosen.errors, scored.length, delta),
    n: scored.length,
    ...chosen,
    dataHash: hex(`${card.id}/certify`),
    modelId: card.id,
    promptVersion: promptVersion(task),
    issuedAt: START + 3_700_000,
  };
  const policy: Policy = {
    id: policyId(hex(`${card.id}/policy/${issues}`)),
    modelId: card.id,
    promptVersion: promptVersion(task),
    classes,
    calibrator: { kind: "temperature", temperature },
    target: task.target,
    reference: task.reference,
    ...(issues
      ? { threshold, certificate }
      : {
          noCertificate: {
            reason: "no threshold keeps the joint risk at 3 % on 371 certify rows",
            moreRowsNeeded: 240,
          },
        }),
    coverage: proportionEstimate(issues ? chosen.accepted : 0, scored.length),
    selectiveRisk: issues ? proportionEstimate(chosen.errors, chosen.accepted) : { value: 0, low: 0, high: 1, n: 0 },
    warnings: [],
    createdAt: START + 3_700_000,
  };
  await store.policies.put(policy);
  return policy;
}

async function serve(fixture: Fixture, truths: Truths, card: ModelCard, policy: Policy): Promise<void> {
  const { store, rng, classes } = fixture;
  await store.policies.promote(
    { modelId: card.id, policyId: policy.id, at: START + 3_800_000, reason: "the first student" },
    0,
  );
  const decisions = Array.from({ length: 1200 }, (_, index): Decision => {
    const { row, truth } = truths[rng.integer(truths.length)]!;
    const unsure = rng.next() < 0.3;
    const audited = !unsure && rng.next() < 0.03;
    return {
      id: `decision-${index}`,
      rowId: row.id,
      at: START + 3_900_000 + 1_000 * index,
      route: unsure ? "escalated" : audited ? "audited" : "answered",
      ...(unsure && { reason: "unsure" as const }),
      value: classes[truth]!,
      studentValue: classes[truth]!,
      confidence: unsure ? 0.6 : 0.97,
      propensity: unsure ? 1 : 0.03,
      uniform: false,
      modelId: card.id,
      policyId: policy.id,
      latencyMs: unsure || audited ? 900 : 4 + 2 * Math.exp(0.4 * rng.normal()),
      costUsd: unsure || audited ? 0.00032 : 0,
    };
  });
  await store.decisions.put(decisions);
  for (const round of rounds(card)) await store.rounds.put(round);
}

function rounds(card: ModelCard): readonly Round[] {
  const escalated = [298, 231, 196, 188];
  const right = [331, 338, 343, 342];
  return escalated.map((share, index) => ({
    round: index + 1,
    startedAt: START + 4_000_000 + 600_000 * index,
    endedAt: START + 4_100_000 + 600_000 * index,
    labels: 886 + 260 * index,
    challenger: modelId(hex(`${card.id}/round/${index}`)),
    champion: card.id,
    promoted: index !== 3,
    why: index === 3 ? "accuracy within noise of the champion's, coverage fell" : "no worse, covers more",
    escalated: proportionEstimate(share, 700),
    accuracy: proportionEstimate(right[index]!, 371),
    coverage: proportionEstimate(700 - share, 700),
    requests: 700,
    costUsd: 0.00032 * share,
  }));
}
