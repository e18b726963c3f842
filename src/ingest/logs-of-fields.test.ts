import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fieldsOf } from "../fields.ts";
import type { RowId, TeacherAnnotation } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { type AnyTask, classesOf, defineFieldsTask, type FieldsTask, promptVersion } from "../task.ts";
import { identityOfText } from "../text/identity.ts";
import { teacherVerdict, votesOf } from "../verdict.ts";
import { type IngestSummary, ingest } from "./ingest.ts";
import { createQuestionMatcher } from "./logs/match-questions.ts";
import { isUnread, readAnswer } from "./logs/read-answer.ts";
import { clock, moodTask } from "./testing.ts";

const levels = ["calm", "cross", "furious"];
const taskOf = (moods: readonly string[] = levels): FieldsTask =>
  defineFieldsTask({
    name: "mail",
    input: "text",
    fields: {
      topic: {
        instructions: "About what?",
        output: { kind: "choice", choices: ["bill", { value: "parcel", synonyms: ["delivery"] }] },
      },
      needs_reply: { instructions: "Does it want an answer?", output: { kind: "predicate" } },
      mood: { instructions: "How angry?", output: { kind: "score", levels: moods } },
    },
    teacher: { model: "openai/gpt-4o-mini" },
  });
const task = taskOf();
const names = ["topic", "needs_reply", "mood"];

let root: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-logs-of-fields-"));
  store = await openSqliteStore({ directory: join(root, "store") });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

async function run(lines: readonly unknown[], of: AnyTask = task): Promise<IngestSummary> {
  const path = join(root, "log.jsonl");
  await writeFile(path, lines.map((line) => JSON.stringify(line)).join("\n"));
  return await ingest({ store, task: of, path, clock });
}

const idOf = (text: string): RowId => identityOfText(text) as RowId;

/** By field. */
async function annotationsOf(text: string): Promise<Readonly<Record<string, readonly TeacherAnnotation[]>>> {
  const given = names.map(async (name) => [name, await store.field(name).annotations.ofRow(idOf(text))] as const);
  return Object.fromEntries(await Promise.all(given)) as Record<string, TeacherAnnotation[]>;
}

/** The teacher's word in each field, in order; "–" where there is none. */
async function wordsOf(text: string, of: AnyTask = task): Promise<string> {
  const annotations = Object.values(await annotationsOf(text));
  return annotations.map((own) => teacherVerdict(votesOf(own, promptVersion(of))) ?? "–").join(" ");
}

const chat = (text: string, answer: unknown, prompt = "Read the letter.") => ({
  request: {
    model: "gpt-4o-mini",
    messages: [
      { role: "system", content: prompt },
      { role: "user", content: text },
    ],
  },
  response: {
    model: "gpt-4o-mini-2024-07-18",
    choices: [
      {
        message: { role: "assistant", content: typeof answer === "string" ? answer : JSON.stringify(answer) },
        finish_reason: "stop",
      },
    ],
    usage: { prompt_tokens: 31, completion_tokens: 7 },
  },
});

