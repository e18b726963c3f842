import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TeacherAnnotation } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { promptVersion } from "../task.ts";
import { identityOfRecord, identityOfText } from "../text/identity.ts";
import { teacherVerdict, votesOf } from "../verdict.ts";
import { type IngestSummary, ingest } from "./ingest.ts";
import type { IngestOptions } from "./ingest-options.ts";
import { recogniseLog } from "./logs/recognise.ts";
import { clock, moodTask } from "./testing.ts";

const task = moodTask();

let root: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-logs-"));
  store = await openSqliteStore({ directory: join(root, "store") });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

async function write(name: string, lines: readonly unknown[]): Promise<string> {
  const path = join(root, name);
  await writeFile(path, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return path;
}

async function run(lines: readonly unknown[], changes: Partial<IngestOptions> = {}): Promise<IngestSummary> {
  return await ingest({ store, task, path: await write("log.jsonl", lines), clock, ...changes });
}

async function annotationOf(text: string): Promise<TeacherAnnotation | undefined> {
  const rows = await Array.fromAsync(store.rows.list());
  const row = rows.find(({ id }) => id === identityOfText(text));
  const [annotation] = row ? await store.annotations.ofRow(row.id) : [];
  return annotation?.annotator === "teacher" ? annotation : undefined;
}

const system = { role: "system", content: "Is the mood good or bad? Answer with JSON." };
const user = (content: unknown) => ({ role: "user", content });
const completion = (content: string | null, more: object = {}) => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1_700_000_000,
  model: "gpt-4o-mini-2024-07-18",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content, refusal: null, ...more },
      logprobs: null,
      finish_reason: "stop",
    },
  ],
  usage: { prompt_tokens: 30, completion_tokens: 4, total_tokens: 34 },
});
const chat = (text: string, content: string | null, more: object = {}) => ({
  request: { model: "gpt-4o-mini", messages: [system, user(text)] },
  response: completion(content, more),
  latency_ms: 420,
});

