import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { TeacherAnswer, TeacherError, TeacherFieldsAnswer, TeacherRequest } from "../contracts.ts";
import { contentHash } from "../simulate/gold-file.ts";
import { type SimulatedTeacherOptions, startSimulatedTeacher } from "../simulate/teacher-server.ts";
import { createLeanFetch } from "./lean-fetch.ts";
import type { Fetch } from "./provider.ts";
import { openTeacher } from "./teacher.ts";
import { fruitTask } from "./testing/fixtures.ts";

const text = "long, yellow, curved";
const classes = ["apple", "pear", "orange"];
const request = (changes: Partial<TeacherRequest> = {}): TeacherRequest => ({
  input: { kind: "text", text },
  pass: 1,
  idempotencyKey: "key-1",
  ...changes,
});

async function openSimulated(options: Partial<SimulatedTeacherOptions> = {}, teacherOptions = {}, env = {}) {
  const gold = new Map([[contentHash(text), "pear"]]);
  const server = await startSimulatedTeacher({ gold, classes, ...options });
  onTestFinished(() => server.close());
  const task = fruitTask({ teacher: { baseUrl: server.url, timeoutMs: 30_000, ...teacherOptions } });
  return { server, teacher: openTeacher({ task, env }) };
}

/** A provider's servers, as far as one answer goes: whatever the address, it comes over a socket and the lean fetch. */
function answering(body: unknown, { status = 200, headers = {} }: Answering = {}) {
  const sent: { readonly url: string; readonly headers: Headers; readonly body: Record<string, unknown> }[] = [];
  const server = createServer((asked, response) => {
    asked.resume();
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });
  const listening = once(server.listen(0, "127.0.0.1"), "listening");
  const lean = createLeanFetch();
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const fetch: Fetch = async (url, options) => {
    sent.push({ url: String(url), headers: new Headers(options?.headers), body: JSON.parse(String(options?.body)) });
    await listening;
    return await lean(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, options);
  };
  return { fetch, sent };
}

type Answering = { readonly status?: number; readonly headers?: Readonly<Record<string, string>> };

const completion = (content: string, more: object = {}) => ({
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop", ...more }],
  usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
});

const oneOf = (answer: TeacherAnswer | TeacherFieldsAnswer): TeacherAnswer =>
  "value" in answer ? answer : expect.unreachable("the task has one output");

const failureOf = async (asked: Promise<unknown>): Promise<TeacherError> =>
  await asked.then(
    () => expect.unreachable("it should have failed"),
    (thrown) => thrown,
  );