describe("a JSON answer with a property for each field", () => {
  test("is one row, and one annotation a field under the id of the call, tokens in parts", async () => {
    const summary = await run([
      chat("a", { topic: "bill", needs_reply: true, mood: "cross", why: "it says so" }),
      chat("b", '```json\n{"topic": "Delivery", "needs_reply": "no", "mood": "calm"}\n```'),
    ]);
    expect(summary).toMatchObject({ added: 2, rejected: 0, notes: [] });
    expect(summary.log).toMatchObject({
      calls: 2,
      answered: 2,
      complete: 2,
      fromTeacher: 2,
      unreadable: { count: 0 },
      fields: Object.fromEntries(names.map((name) => [name, { answered: 2, unreadable: 0 }])),
    });
    expect([await wordsOf("a"), await wordsOf("b")]).toEqual(["bill true cross", "parcel false calm"]);
    const given = Object.values(await annotationsOf("a")).flat();
    expect(new Set(given.map(({ id }) => id)).size).toBe(1);
    expect(
      given.map(({ field, pass, promptVersion: version, costUsd }) => ({ field, pass, version, costUsd })),
    ).toEqual(names.map((field) => ({ field, pass: 1, version: promptVersion(task), costUsd: 0 })));
    const tokens = (kind: "inputTokens" | "outputTokens") => given.reduce((sum, { usage }) => sum + usage[kind], 0);
    expect([tokens("inputTokens"), tokens("outputTokens")]).toEqual([31, 7]);
    expect(await store.annotations.ofRow(idOf("a"))).toEqual([]);
  });

  test("may spell their names otherwise, where it is clear which is meant", async () => {
    const clear = { Topic: "bill", needsReply: false, MOOD: "calm" };
    const doubled = { topic: "bill", "needs-reply": true, "Needs reply": false, mood: "calm" };
    const exact = { topic: "bill", needs_reply: true, needsReply: false, mood: "calm" };
    await run([chat("clear", clear), chat("doubled", doubled), chat("exact", exact)]);
    expect(await wordsOf("clear")).toBe("bill false calm");
    expect(await wordsOf("doubled")).toBe("bill – calm");
    expect(await wordsOf("exact")).toBe("bill true calm");
  });

  test("teaches the fields that it labels; the others are on record as unreadable, by field, and asked again", async () => {
    const summary = await run([
      chat("whole", { topic: "bill", needs_reply: true, mood: "cross" }),
      chat("part", { topic: "weather", mood: "calm" }),
      chat("words", "I cannot tell."),
    ]);
    expect(summary.log).toMatchObject({
      calls: 3,
      answered: 2,
      complete: 1,
      fields: {
        topic: { answered: 1, unreadable: 2 },
        needs_reply: { answered: 1, unreadable: 2 },
        mood: { answered: 2, unreadable: 1 },
      },
      unreadable: {
        count: 2,
        first: [
          { source: expect.stringMatching(/log\.jsonl:2$/), text: "topic: weather; needs_reply: left out" },
          { source: expect.stringMatching(/log\.jsonl:3$/), text: "I cannot tell." },
        ],
      },
    });
    expect(summary.notes).toEqual([expect.stringContaining("1 answers leave a field out")]);
    expect(await wordsOf("part")).toBe("– – calm");
    const { topic } = await annotationsOf("part");
    expect(topic).toMatchObject([
      { pass: 0, failure: { code: "log_answer_unreadable", message: expect.stringContaining("weather") } },
    ]);
    for (const name of names) {
      const query = { promptVersion: promptVersion(task), pass: 1, limit: 9, origin: "ingest" } as const;
      const missing = await store.field(name).annotations.missingPass(query);
      expect(missing.map(({ id }) => id).toSorted(), name).toEqual([idOf("part"), idOf("words")].toSorted());
    }
  });

  test("may come in several calls: what one leaves out, another says; read twice, nothing changes", async () => {
    const lines = [
      chat("a", { topic: "bill" }, "About what?"),
      chat("a", { needs_reply: true, mood: "calm" }, "How does it sound?"),
    ];
    await run(lines);
    expect(await wordsOf("a")).toBe("bill true calm");
    const before = await annotationsOf("a");
    expect(await run(lines)).toMatchObject({ added: 0, duplicates: 2 });
    expect(await annotationsOf("a")).toEqual(before);
  });

  test("may leave out a field whose name every object has", async () => {
    const own = defineFieldsTask({
      name: "buildings",
      input: "text",
      fields: {
        constructor: { instructions: "Who built it?", output: { kind: "choice" as const, choices: ["us", "them"] } },
        tall: { instructions: "Is it tall?", output: { kind: "predicate" } },
      },
      teacher: { model: "openai/gpt-4o-mini" },
    });
    const { log } = await run([chat("a", { tall: true }), chat("b", { tall: false, constructor: "us" })], own);
    expect(log?.fields).toEqual({
      constructor: { answered: 1, unreadable: 1 },
      tall: { answered: 2, unreadable: 0 },
    });
    const [annotation] = await store.field("constructor").annotations.ofRow(idOf("a"));
    expect(annotation).toMatchObject({ failure: { code: "log_answer_unreadable" } });
  });

  test("of another task is left out by its prompt; where all are, the log is refused and says what is looked for", async () => {
    const other = [0, 1].map((n) => chat(`c ${n}`, { summary: "long", topic: "weather" }, "Summarise."));
    const ours = chat("a", { topic: "bill", needs_reply: true, mood: "calm" });
    expect((await run([ours, ...other])).log).toMatchObject({ calls: 1, other: 2 });
    await expect(run(other)).rejects.toMatchObject({
      code: "log_not_ours",
      hint: expect.stringContaining("a property for each field"),
    });
  });
});

