/** @file The whole wheel on texts and on a log of an LLM, through the library: ingest, label, review, train, report, serve. */

import { createHash } from "node:crypto";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Flywheel, openFlywheel } from "../src/flywheel/open.ts";
import { createRng } from "../src/math/random.ts";
import { type Committee, type ModelId, type Policy, policyId } from "../src/records.ts";
import { loadGoldFile } from "../src/simulate/gold-file.ts";
import { startSimulatedTeacher } from "../src/simulate/teacher-server.ts";
import { defineTask, type Task, type TaskDefinition } from "../src/task.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-text-wheel-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const topics = {
  card: ["my card", "the card", "a new card", "card payment"],
  transfer: ["my transfer", "a transfer", "sending money", "the wire"],
  account: ["my account", "the login", "my password", "closing my account"],
} as const;
const labels = Object.keys(topics) as readonly (keyof typeof topics)[];

/** Questions that name their topic; one in twelve names none. */
function questions(count: number) {
  const rng = createRng("questions");
  const pick = <T>(list: readonly T[]): T => list[Math.floor(rng.next() * list.length)]!;
  return Array.from({ length: count }, (_, n) => {
    const label = pick(labels);
    const about = n % 12 === 0 ? "this" : pick(topics[label]);
    return { text: `${pick(["Why", "How come", "Please tell me why"])} is ${about} not working, ${n} “help”?`, label };
  });
}

const taskFor = (baseUrl: string, changes: Partial<TaskDefinition> = {}): Task =>
  defineTask({
    name: "bank",
    input: "text",
    instructions: "What is the question about?",
    output: { kind: "choice", choices: labels },
    columns: { gold: "label" },
    target: { kind: "regret", risk: 0.1 },
    student: { trainer: "linear-text", text: { c: [10] } },
    audit: { uniformRate: 0, rate: 0 },
    teacher: {
      model: "compatible/simulated",
      baseUrl,
      passes: 1,
      price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
    },
    ...changes,
  });

async function open(task: Task): Promise<Flywheel> {
  const flywheel = await openFlywheel({ directory: root, task, env: {} });
  onTestFinished(() => flywheel[Symbol.asyncDispose]());
  return flywheel;
}

async function ask(flywheel: Flywheel, input: OpenAI.DecisionCreateParams["input"]) {
  await using server = await flywheel.serve({ port: 0 });
  const client = new OpenAI({ apiKey: "none", baseURL: `${server.url}/v1`, maxRetries: 0 });
  const choices = labels.map((value) => ({ value }));
  const body = { model: "bank", input, questions: [{ type: "choice" as const, instructions: "", choices }] };
  const { data, response } = await client.decisions.create(body).withResponse();
  const [answer] = data.answers;
  return {
    choice: answer?.type === "choice" ? answer.choice : undefined,
    route: response.headers.get("x-flywheel-route"),
  };
}

/** Headers of one decision; the answer is not what is asked about. */
async function headersOf(flywheel: Flywheel, text: string) {
  await using server = await flywheel.serve({ port: 0 });
  const client = new OpenAI({ apiKey: "none", baseURL: `${server.url}/v1`, maxRetries: 0 });
  const choices = labels.map((value) => ({ value }));
  const questions = [{ type: "choice" as const, instructions: "", choices }];
  const { response } = await client.decisions.create({ model: "bank", input: text, questions }).withResponse();
  const [route, reason, dissent] = ["route", "reason", "dissent"].map((name) =>
    response.headers.get(`x-flywheel-${name}`),
  );
  return { route, reason, dissent };
}

/** Puts a committee into service, whatever calibrate rows say of it: the trained policy under a committee's score. */
async function promoteUnder(
  flywheel: Flywheel,
  { policy, committee }: { readonly policy: Policy; readonly committee: Committee },
) {
  const { store } = flywheel;
  const { size } = committee;
  const id = policyId(createHash("sha256").update(JSON.stringify(committee)).digest("hex"));
  await store.policies.put({ ...policy, id, committee, threshold: (size + (policy.threshold ?? 1)) / (size + 1) });
  const version = (await store.policies.champion())?.version ?? 0;
  const next = { modelId: policy.modelId, policyId: id, at: 1, reason: "the test says so" };
  expect(await store.policies.promote(next, version)).toBe(true);
}

const logOf = (count: number, from = 0): string =>
  questions(count)
    .slice(from)
    .map(({ text, label }) => JSON.stringify({ input: text, output: label }))
    .join("\n");