describe("a teacher behind the OpenAI protocol", () => {
  test("answers with label, probabilities, usage and cost", async () => {
    const { teacher } = await openSimulated({ errorRate: 0.3, correlation: 1 });
    const answer = oneOf(await teacher.ask(request()));
    expect(classes).toContain(answer.value);
    expect(answer.probabilities?.[answer.value]).toBeCloseTo(0.7);
    expect(answer.costUsd).toBeCloseTo((answer.usage.inputTokens + answer.usage.outputTokens) / 1e6, 12);
    expect(answer.costUsd).toBeLessThan(teacher.maxCostUsd(request()));
  });

  test("says that it is simulated as soon as the server does", async () => {
    const { teacher } = await openSimulated();
    expect(teacher.simulated).toBe(false);
    await teacher.ask(request());
    expect(teacher.simulated).toBe(true);
    const named = fruitTask({ teacher: { model: "compatible/simulated" } });
    expect(openTeacher({ task: named, env: {} }).simulated).toBe(true);
  });

  test.each([{ pOffSchema: 1 }, { pMalformed: 1 }, { p429: 1 }, { p5xx: 1 }])(
    "also where what came is no answer: %o",
    async (faults) => {
      const { teacher } = await openSimulated(faults);
      await failureOf(teacher.ask(request()));
      expect(teacher.simulated).toBe(true);
    },
  );

  test("a repeat under the same key is replayed, not charged", async () => {
    const { teacher, server } = await openSimulated();
    const [first, again] = [oneOf(await teacher.ask(request())), oneOf(await teacher.ask(request()))];
    expect(again.value).toBe(first.value);
    expect(server.stats()).toMatchObject({ charged: 1, replayed: 1, paidTwice: 0 });
  });

  test.each([
    ["429", { p429: 1 }, { code: "teacher_rate_limited", retryable: true, retryAfterMs: 50, inDoubt: false }],
    ["500", { p5xx: 1 }, { code: "teacher_unavailable", retryable: true, inDoubt: false }],
    ["a hang", { pHang: 1 }, { code: "teacher_timeout", retryable: true, inDoubt: true }],
    ["a connection cut after the charge", { pCut: 1 }, { code: "teacher_unavailable", retryable: true, inDoubt: true }],
    ["JSON that ends half-way", { pMalformed: 1 }, { code: "teacher_off_schema", retryable: true, inDoubt: false }],
    ["a label that is none", { pOffSchema: 1 }, { code: "teacher_off_schema", retryable: true, inDoubt: false }],
  ])("%s becomes a coded error", async (_, faults, expected) => {
    const { teacher } = await openSimulated(faults, "pHang" in faults ? { timeoutMs: 300 } : {});
    expect(await failureOf(teacher.ask(request()))).toMatchObject(expected);
  });

  test("a useless answer says what it cost", async () => {
    const { teacher } = await openSimulated({ pOffSchema: 1 });
    const { costUsd, usage, message } = await failureOf(teacher.ask(request()));
    expect(costUsd).toBeGreaterThan(0);
    expect(usage.outputTokens).toBeGreaterThan(0);
    expect(message).toContain("none-of-the-labels");
  });

  test("a server that is not there was certainly not charged for", async () => {
    const { teacher, server } = await openSimulated();
    await server.close();
    expect(await failureOf(teacher.ask(request()))).toMatchObject({ code: "teacher_unavailable", inDoubt: false });
  });

  test("the caller's signal ends every request that it was given to, with its own reason", async () => {
    const { teacher } = await openSimulated({ pHang: 1 }, { timeoutMs: 60_000 });
    const controller = new AbortController();
    const asked = ["key-1", "key-2"].map((key) => teacher.ask(request({ idempotencyKey: key }), controller.signal));
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await Promise.all(asked.map((one) => expect(one).rejects.toThrow("enough")));
    await expect(teacher.ask(request(), controller.signal)).rejects.toThrow("enough");
  });

  test("the key comes from the environment and appears in no error", async () => {
    const key = "sk-very-secret-0123456789";
    const task = { apiKeyEnv: "MY_KEY" };
    const right = await openSimulated({ apiKey: key }, task, { MY_KEY: key });
    await expect(right.teacher.ask(request())).resolves.toBeDefined();
    const wrong = await openSimulated({ apiKey: "another" }, task, { MY_KEY: key });
    const error = await failureOf(wrong.teacher.ask(request()));
    expect(error).toMatchObject({ code: "teacher_unauthorised", retryable: false });
    expect(error.hint).toContain("MY_KEY");
    const { fetch } = answering(`{"error":{"message":"Incorrect API key provided: ${key}"}}`, { status: 401 });
    const echoed = openTeacher({ task: fruitTask({ teacher: task }), env: { MY_KEY: key }, fetch });
    const echo = await failureOf(echoed.ask(request()));
    for (const thrown of [error, echo]) expect(allOf(thrown)).not.toContain(key);
    expect(echo.message).toContain("[key]");
  });
});

/** Everything that a logger could print of an error. */
function allOf(thrown: unknown): string {
  const seen = new Set<unknown>();
  const all = (value: unknown): string => {
    if (typeof value !== "object" || value === null || seen.has(value)) return String(value);
    seen.add(value);
    return Reflect.ownKeys(value)
      .map((key) => `${String(key)}=${all(Reflect.get(value, key))}`)
      .join("\n");
  };
  return all(thrown);
}

