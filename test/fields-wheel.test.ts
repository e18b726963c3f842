/** @file The whole wheel on texts with three fields (a choice, a predicate, a score), through the library and real HTTP. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { scopesOf } from "../src/fields.ts";
import { type FieldsFlywheel, openFieldsFlywheel } from "../src/flywheel/open-fields.ts";
import { createRng } from "../src/math/random.ts";
import { loadGoldFile } from "../src/simulate/gold-file.ts";
import { type SimulatedTeacher, startSimulatedTeacher } from "../src/simulate/teacher-server.ts";
import { defineFieldsTask, type FieldsTask, type FieldsTaskDefinition } from "../src/task.ts";
import { identityOfText } from "../src/text/identity.ts";

const topics = {
  bill: ["the bill", "an invoice"],
  parcel: ["the parcel", "my delivery"],
  login: ["my login", "the password"],
};
const moods = { calm: ["kindly", "please"], cross: ["again", "still"], furious: ["outrageous", "scandalous"] };
const hurry = { true: ["at once", "today"], false: ["some time", "whenever it suits"] };

/** Letters whose words tell all three; in one in ten a field's words are missing, so that nobody can know but the teacher. */
function letters(count: number) {
  const rng = createRng("letters");
  const pick = <T>(list: readonly T[]): T => list[Math.floor(rng.next() * list.length)]!;
  const draw = (words: Readonly<Record<string, readonly string[]>>, isShown: boolean) => {
    const label = pick(Object.keys(words));
    return { label, word: isShown ? pick(words[label]!) : "it" };
  };
  return Array.from({ length: count }, (_, n) => {
    const [topic, mood, urgent] = [draw(topics, n % 10 !== 1), draw(moods, n % 10 !== 2), draw(hurry, true)];
    const text = `Letter ${n}: ${mood.word} look into ${topic.word}, ${urgent.word}`;
    return { text, topic: topic.label, urgent: urgent.label, mood: mood.label };
  });
}

const definition = (baseUrl: string, answer: FieldsTask["answer"]): FieldsTaskDefinition => ({
  name: "mail",
  input: "text",
  instructions: "Letters to a shop.",
  answer,
  fields: {
    topic: { instructions: "What is it about?", output: { kind: "choice", choices: Object.keys(topics) } },
    urgent: { instructions: "Does it hurry?", output: { kind: "predicate" } },
    mood: {
      instructions: "How angry is it?",
      output: { kind: "score", levels: Object.keys(moods) },
      target: { kind: "regret", risk: 0.06 },
    },
  },
  target: { kind: "regret", risk: 0.04 },
  outOfScope: { share: 0 },
  student: { trainer: "linear-text", text: { c: [10], characters: false } },
  audit: { uniformRate: 0, rate: 0 },
  teacher: {
    model: "compatible/simulated",
    baseUrl,
    passes: 1,
    price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
  },
});

/** Calm and in a hurry, by its words; about what, nobody can tell. The teacher says otherwise of its mood. */
const mystery = "Letter x: kindly look into it, today";

let root: string;
let teacher: SimulatedTeacher;
let trained: FieldsFlywheel;