describe("scores as numbers", () => {
  const score = (n: number, mood: unknown) => chat(`score ${n}`, { topic: "bill", needs_reply: true, mood });

  test("are places of levels from 0, and the summary says so", async () => {
    const summary = await run([score(0, 0), score(1, 2), score(2, "cross"), score(3, 1)]);
    const given = await Promise.all([0, 1, 2, 3].map(async (n) => (await wordsOf(`score ${n}`)).split(" ")[2]));
    expect(given).toEqual(["calm", "furious", "cross", "cross"]);
    expect(summary.notes).toEqual(['mood: 3 numbers are read as places of levels, 0 ("calm") to 2 ("furious")']);
  });

  test.each([3, -1, 1.5])("none of them is where one cannot be: %s, as of a log that counts otherwise", async (odd) => {
    const summary = await run([score(0, 1), score(1, 2), score(2, odd)]);
    expect(summary.log).toMatchObject({ fields: { mood: { answered: 0, unreadable: 3 } } });
    expect(summary.notes).toContainEqual(expect.stringContaining("mood: 1 of 3 numbers are not the place of a level"));
    expect(await wordsOf("score 0")).toBe("bill true –");
  });

  test("of one output are labels where a level is called so and nothing else is", () => {
    const fields = fieldsOf(moodTask({ output: { kind: "score", levels: ["1", "2", "3"] } }));
    const given = ['{"score":2}', "3", '{"score":2,"confidence":1}', '{"score":"3","confidence":1}', '{"score":0}'];
    const read = given.map((text) => readAnswer(fields, { kind: "text", text }, () => true).get(""));
    expect(read.map((one) => (one && !isUnread(one) ? one.value : undefined))).toEqual([
      "2",
      "3",
      undefined,
      "3",
      undefined,
    ]);
  });

  test("are labels where levels are called so; what other prompts of the log count does not matter", async () => {
    const own = taskOf(["1", "2", "3"]);
    const summary = await run(
      [score(0, 1), score(1, 3), ...[7, 8].map((mood) => chat(`o ${mood}`, { mood }, "Other"))],
      own,
    );
    expect([await wordsOf("score 0", own), await wordsOf("score 1", own)]).toEqual(["bill true 1", "bill true 3"]);
    expect(summary).toMatchObject({ notes: [], log: { other: 2 } });
  });
});