describe("texts", () => {
  test("from a table to a served decision", async () => {
    const path = join(root, "questions.csv");
    const lines = questions(1_300).map(({ text, label }) => `"${text}",${label}`);
    await writeFile(path, `text,label\n${lines.join("\n")}\n`);
    const { gold, classes } = await loadGoldFile(path, { task: taskFor("http://127.0.0.1:1/v1") });
    await using teacher = await startSimulatedTeacher({ gold, classes });
    const flywheel = await open(taskFor(teacher.url));

    expect(await flywheel.ingest({ path })).toMatchObject({ added: 1_300, gold: { matched: 1_300 } });
    expect((await flywheel.plan()).rows).toBe(1_300);
    await flywheel.label();
    const review = join(root, "review.csv");
    expect(await flywheel.exportReview({ path: review, format: "csv", limit: 20 })).toMatchObject({ items: 20 });
    const filled = (await readFile(review, "utf8")).replaceAll(/,,,(\r?\n)/g, ",card,,$1");
    await writeFile(review, filled);
    const imported = await flywheel.importReview({ path: review, format: "csv", person: "ada" });
    expect(imported.problems).toEqual([]);
    expect(imported.recorded).toBeGreaterThan(0);

    const { policy, promoted } = await flywheel.train();
    expect(promoted).toBe(true);
    expect(policy.certificate?.bound).toBeLessThanOrEqual(0.1);
    expect(policy.coverage.value).toBeGreaterThan(0.8);
    const { htmlPath } = await flywheel.report();
    expect(await readFile(htmlPath, "utf8")).toContain("not working");
    expect(await ask(flywheel, "Why is my password not working?")).toEqual({ choice: "account", route: "answered" });
  }, 60_000);

  test("from a log of the LLM to a served decision, without asking anybody", async () => {
    const path = join(root, "log.jsonl");
    const lines = questions(1_300).map(({ text, label }) => ({
      messages: [
        { role: "system", content: "What is it about?" },
        { role: "user", content: text },
        { role: "assistant", content: JSON.stringify({ topic: label }) },
      ],
    }));
    await writeFile(path, lines.map((line) => JSON.stringify(line)).join("\n"));
    const flywheel = await open(taskFor("http://127.0.0.1:1/v1"));
    const { log } = await flywheel.ingest({ path });
    expect(log).toMatchObject({ format: "openai-chat", calls: 1_300, answered: 1_300, fromTeacher: 1_300 });
    expect(await flywheel.store.labels.count()).toBe(1_300);
    const { promoted } = await flywheel.train();
    expect(promoted).toBe(true);
    // A row that waits for the teacher keeps nobody from serving.
    await writeFile(join(root, "late.csv"), "text,label\nWhy is it so?,card\n");
    expect(await flywheel.ingest({ path: join(root, "late.csv") })).toMatchObject({ added: 1 });
    expect((await flywheel.status()).next.command).toBe("flywheel serve");
    const user = [{ role: "user" as const, content: "How come is the wire not working?" }];
    expect(await ask(flywheel, user)).toEqual({ choice: "transfer", route: "answered" });
    expect((await flywheel.store.spend.totals()).spentUsd).toBe(0);
  }, 60_000);

  test("with a committee of folds: tried, told of, and heard where it is in force", async () => {
    const path = join(root, "log.jsonl");
    await writeFile(path, logOf(1_300));
    const student = {
      trainer: "linear-text",
      text: { c: [10] },
      committee: "folds",
    } satisfies TaskDefinition["student"];
    const flywheel = await open(taskFor("http://127.0.0.1:1/v1", { student }));
    await flywheel.ingest({ path });
    const { policy, card } = await flywheel.train();
    expect(card.members).toBe(5);
    expect(policy.committeeTrial).toMatchObject({ kind: "folds", size: 5, comparison: { p: expect.any(Number) } });
    expect((await flywheel.status()).champion?.policy.committeeTrial).toEqual(policy.committeeTrial);
    const { htmlPath, summary } = await flywheel.report();
    expect(await readFile(htmlPath, "utf8")).toContain("<p>Committee: Answering");
    expect(summary.policy?.committee).toMatchObject({ kind: "folds", size: 5, kept: policy.committee !== undefined });

    const question = "Why is my password not working?";
    await promoteUnder(flywheel, { policy, committee: { kind: "folds", size: 5 } });
    expect(await headersOf(flywheel, question)).toEqual({ route: "answered", reason: null, dissent: "0" });
    const shown = await readFile((await flywheel.report()).htmlPath, "utf8");
    expect(shown).toContain("committee’s score, (members of 5 that agree + confidence) / 6, is at least");
    expect(shown).toContain("Beside the student, 5 models");
  }, 60_000);

  test("with its predecessors: named by the policy, found again after a restart, gone with a rollback", async () => {
    const [first, second] = [join(root, "first.jsonl"), join(root, "second.jsonl")];
    await writeFile(first, logOf(900));
    await writeFile(second, logOf(1_400, 900));
    const student = {
      trainer: "linear-text",
      text: { c: [10] },
      committee: "predecessors",
    } satisfies TaskDefinition["student"];
    const task = taskFor("http://127.0.0.1:1/v1", { student, whenTeacherDown: "refuse" });
    const flywheel = await open(task);
    await flywheel.ingest({ path: first });
    const before = await flywheel.train();
    expect(before.promoted).toBe(true);
    expect(before.policy.committeeTrial).toMatchObject({ kind: "predecessors", size: 0, kept: false });
    await flywheel.ingest({ path: second });
    const { policy } = await flywheel.train();
    expect(policy.modelId).not.toBe(before.card.id);
    expect(policy.committeeTrial).toMatchObject({ kind: "predecessors", size: 1, comparison: expect.anything() });
    // What the predecessor says of rows that came after it is known as well.
    const rowsOf = async (id: ModelId) =>
      (await Array.fromAsync(flywheel.store.predictions.ofModel(id, "held-out"))).length;
    expect(await rowsOf(before.card.id)).toBe(await rowsOf(policy.modelId));

    const question = "Why is my password not working?";
    const committee = { kind: "predecessors", size: 1, members: [before.card.id] } as const;
    await promoteUnder(flywheel, { policy, committee });
    expect(await headersOf(flywheel, question)).toMatchObject({ route: "answered", dissent: "0" });
    await flywheel[Symbol.asyncDispose]();

    const restarted = await open(task);
    expect(await headersOf(restarted, question)).toMatchObject({ route: "answered", dissent: "0" });
    const folder = restarted.store.models.folder(before.card.id);
    await rename(folder, `${folder}.gone`);
    await expect(headersOf(restarted, question)).rejects.toMatchObject({ status: 503 });
    await expect(restarted.improve({ force: true })).rejects.toMatchObject({ code: "committee_missing" });
    await rename(`${folder}.gone`, folder);
    expect(await restarted.rollback()).toMatchObject({ modelId: before.card.id, policyId: before.policy.id });
    expect(await headersOf(restarted, question)).toMatchObject({ route: "answered", dissent: null });
  }, 60_000);
});