/** Ingested, labelled and trained once; each mode serves the same workspace. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-fields-wheel-"));
  const all = letters(1_000);
  await writeFile(join(root, "letters.csv"), `text\n${all.map(({ text }) => `"${text}"`).join("\n")}\n`);
  const gold = all.map(({ text, topic, urgent, mood }) => `"${text}",${topic},${urgent},${mood}`);
  await writeFile(join(root, "gold.csv"), `text,topic,urgent,mood\n${gold.join("\n")}\n`);
  const task = defineFieldsTask(definition("http://127.0.0.1:1/v1", "each"));
  const book = await loadGoldFile(join(root, "gold.csv"), { task });
  const unseen = identityOfText(mystery);
  const known = new Map(book.gold);
  const fields = Object.fromEntries(
    Object.entries(book.fields ?? {}).map(([name, own]) => [name, { ...own, gold: new Map(own.gold) }]),
  );
  known.set(unseen, "");
  fields["topic"]!.gold.set(unseen, "login");
  fields["urgent"]!.gold.set(unseen, "true");
  fields["mood"]!.gold.set(unseen, "cross");
  teacher = await startSimulatedTeacher({ gold: known, classes: [], fields });
  trained = await openFieldsFlywheel({
    directory: root,
    task: defineFieldsTask(definition(teacher.url, "each")),
    env: {},
  });
}, 60_000);

afterAll(async () => {
  await trained[Symbol.asyncDispose]();
  await teacher.close();
  await rm(root, { recursive: true, force: true });
});

type Questions = OpenAI.DecisionCreateParams["questions"];

const questions: Questions = [
  {
    type: "score",
    name: "mood",
    instructions: "How angry is it?",
    levels: Object.keys(moods).map((label) => ({ label })),
  },
  { type: "choice", name: "topic", instructions: "", choices: Object.keys(topics).map((value) => ({ value })) },
  { type: "predicate", name: "urgent", instructions: "" },
];

async function ask(client: OpenAI, input: string, asked: Questions = questions) {
  const { data, response } = await client.decisions.create({ model: "mail", input, questions: asked }).withResponse();
  const fields = response.headers.get("x-flywheel-fields") ?? "";
  const routes = Object.fromEntries(fields.split(", ").map((one) => one.split(";")[0]!.split("=")));
  return { answers: data.answers, route: response.headers.get("x-flywheel-route"), routes, fields, usage: data.usage };
}

async function serve(flywheel: FieldsFlywheel): Promise<OpenAI> {
  const server = await flywheel.serve({ port: 0 });
  onTestFinished(() => server.close());
  return new OpenAI({ apiKey: "none", baseURL: `${server.url}/v1`, maxRetries: 0 });
}

describe("the wheel on three fields", () => {
  test("ingest, plan, label, review, train, report, status, export, improve, rollback", async () => {
    const flywheel = trained;
    const ingested = await flywheel.ingest({ path: join(root, "letters.csv"), goldPath: join(root, "gold.csv") });
    expect(ingested).toMatchObject({ added: 1_000, gold: { matched: 3_000 } });
    expect((await flywheel.plan()).requests).toEqual({ low: 1_000, high: 1_000 });
    const labelled = await flywheel.label();
    expect(labelled.answers).toEqual([1_000]);
    expect(teacher.stats().charged).toBe(1_000);
    expect(Object.values(labelled.fields).map(({ labels }) => labels.total)).toEqual([1_000, 1_000, 1_000]);
    expect((await flywheel.status()).next.command).toBe("flywheel train");

    const review = join(root, "review.csv");
    expect(await flywheel.exportReview({ path: review, format: "csv", limit: 30 })).toMatchObject({ items: 30 });
    const table = (await readFile(review, "utf8")).split("\n");
    expect(table[0]).toContain("row,field,file");
    // Whoever rules says what is no label of a field, too.
    const ruled = table.map((line) => line.replace(/,,,$/, line.includes(",urgent,") ? ",yes,," : ",nonsense,,"));
    await writeFile(review, ruled.join("\n"));
    const imported = await flywheel.importReview({ path: review, format: "csv", person: "ada" });
    expect(imported.recorded).toBe(10);
    expect(imported.problems).toHaveLength(20);
    const rulings = await Promise.all(
      scopesOf(flywheel.store, flywheel.task).map(
        async ({ store }) => (await Array.fromAsync(store.annotations.people())).length,
      ),
    );
    expect(rulings).toEqual([0, 10, 0]);

    const { fields } = await flywheel.train();
    for (const [name, { promoted, policy, card }] of Object.entries(fields)) {
      expect(promoted, name).toBe(true);
      expect(policy.certificate!.bound).toBeLessThanOrEqual(name === "mood" ? 0.06 : 0.04);
      expect(policy.target.risk).toBe(name === "mood" ? 0.06 : 0.04);
      expect(policy.coverage.value, name).toBeGreaterThan(0.5);
      expect(card.classes).toEqual(
        { topic: Object.keys(topics), urgent: ["true", "false"], mood: Object.keys(moods) }[name],
      );
    }
    const report = await flywheel.report();
    expect(Object.keys(report.summary.fields)).toEqual(["topic", "urgent", "mood"]);
    expect(await readFile(report.htmlPath, "utf8")).toContain("One host costs $10.00 a month");
    expect(report.summary.fields["topic"]!.student!.accuracy.value).toBeGreaterThan(0.85);
    const spent = Object.values(report.summary.fields).reduce((sum, { labels }) => sum + labels.costUsd, 0);
    expect(spent).toBeCloseTo((await flywheel.store.spend.totals()).spentUsd, 9);
    const page = await readFile(report.htmlPath, "utf8");
    expect(page).toContain("3 of 3 fields are certified");
    const ids = [...page.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const referred = [...page.matchAll(/\b(?:aria-labelledby|aria-describedby|href)="(#?[^"]+)"/g)].flatMap(([, to]) =>
      to!.split(" "),
    );
    const inside = referred.filter((to) => !to.includes(":")).map((to) => to.replace("#", ""));
    expect(inside.filter((id) => !ids.includes(id))).toEqual([]);

    const exported = await flywheel.exportModel({ directory: join(root, "out") });
    for (const name of ["topic", "urgent", "mood"]) {
      expect(exported.fields[name]!.directory).toBe(join(root, "out", name));
      expect(await readFile(join(root, "out", name, "labels.csv"), "utf8")).toContain("row,source");
    }
    const { fields: rounds } = await flywheel.improve({ force: true });
    expect(Object.values(rounds).map(({ kind }) => kind)).toEqual(["done", "done", "done"]);
    await expect(flywheel.rollback({ field: "topic" })).rejects.toMatchObject({ code: "nothing_to_roll_back" });
    await expect(flywheel.rollback({ field: "colour" })).rejects.toMatchObject({ code: "unknown_field" });
    const status = await flywheel.status();
    expect(Object.values(status.fields).map(({ champion }) => champion?.champion.version)).toEqual([1, 1, 1]);
    expect(status.spend.spentUsd).toBeCloseTo(spent, 9);
  }, 120_000);

  test("each field for itself: the student answers what it knows, one call to the teacher the rest", async () => {
    const client = await serve(trained);
    const sure = await ask(client, "Letter 7: outrageous look into my login, at once");
    expect(sure).toMatchObject({
      route: "answered",
      routes: { mood: "answered", topic: "answered", urgent: "answered" },
    });
    const [mood, topic, urgent] = sure.answers;
    if (mood?.type !== "score" || topic?.type !== "choice" || urgent?.type !== "predicate")
      throw new Error("wrong types");
    expect([mood.name, topic.name, urgent.name]).toEqual(["mood", "topic", "urgent"]);
    expect(mood.probabilities.map(({ label, value }) => [label, value])).toEqual([
      ["calm", 0],
      ["cross", 1],
      ["furious", 2],
    ]);
    expect(mood.probabilities.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 9);
    expect(mood.score).toBeCloseTo(
      mood.probabilities.reduce((sum, one) => sum + one.value * one.probability, 0),
      12,
    );
    expect(mood.score).toBeGreaterThan(1.5);
    expect(mood.confidence).toBe(mood.probabilities[2]!.probability);
    expect(topic.choice).toBe("login");
    expect(urgent.probability).toBeGreaterThan(0.5);
    expect(sure.usage.total_tokens).toBe(0);

    const before = teacher.stats().charged;
    const mixed = await ask(client, mystery);
    expect(mixed.route).toBe("mixed");
    expect(mixed.routes).toEqual({ mood: "audited", topic: "escalated", urgent: "audited" });
    expect(mixed.fields).toContain("topic=escalated;reason=unsure;confidence=0.");
    expect(teacher.stats().charged).toBe(before + 1);
    // The student's own word where it was sure, the teacher's where it was not.
    const [ownMood, taught] = mixed.answers;
    expect(taught).toMatchObject({ type: "choice", choice: "login", confidence: 1 });
    expect(ownMood?.type === "score" && ownMood.score).toBeLessThan(0.5);
    expect(mixed.usage.total_tokens).toBeGreaterThan(0);
    const decisions = await Promise.all(
      scopesOf(trained.store, trained.task).map(({ store }) => Array.fromAsync(store.decisions.list())),
    );
    const last = decisions.map((own) => own.at(-1)!);
    expect(new Set(last.map(({ id }) => id)).size).toBe(1);
    expect(last.map(({ propensity }) => propensity)).toEqual([1, 1, 1]);
    const known = await ask(client, mystery);
    expect(known.route).toBe("mixed");
    expect(teacher.stats().charged).toBe(before + 1);
  }, 60_000);

  test("any of the fields may be asked for, by name; what fits none is refused with its place", async () => {
    const client = await serve(trained);
    const text = "Letter 8: please look into the bill, today";
    const [mood, topic, urgent] = questions;
    expect(await ask(client, text, [topic!])).toMatchObject({ route: "answered", routes: { topic: "answered" } });
    const unnamed = [topic!, urgent!, mood!].map(({ name: _, ...question }) => question) as Questions;
    const answered = await ask(client, text, unnamed);
    expect(answered.answers.map(({ type, name }) => [type, name])).toEqual([
      ["choice", null],
      ["predicate", null],
      ["score", null],
    ]);
    const refused = async (asked: Questions) =>
      await ask(client, text, asked).then(
        () => expect.unreachable("it should have been refused"),
        ({ status, code, param }: { status: number; code: string; param: string }) => ({ status, code, param }),
      );
    expect(await refused([{ ...topic!, name: "colour" }, urgent!])).toEqual({
      status: 400,
      code: "question_unknown",
      param: "questions[0].name",
    });
    expect(await refused(unnamed.slice(0, 2))).toEqual({ status: 400, code: "question_unknown", param: "questions" });
    expect(await refused([...unnamed].reverse())).toEqual({
      status: 400,
      code: "question_mismatch",
      param: "questions[0].type",
    });
    const upsideDown = {
      ...mood!,
      levels: Object.keys(moods)
        .reverse()
        .map((label) => ({ label })),
    } as Questions[number];
    expect(await refused([upsideDown])).toEqual({
      status: 400,
      code: "question_mismatch",
      param: "questions[0].levels[0].label",
    });
  }, 60_000);

  test("together: one field unsure sends the whole row to the teacher; the same certificates stand", async () => {
    const together = await openFieldsFlywheel({
      directory: root,
      task: defineFieldsTask(definition(teacher.url, "together")),
      env: {},
    });
    onTestFinished(() => together[Symbol.asyncDispose]());
    const client = await serve(together);
    expect((await ask(client, "Letter 9: again look into an invoice, whenever it suits")).route).toBe("answered");
    const whole = await ask(client, mystery);
    expect(whole.route).toBe("escalated");
    expect(whole.fields).toContain("topic=escalated;reason=unsure");
    expect(whole.fields).toContain("mood=escalated;reason=together");
    // The teacher's word in every field, also where the student was sure of another.
    const [mood, topic, urgent] = whole.answers;
    expect(mood).toMatchObject({ type: "score", score: 1, confidence: 1 });
    expect(topic).toMatchObject({ type: "choice", choice: "login" });
    expect(urgent).toMatchObject({ type: "predicate", probability: 1 });
  }, 60_000);
});