describe("what is read from an answer", () => {
  const open = (body: unknown, task = fruitTask()) => openTeacher({ task, env: {}, ...answering(body) });

  test.each([
    ["another case and accents", '{"label":"Äpple"}', "apple"],
    ["a synonym", '{"label":"Birne"}', "pear"],
    ["JSON in a code fence", '```json\n{"label":"pear"}\n```', "pear"],
    ["the bare label", " Pear. ", "pear"],
  ])("%s", async (_, content, value) => {
    const choices = ["apple", { value: "pear", synonyms: ["Birne"] }];
    const task = fruitTask({ output: { kind: "choice", choices } });
    expect(await open(completion(content), task).ask(request())).toMatchObject({ value });
  });

  test("a predicate's answer as a boolean", async () => {
    const task = fruitTask({ output: { kind: "predicate" } });
    expect(await open(completion('{"label": true}'), task).ask(request())).toMatchObject({ value: "true" });
  });

  test("an answer is read past thoughts, among words, and by its name; what none of it is, a person is shown", async () => {
    const thought = "<think>An apple? No.</think> ";
    for (const said of [`${thought}pear`, `${thought}Here: {"label":"pear"} I hope.`, `${thought}**Label:** pear`]) {
      expect(oneOf(await open(completion(said)).ask(request())).value).toBe("pear");
    }
    const vague = await failureOf(open(completion(`${thought}It depends.`)).ask(request()));
    expect(vague).toMatchObject({ code: "teacher_off_schema", answer: "It depends." });
    expect(vague.message).toContain('"It depends."');
    const cut = await failureOf(open(completion("<think>Let me see", { finish_reason: "length" })).ask(request()));
    expect(cut).toMatchObject({
      answer: "<think>Let me see",
      message: expect.stringContaining("cut short after 10 tokens"),
    });
  });

  test("an answer cut off at the token limit is none, even where it looks like one", async () => {
    const teacher = open(completion('{"label":"pear"}', { finish_reason: "length" }));
    expect(await failureOf(teacher.ask(request()))).toMatchObject({ code: "teacher_off_schema", costUsd: 110 / 1e6 });
  });

  test("a filtered answer is final for the row", async () => {
    const teacher = open(completion("", { finish_reason: "content_filter" }));
    expect(await failureOf(teacher.ask(request()))).toMatchObject({ code: "teacher_refused", retryable: false });
  });

  test.each([[{}], [{ choices: [] }], ['{"choices":[{"mess']])(
    "JSON that is no answer was charged, and is counted in full: %j",
    async (body) => {
      const teacher = open(body);
      const costUsd = teacher.maxCostUsd(request());
      const expected = { code: "teacher_unreadable", retryable: true, costUsd, inDoubt: false };
      expect(await failureOf(teacher.ask(request()))).toMatchObject(expected);
    },
  );

  test.each([
    ["a page, which a proxy may have put in the place of an answer", "<html>sign in</html>", 200, true],
    ["an empty body", "", 200, true],
    ["a redirect", "", 302, false],
    ["a page that rejects the request", "<html>Bad Request</html>", 400, false],
  ])("%s: is unreadable, and costs nothing that is certain", async (_, body, status, inDoubt) => {
    const teacher = openTeacher({ task: fruitTask(), env: {}, ...answering(body, { status }) });
    const expected = { code: "teacher_unreadable", retryable: true, costUsd: 0, inDoubt };
    expect(await failureOf(teacher.ask(request()))).toMatchObject(expected);
  });

  test("a request that is too large for a proxy is about the row", async () => {
    const page = answering("<html>Request Entity Too Large</html>", { status: 413 });
    const teacher = openTeacher({ task: fruitTask(), env: {}, ...page });
    expect(await failureOf(teacher.ask(request()))).toMatchObject({ code: "teacher_bad_request", retryable: false });
  });

  test("headers that say the limit is used up reach the pace", async () => {
    const headers = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "250ms" };
    const { fetch } = answering(completion('{"label":"pear"}'), { headers });
    const answer = await openTeacher({ task: fruitTask(), env: {}, fetch }).ask(request());
    expect(answer.exhaustedForMs).toBe(250);
  });
});

describe("what is sent", () => {
  const sentFor = async (task = fruitTask(), changes: Partial<TeacherRequest> = {}) => {
    const { fetch, sent } = answering(completion('{"label":"pear"}'));
    await openTeacher({ task, env: {}, fetch }).ask(request(changes));
    return sent[0]!;
  };

  test("the idempotency key, the schema and the temperature of the pass", async () => {
    const { headers, body } = await sentFor();
    expect(headers.get("idempotency-key")).toBe("key-1");
    expect(body).toMatchObject({ model: "test", temperature: 0, logprobs: true });
    expect(JSON.stringify(body["response_format"])).toContain('"enum":["apple","pear","orange"]');
    expect((await sentFor(fruitTask(), { pass: 2 })).body).toMatchObject({ temperature: 0.7 });
  });

  test("an image goes as its bytes", async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const { body } = await sentFor(fruitTask(), { input: { kind: "image", bytes, mediaType: "image/png" } });
    expect(JSON.stringify(body)).toContain(`data:image/png;base64,${Buffer.from(bytes).toString("base64")}`);
  });

  test("pass 2 and 3 go to the second model, at temperature 0", async () => {
    const task = fruitTask({ teacher: { secondModel: "compatible/other", passes: 2 } });
    expect((await sentFor(task, { pass: 2 })).body).toMatchObject({ model: "other", temperature: 0 });
    expect((await sentFor(task, { pass: 0 })).body).toMatchObject({ model: "test" });
  });

  test("a server that rejects log-probabilities is asked without them, from then on", async () => {
    const sent: Record<string, unknown>[] = [];
    const fetch: Fetch = async (_, options) => {
      const body = JSON.parse(String(options?.body));
      sent.push(body);
      if (body.logprobs) return Response.json({ error: { message: "logprobs is not supported" } }, { status: 400 });
      return Response.json(completion('{"label":"pear"}'));
    };
    const teacher = openTeacher({ task: fruitTask(), env: {}, fetch });
    await teacher.ask(request());
    await teacher.ask(request());
    expect(sent.map(({ logprobs }) => logprobs ?? false)).toEqual([true, false, false]);
  });
});