describe("OpenAI chat logs", () => {
  test("become rows with the answer that came with them, as the teacher's first pass", async () => {
    const summary = await run([
      chat("lovely day", '{"mood": "good"}'),
      chat("rain again", '```json\n{"mood":"Awful"}\n```'),
    ]);
    expect(summary).toMatchObject({ added: 2, rejected: 0 });
    expect(summary.log).toMatchObject({
      format: "openai-chat",
      calls: 2,
      answered: 2,
      fromTeacher: 2,
      models: { "gpt-4o-mini-2024-07-18": 2 },
      prompts: [{ prompt: system.content, calls: 2, answered: 2, isOurs: true }],
    });
    const annotation = await annotationOf("lovely day");
    expect(annotation).toMatchObject({
      pass: 1,
      value: "good",
      teacher: "gpt-4o-mini-2024-07-18",
      simulated: false,
      promptVersion: promptVersion(task),
      usage: { inputTokens: 30, outputTokens: 4 },
      costUsd: 0,
      latencyMs: 420,
      at: 1_700_000_000_000,
    });
    expect(teacherVerdict(votesOf([annotation!], promptVersion(task)))).toBe("good");
    expect(await store.spend.totals()).toMatchObject({ spentUsd: 0 });
  });

  test("are read in every form in which they are kept", async () => {
    const messages = [
      system,
      user([
        { type: "text", text: "part one" },
        { type: "text", text: "part two" },
      ]),
    ];
    const call = { id: "c", type: "function", function: { name: "mood", arguments: '{"value":"bad"}' } };
    await run([
      { ...completion("good"), messages },
      {
        messages: [
          system,
          user("before"),
          { role: "assistant", content: "bad" },
          user("fine-tuned"),
          { role: "assistant", content: "Good." },
        ],
      },
      { request: JSON.stringify({ messages: [system, user("as text")] }), response: JSON.stringify(completion("bad")) },
      { request: { messages: [system, user("by a tool")] }, response: completion(null, { tool_calls: [call] }) },
    ]);
    const answers = ["part one\npart two", "fine-tuned", "as text", "by a tool"].map(annotationOf);
    expect((await Promise.all(answers)).map((annotation) => annotation?.value)).toEqual(["good", "good", "bad", "bad"]);
  });

  test("of several tools that were called, the one that gives a label counts; where two differ, none", async () => {
    const called = (name: string, given: object) => ({
      type: "function",
      function: { name, arguments: JSON.stringify(given) },
    });
    const chatOf = (text: string, ...calls: readonly object[]) => chat(text, null, { tool_calls: calls });
    const summary = await run([
      chatOf("search first", called("search", { query: "weather" }), called("mood", { mood: "bad" })),
      chatOf("twice", called("mood", { mood: "good" }), called("mood", { mood: "good" })),
      chatOf("contradiction", called("search", { query: "good" }), called("mood", { mood: "bad" })),
    ]);
    expect(summary.log).toMatchObject({ calls: 3, answered: 2 });
    expect((await annotationOf("search first"))?.value).toBe("bad");
    expect((await annotationOf("twice"))?.value).toBe("good");
    expect((await annotationOf("contradiction"))?.failure).toMatchObject({ code: "log_answer_unreadable" });
  });

  test("that a filter has withheld are no answers, though words came with them", async () => {
    const withheld = completion("good");
    const summary = await run([
      chat("a", "bad"),
      {
        ...chat("b", null),
        response: { ...withheld, choices: [{ ...withheld.choices[0], finish_reason: "content_filter" }] },
      },
    ]);
    expect(summary.log).toMatchObject({ calls: 2, answered: 1, failed: 1 });
    expect(summary.log?.unreadable.first.map(({ text }) => text)).toEqual(["the answer was withheld by a filter"]);
  });

  test("with the bytes of an image in place of words are refused, in parts and without", async () => {
    const address = `data:image/png;base64,${"iVBORw0KGgo".repeat(20)}`;
    const summary = await run([
      chat("a", "good"),
      chat(address, "good"),
      { ...chat("", "bad"), request: { messages: [system, user([{ type: "text", text: address }])] } },
    ]);
    expect(summary.rejections.map(({ code, message }) => `${code} ${message}`)).toEqual(
      Array(2).fill(expect.stringMatching(/^log_input_no_text what was asked holds an image \(image\/png\)/)),
    );
  });

  test.each([
    ["one after another", "", ""],
    ["in a list", "[", "]"],
  ])("printed over several lines, %s, are read under the name of JSONL", async (_, before, after) => {
    const calls = [chat("a", "good"), chat("b", "bad")].map((call) => JSON.stringify(call, null, 2));
    const summary = await run([before + calls.join(before === "" ? "\n" : ",\n") + after]);
    expect(summary).toMatchObject({ added: 2, rejected: 0, log: { answered: 2 } });
  });

  test("whose answers mean no label are rows all the same, and are listed", async () => {
    const cut = completion("goo");
    const summary = await run([
      chat("a", "good"),
      chat("b", "bad"),
      chat("c", "good"),
      chat("d", "It depends: good or bad."),
      { ...chat("e", null), response: { ...cut, choices: [{ ...cut.choices[0], finish_reason: "length" }] } },
      chat("f", null, { refusal: "I cannot help with that" }),
      chat("", "good"),
      {
        request: { messages: [user([{ type: "image_url", image_url: { url: "data:," } }]), system] },
        response: completion("good"),
      },
    ]);
    expect(summary.log).toMatchObject({ calls: 6, answered: 3, unreadable: { count: 3 } });
    expect(summary.log?.unreadable.first.map(({ source, text }) => `${source.split(":").at(-1)} ${text}`)).toEqual([
      "4 It depends: good or bad.",
      "5 the answer was cut short",
      "6 the model refused: I cannot help with that",
    ]);
    expect(summary.rejections.map(({ code }) => code)).toEqual(["text_empty", "log_input_no_text"]);
    expect((await annotationOf("d"))?.failure).toMatchObject({ code: "log_answer_unreadable" });
  });

  test("leave out what asks something else, by the prompt; another model's answers count for nothing yet", async () => {
    const other = (n: number) => ({
      request: { messages: [{ role: "system", content: "Summarise." }, user(`long text ${n}`)] },
      response: completion(n === 0 ? "good" : `summary ${n}`),
    });
    const foreign = { ...chat("from afar", "good"), response: { ...completion("good"), model: "claude-haiku-4-5" } };
    const summary = await run([chat("a", "good"), ...[0, 1, 2].map(other), foreign]);
    expect(summary.log).toMatchObject({ calls: 2, other: 3, answered: 2, fromTeacher: 1 });
    expect(summary.ignored).toEqual({ "calls of other tasks": 3 });
    expect(summary.log?.prompts.map(({ isOurs }) => isOurs)).toEqual([false, true]);
    expect(summary.notes).toEqual([
      expect.stringMatching(/1 answers are not of openai\/gpt-4o-mini .*claude-haiku-4-5/),
    ]);
    expect((await annotationOf("from afar"))?.promptVersion).not.toBe(promptVersion(task));
  });

  test("of another task altogether are refused as a whole", async () => {
    await expect(run([chat("a", "42"), chat("b", "43")])).rejects.toMatchObject({
      code: "log_not_ours",
      message: expect.stringMatching(/in 0 of 2 calls; one answer was "42"$/),
    });
    expect(await store.rows.count()).toBe(0);
  });

  test("read twice change nothing", async () => {
    const lines = [chat("a", "good"), chat("a", "bad"), chat("b", "bad")];
    await run(lines);
    expect(await run(lines)).toMatchObject({ added: 0, duplicates: 3 });
    expect((await annotationOf("a"))?.value).toBe("good");
  });
});

