import type OpenAI from "openai";
import { expect, onTestFinished, test } from "vitest";
import type { Student } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { openTeacher } from "../label/teacher.ts";
import { modelId } from "../records.ts";
import { openTestStore, promote } from "../route/testing/fixtures.ts";
import { hashOf } from "../route/testing/names.ts";
import { startSimulatedTeacher } from "../simulate/teacher-server.ts";
import { defineTask, type TaskDefinition } from "../task.ts";
import { identityOfRecord, identityOfText } from "../text/identity.ts";
import { clientOf, startTestServer } from "./testing/world.ts";

const classes = ["spam", "ham"];

/** Sure of spam by an exclamation mark or an amount above 100, sure of ham by "sure" in it, unsure of the rest. */
const student: Student = {
  modelId: modelId(hashOf("m1")),
  classes,
  async predictLogits(batch) {
    const said = batch.map((input) =>
      input.kind === "text" ? input.text : input.kind === "record" ? JSON.stringify(input.fields) : "",
    );
    return Float32Array.from(
      said.flatMap((text) => (/!|"amount":\d{3}/.test(text) ? [4, 0] : /sure/.test(text) ? [0, 4] : [0, 0.1])),
    );
  },
  async [Symbol.asyncDispose]() {},
};

const question = {
  type: "choice",
  instructions: "Is it spam?",
  choices: classes.map((value) => ({ value })),
} as const satisfies OpenAI.DecisionCreateParams.QuestionParamChoice;

/** A server with the official client to talk to it, and what the teacher knows. */
async function openWorld(input: "text" | "record", columns: TaskDefinition["columns"] = {}, asked: Student = student) {
  const gold = new Map<string, string>();
  const simulated = await startSimulatedTeacher({ gold, classes });
  onTestFinished(() => simulated.close());
  const task = defineTask({
    name: "mail",
    input,
    columns,
    instructions: "Is it spam?",
    output: { kind: "choice", choices: ["spam", "ham"] },
    audit: { uniformRate: 0, rate: 0 },
    teacher: {
      model: "compatible/mail",
      baseUrl: simulated.url,
      price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
    },
  });
  const store = await openTestStore();
  await promote(store, task, "m1", { classes });
  const teacher = openTeacher({ task, env: {} });
  const server = await startTestServer({ task, store, teacher, loadStudent: async () => asked });
  const client = clientOf(server);
  const ask = async (given: OpenAI.DecisionCreateParams["input"], headers: Readonly<Record<string, string>> = {}) => {
    const body = { model: "mail", input: given, questions: [{ ...question, choices: [...question.choices] }] };
    const { data, response } = await client.decisions.create(body, { headers }).withResponse();
    const [answer] = data.answers;
    return {
      choice: answer?.type === "choice" ? answer.choice : undefined,
      route: response.headers.get("x-flywheel-route"),
      ...("explanation" in data && { explanation: data.explanation }),
    };
  };
  return { gold, store, ask };
}

const user = (...content: OpenAI.DecisionInputPart[]): OpenAI.DecisionCreateParams["input"] => [
  { role: "user", content },
];

test("a text is answered as a string, as a message, in parts; what is unsure goes to the teacher and becomes a row", async () => {
  const { ask, gold, store } = await openWorld("text");
  expect(await ask("Win now!")).toEqual({ choice: "spam", route: "answered" });
  expect(await ask([{ role: "user", content: "I am sure" }])).toEqual({ choice: "ham", route: "answered" });
  const parts = user({ type: "input_text", text: "I am" }, { type: "input_text", text: "sure" });
  expect(await ask(parts)).toEqual({ choice: "ham", route: "answered" });
  expect(await store.rows.count()).toBe(0);

  gold.set(identityOfText("perhaps <item-0> 苹果"), "spam");
  expect(await ask("perhaps  <item-0> 苹果\n")).toEqual({ choice: "spam", route: "escalated" });
  const [row] = await Array.fromAsync(store.rows.list());
  expect(row).toMatchObject({
    id: identityOfText("perhaps <item-0> 苹果"),
    origin: "traffic",
    input: { kind: "text" },
  });
  expect(await store.annotations.ofRow(row!.id)).toMatchObject([{ pass: 0, value: "spam", simulated: true }]);
});