describe("the providers", () => {
  test("Google", async () => {
    const { fetch, sent } = answering({
      candidates: [{ content: { role: "model", parts: [{ text: '{"label":"pear"}' }] }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 100, candidatesTokenCount: 10, totalTokenCount: 110 },
    });
    const task = fruitTask({ teacher: { model: "google/gemini-2.5-flash", baseUrl: undefined, price: undefined } });
    const teacher = openTeacher({ task, env: { GEMINI_API_KEY: "g" }, fetch });
    expect(await teacher.ask(request())).toMatchObject({ value: "pear", costUsd: (100 * 0.3 + 10 * 2.5) / 1e6 });
    expect(sent[0]?.headers.get("x-goog-api-key")).toBe("g");
    expect(JSON.stringify(sent[0]?.body)).toContain('"thinkingBudget":0');
  });

  test("Google's answer to a wrong key is a 400", async () => {
    const body = {
      error: {
        code: 400,
        message: "API key not valid.",
        status: "INVALID_ARGUMENT",
        details: [{ reason: "API_KEY_INVALID" }],
      },
    };
    const { fetch } = answering(body, { status: 400 });
    const task = fruitTask({ teacher: { model: "google/gemini-2.5-flash", baseUrl: undefined } });
    const teacher = openTeacher({ task, env: { GEMINI_API_KEY: "g" }, fetch });
    expect(await failureOf(teacher.ask(request()))).toMatchObject({ code: "teacher_unauthorised" });
  });

  test("OpenAI", async () => {
    const { fetch, sent } = answering(completion('{"label":"pear"}'));
    const task = fruitTask({ teacher: { model: "openai/gpt-4o-mini", baseUrl: undefined, price: undefined } });
    const teacher = openTeacher({ task, env: { OPENAI_API_KEY: "o" }, fetch });
    expect(await teacher.ask(request())).toMatchObject({ value: "pear", costUsd: (100 * 0.15 + 10 * 0.6) / 1e6 });
    expect(sent[0]?.headers.get("authorization")).toBe("Bearer o");
    expect(sent[0]?.body).toMatchObject({ logprobs: true, top_logprobs: 20 });
  });

  test("OpenAI's answer to an empty account is a 429 that waiting does not mend", async () => {
    const { fetch } = answering(
      { error: { message: "You exceeded your quota", code: "insufficient_quota", type: "insufficient_quota" } },
      { status: 429 },
    );
    const task = fruitTask({ teacher: { model: "openai/gpt-4o-mini", baseUrl: undefined } });
    const teacher = openTeacher({ task, env: { OPENAI_API_KEY: "o" }, fetch });
    expect(await failureOf(teacher.ask(request()))).toMatchObject({ code: "teacher_unauthorised", retryable: false });
  });

  test("Anthropic", async () => {
    const { fetch, sent } = answering({
      id: "m",
      type: "message",
      role: "assistant",
      model: "claude-haiku-4-5",
      content: [{ type: "text", text: '{"label":"pear"}' }],
      stop_reason: "end_turn",
      usage: { input_tokens: 100, output_tokens: 10 },
    });
    const task = fruitTask({ teacher: { model: "anthropic/claude-haiku-4-5", baseUrl: undefined, price: undefined } });
    const teacher = openTeacher({ task, env: { ANTHROPIC_API_KEY: "a" }, fetch });
    expect(await teacher.ask(request())).toMatchObject({ value: "pear", costUsd: (100 * 1 + 10 * 5) / 1e6 });
    expect(sent[0]?.headers.get("x-api-key")).toBe("a");
  });

  test.each([
    ["google/gemini-2.5-flash", "GOOGLE_GENERATIVE_AI_API_KEY"],
    ["openai/gpt-4o-mini", "OPENAI_API_KEY"],
    ["anthropic/claude-haiku-4-5", "ANTHROPIC_API_KEY"],
  ])("%s without a key names %s", (model, variable) => {
    const task = fruitTask({ teacher: { model } });
    expect(() => openTeacher({ task, env: {} })).toThrow(variable);
  });

  test("an unknown provider, a missing base URL, an unknown price under a budget", () => {
    const open = (teacher: Parameters<typeof fruitTask>[0], budgetUsd?: number) =>
      openTeacher({
        task: fruitTask({ ...teacher, ...(budgetUsd !== undefined && { budgetUsd }) }),
        env: { OPENAI_API_KEY: "o" },
      });
    expect(() => open({ teacher: { model: "acme/x" } })).toThrow(/unknown provider "acme"/);
    expect(() => open({ teacher: { baseUrl: undefined } })).toThrow(/needs teacher.baseUrl/);
    expect(() => open({ teacher: { model: "openai/gpt-99", price: undefined } }, 5)).toThrow(
      /price of "openai\/gpt-99" is unknown/,
    );
  });
});