describe("Decisions logs", () => {
  const decision = (input: unknown, choice: unknown, probabilities?: readonly unknown[]) => ({
    request: {
      model: "gpt-4o-mini",
      input,
      questions: [
        { type: "score", name: "length", instructions: "How long?" },
        { type: "choice", name: "mood", instructions: "Which mood?", choices: [{ value: "good" }, { value: "bad" }] },
      ],
    },
    response: {
      model: "gpt-4o-mini",
      answers: [
        { type: "score", name: "length", score: 2, confidence: 1, probabilities: [] },
        choice === null
          ? { type: "refusal", name: "mood" }
          : { type: "choice", name: "mood", choice, confidence: 0.8, probabilities: probabilities ?? [] },
      ],
      usage: { input_tokens: 12, output_tokens: 1 },
    },
  });

  test("give the answer to the task's question, with its probabilities", async () => {
    const shares = [
      { value: "good", probability: 0.8 },
      { value: "bad", probability: 0.2 },
    ];
    const parts = [{ role: "user", content: [{ type: "input_text", text: "in parts" }] }];
    const summary = await run([decision("plain", "good", shares), decision(parts, "bad"), decision("none", null)]);
    expect(summary.log).toMatchObject({ format: "openai-decisions", calls: 3, answered: 2 });
    expect(await annotationOf("plain")).toMatchObject({
      value: "good",
      probabilities: { good: 0.8, bad: 0.2 },
      usage: { inputTokens: 12, outputTokens: 1 },
    });
    expect((await annotationOf("in parts"))?.value).toBe("bad");
  });

  test("of records are records", async () => {
    const own = moodTask({ input: "record", output: { kind: "predicate" } });
    const line = {
      request: {
        input: [{ role: "user", content: [{ type: "input_json", data: { amount: "500", vip: true } }] }],
        questions: [{ type: "predicate", instructions: "Which mood?" }],
      },
      response: { model: "gpt-4o-mini", answers: [{ type: "predicate", name: null, probability: 0.1 }] },
    };
    expect((await run([line], { task: own })).log).toMatchObject({ answered: 1 });
    const [row] = await Array.fromAsync(store.rows.list());
    expect(row).toMatchObject({ id: identityOfRecord({ amount: 500, vip: true }), input: { kind: "record" } });
    expect(await store.annotations.ofRow(row!.id)).toMatchObject([
      { value: "false", probabilities: { true: 0.1, false: 0.9 } },
    ]);
  });
});

test("the output of a batch is joined with its requests, in any order; what failed there is listed", async () => {
  const request = (id: string, text: string) => ({
    custom_id: id,
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "gpt-4o-mini", messages: [system, user(text)] },
  });
  const output = (id: string, body: object | null, error: object | null = null) => ({
    id: `batch_req_${id}`,
    custom_id: id,
    response: body && { status_code: 200, request_id: "r", body },
    error,
  });
  const requestsPath = await write(
    "input.jsonl",
    ["1", "2", "3"].map((id) => request(id, `text ${id}`)),
  );
  const lines = [
    output("2", completion("bad")),
    output("1", completion("good")),
    output("3", null, {
      code: "batch_expired",
      message: "This request could not be executed before the window ended.",
    }),
    output("9", completion("good")),
  ];
  const summary = await run(lines, { requestsPath });
  expect(summary.log).toMatchObject({ format: "openai-batch", calls: 3, answered: 2 });
  expect(summary.log?.unreadable.first).toMatchObject([
    { source: expect.stringMatching(/:3$/), text: expect.stringContaining("before the window ended") },
  ]);
  expect(summary.rejections).toMatchObject([{ code: "log_request_missing", message: expect.stringContaining('"9"') }]);
  expect((await annotationOf("text 2"))?.value).toBe("bad");
  await expect(run(lines)).rejects.toMatchObject({ code: "log_requests_missing" });
});