describe("Decisions with several questions", () => {
  const questions = {
    topic: { type: "choice", name: "topic", choices: [{ value: "bill" }, { value: "delivery" }] },
    needs_reply: { type: "predicate", name: "needs_reply" },
    mood: { type: "score", name: "mood", levels: levels.map((label) => ({ label })) },
    extra: { type: "choice", name: "extra", choices: [{ value: "x" }, { value: "y" }] },
  };
  const answers = {
    topic: { type: "choice", choice: "delivery", probabilities: [] },
    needs_reply: { type: "predicate", probability: 0.9 },
    mood: {
      type: "score",
      score: 0.9,
      probabilities: levels.map((label, value) => ({ label, value, probability: [0.4, 0.3, 0.3][value] })),
    },
    extra: { type: "choice", choice: "x", probabilities: [] },
  };
  type Name = keyof typeof questions;
  const decision = (order: readonly Name[], nameOf: (name: Name) => string | null = (name) => name) => ({
    request: {
      model: "gpt-4o-mini",
      input: "a letter",
      questions: order.map((name) => ({ ...questions[name], name: nameOf(name), instructions: `${name}?` })),
    },
    response: { model: "gpt-4o-mini", answers: order.map((name) => answers[name]), usage: { input_tokens: 9 } },
  });

  test.each([
    ["by their names, in any order, beside questions of others", decision(["extra", "mood", "topic", "needs_reply"])],
    ["by the labels that they offer", decision(["mood", "extra", "needs_reply", "topic"], () => null)],
    [
      "some by name, the rest by labels",
      decision(["mood", "extra", "needs_reply", "topic"], (n) => (n === "mood" ? n : "?")),
    ],
  ])("are matched %s", async (_, line) => {
    const { log } = await run([line]);
    expect(log).toMatchObject({ format: "openai-decisions", answered: 1, complete: 1 });
    expect(log?.prompts[0]?.prompt).not.toContain("extra?");
    expect(await wordsOf("a letter")).toBe("parcel true calm");
    const { needs_reply, mood } = await annotationsOf("a letter");
    expect(needs_reply?.[0]?.probabilities).toEqual({ true: 0.9, false: expect.closeTo(0.1, 12) });
    expect(mood?.[0]?.probabilities).toEqual({ calm: 0.4, cross: 0.3, furious: 0.3 });
  });

  test("by their place where nothing else tells, and only where there are as many", () => {
    const match = createQuestionMatcher(
      defineFieldsTask({
        name: "two",
        input: "text",
        fields: {
          late: { instructions: "Late?", output: { kind: "predicate" } },
          rude: { instructions: "Rude?", output: { kind: "predicate" } },
        },
        teacher: { model: "openai/gpt-4o-mini" },
      }),
    );
    const predicate = { type: "predicate", instructions: "?" };
    expect(match([predicate, predicate])).toEqual(["late", "rude"]);
    expect(match([predicate, predicate, predicate])).toEqual([undefined, undefined, undefined]);
    expect(match([{ ...predicate, name: "rude" }, predicate])).toEqual(["rude", "late"]);
  });

  test("that one refuses leave that field without a label", async () => {
    const line = decision(["topic", "needs_reply", "mood"]);
    const refusing = line.response.answers.map((one) => (one?.type === "predicate" ? { type: "refusal" } : one));
    const { log } = await run([{ ...line, response: { ...line.response, answers: refusing } }]);
    expect(log?.unreadable.first).toMatchObject([{ text: "needs_reply: the question was refused" }]);
    expect(await wordsOf("a letter")).toBe("parcel – calm");
  });

  test("are one output's where the name or the labels say so, and nobody's where two may be", () => {
    const match = createQuestionMatcher(moodTask());
    const choice = { type: "choice", choices: [{ value: "good" }, { value: "awful" }] };
    const score = { type: "score", levels: [{ label: "low" }, { label: "high" }] };
    expect(match([score, choice])).toEqual([undefined, ""]);
    expect(match([choice, choice])).toEqual([undefined, undefined]);
    expect(match([choice, { ...choice, name: "mood" }])).toEqual([undefined, ""]);
    expect(match([score])).toEqual([""]);
  });
});

test("whatever labels an answer gives its fields, they are read back, however the properties are written", () => {
  const fields = fieldsOf(task);
  const written = (name: string, style: number) =>
    [name, name.toUpperCase(), name.replaceAll("_", "-"), name.replace(/_(\w)/g, (_, c: string) => c.toUpperCase())][
      style
    ]!;
  const given = fc.tuple(...fields.map(({ task: own }) => fc.option(fc.constantFrom(...classesOf(own)))));
  fc.assert(
    fc.property(given, fc.nat(3), fc.boolean(), (labels, style, isFenced) => {
      const pairs = fields.flatMap(({ name }, index) => (labels[index] ? [[written(name, style), labels[index]]] : []));
      const json = JSON.stringify(Object.fromEntries(pairs));
      const text = isFenced ? `\`\`\`json\n${json}\n\`\`\`` : json;
      const read = readAnswer(fields, { kind: "text", text }, () => false);
      expect([...read.values()].map((one) => (isUnread(one) ? null : one.value))).toEqual(labels);
    }),
  );
});
