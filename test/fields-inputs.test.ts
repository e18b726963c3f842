/** @file Several fields over each kind of input but the plain table of texts: a log of an LLM, records, photos. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { scopesOf } from "../src/fields.ts";
import { type FieldsFlywheel, openFieldsFlywheel } from "../src/flywheel/open-fields.ts";
import { createRng } from "../src/math/random.ts";
import { writeOnnx } from "../src/onnx/proto.ts";
import { loadGoldFile } from "../src/simulate/gold-file.ts";
import { type SimulatedTeacher, startSimulatedTeacher } from "../src/simulate/teacher-server.ts";
import { defineFieldsTask, type FieldsTask, type FieldsTaskDefinition } from "../src/task.ts";
import { tinyNetwork } from "../src/train/testing.ts";
import { library, needsLibrary } from "../src/xgboost/testing.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-fields-inputs-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

type Definition = Pick<FieldsTaskDefinition, "name" | "input" | "fields" | "student" | "columns" | "target" | "splits">;

/** @param teacher its address; nobody is there by default */
const taskOf = (definition: Definition, teacher = "http://127.0.0.1:1/v1"): FieldsTask =>
  defineFieldsTask({
    target: { kind: "regret", risk: 0.1 },
    ...definition,
    outOfScope: { share: 0 },
    audit: { uniformRate: 0, rate: 0 },
    teacher: {
      model: "compatible/simulated",
      baseUrl: teacher,
      passes: 1,
      price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
    },
  });

async function open(task: FieldsTask): Promise<FieldsFlywheel> {
  const flywheel = await openFieldsFlywheel({ directory: root, task, env: {} });
  onTestFinished(() => flywheel[Symbol.asyncDispose]());
  return flywheel;
}

/** A teacher that knows the gold of a file. */
async function teacherOf(goldPath: string, definition: Definition): Promise<SimulatedTeacher> {
  const teacher = await startSimulatedTeacher(await loadGoldFile(goldPath, { task: taskOf(definition) }));
  onTestFinished(() => teacher.close());
  return teacher;
}

/** What is answered to each question, and how its field came to it. */
async function ask(flywheel: FieldsFlywheel, input: OpenAI.DecisionCreateParams["input"], questions: Questions) {
  await using server = await flywheel.serve({ port: 0 });
  const client = new OpenAI({ apiKey: "none", baseURL: `${server.url}/v1`, maxRetries: 0 });
  const model = flywheel.task.name;
  const { data, response } = await client.decisions.create({ model, input, questions }).withResponse();
  const routes = response.headers.get("x-flywheel-fields") ?? "";
  return { answers: data.answers, routes: routes.split(", ").map((one) => one.split(";")[0]!) };
}

type Questions = OpenAI.DecisionCreateParams["questions"];

const predicate = (name: string): Questions[number] => ({ type: "predicate", name, instructions: "" });
const choice = (name: string, values: readonly string[]): Questions[number] => ({
  type: "choice",
  name,
  instructions: "",
  choices: values.map((value) => ({ value })),
});