describe("OpenTelemetry spans", () => {
  const messages = [{ role: "user", parts: [{ type: "text", content: "from a span" }] }];
  const replies = [{ role: "assistant", parts: [{ type: "text", content: "good" }], finish_reason: "stop" }];
  const attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 21,
    "gen_ai.usage.output_tokens": 2,
    "gen_ai.system_instructions": JSON.stringify([{ type: "text", content: "Which mood?" }]),
    "gen_ai.input.messages": JSON.stringify(messages),
    "gen_ai.output.messages": JSON.stringify(replies),
  };
  const times = { startTimeUnixNano: "1700000000000000000", endTimeUnixNano: "1700000000250000000" };

  test("of an OTLP export are read span by span; other spans are counted", async () => {
    const listed = Object.entries(attributes).map(([key, value]) => ({
      key,
      value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value },
    }));
    const spans = [
      { traceId: "1", spanId: "1", name: "chat gpt-4o-mini", attributes: listed, ...times },
      {
        traceId: "1",
        spanId: "2",
        name: "GET /",
        attributes: [{ key: "http.route", value: { stringValue: "/" } }],
        ...times,
      },
    ];
    const summary = await run([{ resourceSpans: [{ scopeSpans: [{ spans }] }] }]);
    expect(summary.log).toMatchObject({ format: "otel", calls: 1, answered: 1, other: 1 });
    expect(await annotationOf("from a span")).toMatchObject({
      value: "good",
      latencyMs: 250,
      at: 1_700_000_000_250,
      usage: { inputTokens: 21, outputTokens: 2 },
    });
  });

  test("one a line, with content in an event, or by OpenLLMetry's names", async () => {
    const { "gen_ai.input.messages": input, "gen_ai.output.messages": output, ...rest } = attributes;
    const older = {
      "gen_ai.request.model": "gpt-4o-mini",
      "gen_ai.prompt.0.role": "system",
      "gen_ai.prompt.0.content": "Which mood?",
      "gen_ai.prompt.1.role": "user",
      "gen_ai.prompt.1.content": "an older span",
      "gen_ai.completion.0.role": "assistant",
      "gen_ai.completion.0.content": "bad",
    };
    await run([
      {
        name: "chat",
        attributes: rest,
        events: [{ attributes: { "gen_ai.input.messages": JSON.parse(input), "gen_ai.output.messages": output } }],
      },
      { name: "openai.chat", attributes: older },
    ]);
    expect((await annotationOf("from a span"))?.value).toBe("good");
    expect((await annotationOf("an older span"))?.value).toBe("bad");
  });
});

test("plain pairs of input and output are a log; the same lines with the text named are a table", async () => {
  const lines = [
    { input: "x", output: "good" },
    { input: "y", output: { mood: "bad" } },
    { input: [user("z")], output: "good", model: "gpt-4o-mini" },
  ];
  expect((await run(lines)).log).toMatchObject({ format: "input-output", answered: 3, fromTeacher: 3 });
  expect((await annotationOf("z"))?.value).toBe("good");
  const named = await run(lines.slice(0, 2), { task: moodTask({ columns: { text: "input" } }) });
  expect(named.log).toBeUndefined();
  expect(named).toMatchObject({ duplicates: 2 });
  const path = await write("pairs.csv", ["input,output", "x,good", "new,bad"]);
  expect(await ingest({ store, task, path, clock })).not.toHaveProperty("log");
  expect(await ingest({ store, task, path, clock, format: "input-output" })).toMatchObject({ log: { answered: 2 } });
});

test("whatever stands in a log is read or refused: nothing else is thrown", async () => {
  const keys = [
    "request",
    "response",
    "messages",
    "choices",
    "questions",
    "answers",
    "attributes",
    "input",
    "output",
    "custom_id",
  ];
  const piece = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(fc.constantFrom(...keys, "role", "content", "body"), fc.jsonValue()),
  );
  const lines = fc.array(fc.dictionary(fc.constantFrom(...keys), piece), { minLength: 1, maxLength: 5 });
  const format = fc.constantFrom("openai-chat", "openai-decisions", "openai-batch", "otel", "input-output");
  await fc.assert(
    fc.asyncProperty(lines, format, async (given, as) => {
      recogniseLog(given);
      await run(given, { format: as }).catch((thrown: unknown) =>
        expect(thrown).toMatchObject({ code: expect.stringMatching(/^(?:log_|ingest_nothing_found)/) }),
      );
    }),
    { numRuns: 40 },
  );
});