test("a record is answered as JSON or as text that is JSON, each field read as ingest reads it", async () => {
  const { ask, gold, store } = await openWorld("record", { gold: "label" });
  expect(await ask(user({ type: "input_json", data: { amount: 500, note: "x" } }))).toMatchObject({ choice: "spam" });
  expect(await ask('{"amount": "500"}')).toMatchObject({ choice: "spam", route: "answered" });
  gold.set(identityOfRecord({ amount: 5, note: "hm" }), "ham");
  // The gold column is no feature, and an absent field is a missing one.
  const data = { note: " hm ", amount: "5", label: "spam", other: null };
  expect(await ask(user({ type: "input_json", data }))).toEqual({ choice: "ham", route: "escalated" });
  const [row] = await Array.fromAsync(store.rows.list());
  expect(row?.id).toBe(identityOfRecord({ amount: 5, note: "hm" }));
});

test("what is no text, or no record of the task's features, is refused with the field at fault", async () => {
  const text = await openWorld("text");
  const image = { type: "input_image", image_url: "data:image/png;base64,AA==" } as const;
  await expect(text.ask(user(image))).rejects.toMatchObject({
    status: 400,
    code: "unsupported_input",
    param: "input[0].content[0]",
  });
  await expect(text.ask(" \n ")).rejects.toMatchObject({ status: 400, code: "text_empty", param: "input" });
  await expect(text.ask("a\0b")).rejects.toMatchObject({ status: 400, code: "text_binary" });

  const record = await openWorld("record", { features: { amount: "number", note: "category" } });
  const asked = (data: Record<string, unknown>) => record.ask(user({ type: "input_json", data }));
  await expect(asked({ amount: 1, tenure: 2 })).rejects.toMatchObject({
    status: 400,
    code: "unknown_feature",
    message: expect.stringContaining("tenure"),
  });
  await expect(asked({ amount: "many" })).rejects.toMatchObject({ status: 400, code: "value_not_a_number" });
  await expect(asked({ amount: { x: 1 } })).rejects.toMatchObject({ status: 400, code: "value_not_scalar" });
  await expect(asked({ amount: null })).rejects.toMatchObject({ status: 400, code: "record_empty" });
  // What the client's types forbid, and people write first.
  const bare = { amount: 1 } as unknown as OpenAI.DecisionCreateParams["input"];
  await expect(record.ask(bare)).rejects.toMatchObject({ status: 400, message: expect.stringContaining("input_json") });
  await expect(record.ask("five")).rejects.toMatchObject({ status: 400, code: "unsupported_input" });
  await expect(record.ask('{"amount":1e999}')).rejects.toMatchObject({ status: 400, code: "value_not_finite" });
  expect(await asked({ amount: "700" })).toMatchObject({ choice: "spam" });
});

test("a student gives its reasons on request, and a decision does not hang on them", async () => {
  const contributions = [
    { feature: "amount", contribution: -3 },
    { feature: "note: win", contribution: 0.5 },
    { feature: "note: now", contribution: 0.25 },
  ];
  const explain: Student["explain"] = (input) => {
    if (input.kind === "record" && input.fields["amount"] === 777) {
      throw new FlywheelError("xgboost_missing", "XGBoost's shared library is not on this machine");
    }
    return [{ label: "ham", bias: 0.25, contributions }];
  };
  const { ask } = await openWorld("record", {}, { ...student, explain });
  const asked = (amount: number, headers?: Readonly<Record<string, string>>) =>
    ask(user({ type: "input_json", data: { amount } }), headers);
  expect(await asked(500)).not.toHaveProperty("explanation");
  expect(await asked(500, { "x-flywheel-explain": "1" })).toEqual({
    choice: "spam",
    route: "answered",
    explanation: { logits: [{ label: "ham", bias: 0.25, features: contributions.slice(0, 1), rest: 0.75 }] },
  });
  expect(await asked(777, { "x-flywheel-explain": "3" })).toMatchObject({
    choice: "spam",
    route: "answered",
    explanation: { error: { code: "xgboost_missing" } },
  });
  await expect(asked(500, { "x-flywheel-explain": "all" })).rejects.toMatchObject({
    status: 400,
    param: "x-flywheel-explain",
  });
  const mute = await openWorld("text");
  expect(await mute.ask("Win now!", { "x-flywheel-explain": "3" })).toMatchObject({
    route: "answered",
    explanation: { error: { code: "student_unexplained" } },
  });
});