describe("a log of calls that answer several fields", () => {
  const topics = ["bill", "parcel", "login"];
  const definition: Definition = {
    name: "mail",
    input: "text",
    fields: {
      topic: { instructions: "What is it about?", output: { kind: "choice", choices: topics } },
      is_urgent: { instructions: "Does it hurry?", output: { kind: "predicate" } },
    },
    student: { trainer: "linear-text", text: { c: [10], characters: false } },
  };

  test("teaches a student of each: a served decision, and nobody was asked", async () => {
    const rng = createRng("log of fields");
    const lines = Array.from({ length: 1_000 }, (_, n) => {
      const [topic, isUrgent] = [topics[rng.integer(3)]!, rng.next() < 0.4];
      const text = `Letter ${n}: please see to my ${topic}, ${isUrgent ? "today" : "whenever it suits"}`;
      return { input: text, output: { topic: topic.toUpperCase(), isUrgent, summary: `letter ${n}` } };
    });
    const path = join(root, "log.jsonl");
    await writeFile(path, lines.map((line) => JSON.stringify(line)).join("\n"));
    const flywheel = await open(taskOf(definition));
    const { log } = await flywheel.ingest({ path });
    expect(log).toMatchObject({ format: "input-output", calls: 1_000, complete: 1_000, fromTeacher: 1_000 });
    const labels = scopesOf(flywheel.store, flywheel.task).map(({ store }) => store.labels.count());
    expect(await Promise.all(labels)).toEqual([1_000, 1_000]);
    expect((await flywheel.status()).next.command).toBe("flywheel train");
    const { fields } = await flywheel.train();
    expect(Object.values(fields).map(({ promoted }) => promoted)).toEqual([true, true]);
    const { answers, routes } = await ask(flywheel, "Letter x: please see to my login, today", [
      choice("topic", topics),
      predicate("is_urgent"),
    ]);
    expect(routes).toEqual(["topic=answered", "is_urgent=answered"]);
    expect(answers[0]).toMatchObject({ choice: "login" });
    expect(answers[1]).toMatchObject({ probability: expect.closeTo(1, 0) });
    expect((await flywheel.store.spend.totals()).spentUsd).toBe(0);
  }, 60_000);
});

describe.skipIf(!library)(`records of several fields${needsLibrary}`, () => {
  const prices = ["low", "high"];
  const definition: Definition = {
    name: "customers",
    input: "record",
    columns: { id: "nr", features: { calls: "number", plan: "category" }, gold: { leaves: "leaves", price: "price" } },
    fields: {
      leaves: { instructions: "Will they leave?", output: { kind: "predicate" } },
      price: { instructions: "What do they pay?", output: { kind: "score", levels: prices } },
    },
    student: { trainer: "xgboost", xgboost: { num_boost_round: 20 } },
  };

  test("from a table to trees for each field, their report and a served decision", async () => {
    const rng = createRng("customers of fields");
    const lines = Array.from({ length: 1_000 }, (_, nr) => {
      const [calls, plan] = [rng.integer(10_000) / 100, rng.next() < 0.5 ? "basic" : "gold"];
      return `${nr},${calls},${plan},${calls >= 50 ? "yes" : "no"},${plan === "gold" ? "high" : "low"}`;
    });
    const path = join(root, "customers.csv");
    await writeFile(path, `nr,calls,plan,leaves,price\n${lines.join("\n")}\n`);
    const teacher = await teacherOf(path, definition);
    const flywheel = await open(taskOf(definition, teacher.url));
    const ingested = await flywheel.ingest({ path });
    expect(ingested.columns?.map(({ role }) => role)).toEqual(["id", "feature", "feature", "gold", "gold"]);
    expect(ingested.gold?.matched).toBe(2_000);
    await flywheel.label();
    const { fields } = await flywheel.train();
    for (const [name, { promoted, policy, card }] of Object.entries(fields)) {
      expect({ name, promoted, trainer: card.trainer }).toEqual({ name, promoted: true, trainer: "xgboost" });
      expect(policy.coverage.value, name).toBeGreaterThan(0.9);
    }
    const { summary, htmlPath } = await flywheel.report();
    expect(Object.keys(summary.fields)).toEqual(["leaves", "price"]);
    expect(await readFile(htmlPath, "utf8")).toContain("2 of 2 fields are certified");
    const before = teacher.stats().requests;
    const input: OpenAI.DecisionCreateParams["input"] = [
      { role: "user", content: [{ type: "input_json", data: { calls: 90, plan: "basic" } }] },
    ];
    const levels = prices.map((label) => ({ label }));
    const { answers, routes } = await ask(flywheel, input, [
      predicate("leaves"),
      { type: "score", name: "price", instructions: "", levels },
    ]);
    expect(routes).toEqual(["leaves=answered", "price=answered"]);
    expect(answers[0]).toMatchObject({ probability: expect.closeTo(1, 0) });
    expect(answers[1]).toMatchObject({ score: expect.closeTo(0, 0) });
    expect(teacher.stats().requests).toBe(before);
  }, 60_000);
});

describe("photos of several fields", () => {
  const colours = { red: [200, 40, 40], green: [40, 200, 40] } as const;
  const definition: Definition = {
    name: "cards",
    input: "image",
    fields: {
      colour: { instructions: "Which colour?", output: { kind: "choice", choices: Object.keys(colours) } },
      striped: { instructions: "Is it striped?", output: { kind: "predicate" } },
    },
    student: {
      trainer: "onnx",
      imageSize: 16,
      normalisation: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
      epochs: 8,
      learningRate: 1e-2,
      augment: false,
    },
    splits: { train: 0.4, calibrate: 0.1, certify: 0.5 },
  };

  const SIDE = 16;
  type Card = { readonly colour: keyof typeof colours; readonly striped: boolean; readonly seed: string };

  /** A noisy card of 16 pixels, with or without black stripes. */
  async function render({ colour, striped, seed }: Card): Promise<Buffer> {
    const rng = createRng(seed);
    const phase = rng.integer(4);
    const rgb = Uint8ClampedArray.from({ length: SIDE * SIDE * 3 }, (_, index) => {
      const column = Math.floor(index / 3) % SIDE;
      const ink = striped && (column + phase) % 4 < 2 ? 0.1 : 1;
      return ink * colours[colour][index % 3]! + 20 * rng.normal();
    });
    return await sharp(rgb, { raw: { width: SIDE, height: SIDE, channels: 3 } })
      .png()
      .toBuffer();
  }

  test("from a folder to a network for each field and a served decision", async () => {
    const photos = join(root, "photos");
    await mkdir(photos);
    const cards = Array.from({ length: 440 }, (_, n): Card & { readonly file: string } => {
      return { file: `${n}.png`, colour: n % 2 ? "red" : "green", striped: n % 4 < 2, seed: `card ${n}` };
    });
    for (const card of cards) await writeFile(join(photos, card.file), await render(card));
    const gold = join(root, "gold.csv");
    const lines = cards.map(({ file, colour, striped }) => `photos/${file},${colour},${striped}`);
    await writeFile(gold, `file,colour,striped\n${lines.join("\n")}\n`);
    const weights = join(root, "tiny.onnx");
    await writeFile(weights, writeOnnx(tinyNetwork()));
    const teacher = await teacherOf(gold, definition);
    const flywheel = await open(taskOf({ ...definition, student: { ...definition.student, weights } }, teacher.url));
    expect(await flywheel.ingest({ path: photos, goldPath: gold })).toMatchObject({
      added: 440,
      gold: { matched: 880 },
    });
    expect((await flywheel.label()).answers).toEqual([440]);
    const { fields } = await flywheel.train();
    for (const [name, { promoted, policy }] of Object.entries(fields)) {
      expect({ name, promoted }).toEqual({ name, promoted: true });
      expect(policy.certificate?.bound, name).toBeLessThanOrEqual(0.1);
    }
    const { summary, htmlPath } = await flywheel.report();
    expect(Object.keys(summary.fields)).toEqual(["colour", "striped"]);
    expect(await readFile(htmlPath, "utf8")).toContain("2 of 2 fields are certified");
    const before = teacher.stats().requests;
    const photo = await render({ colour: "green", striped: false, seed: "unseen" });
    const image_url = `data:image/png;base64,${photo.toString("base64")}`;
    const { answers, routes } = await ask(
      flywheel,
      [{ role: "user", content: [{ type: "input_image", image_url }] }],
      [choice("colour", Object.keys(colours)), predicate("striped")],
    );
    expect(routes).toEqual(["colour=answered", "striped=answered"]);
    expect(answers[0]).toMatchObject({ choice: "green" });
    expect(answers[1]).toMatchObject({ probability: expect.closeTo(0, 0) });
    expect(teacher.stats().requests).toBe(before);
  }, 120_000);
});
