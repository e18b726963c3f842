/**
 * @file A teacher without a model: an HTTP server that speaks OpenAI's chat completions protocol, answers from gold labels
 * with errors to order, charges, limits, fails and hangs. Real client code talks to it, so whatever holds against it holds
 * through the same code against a provider. Everything that it sends says that it is simulated.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts.ts";
import { messageOf } from "../errors.ts";
import { createRng, fork, type Seed } from "../math/random.ts";
import type { LabelValue } from "../records.ts";
import { answerTo, type Confusion, confusionOf, rowOf } from "./answers.ts";
import {
  type Answer,
  type Content,
  completionBody,
  errorBody,
  type Question,
  readQuestion,
  textOf,
} from "./chat-protocol.ts";
import { type FaultRates, faultOf, type Latency, latencyOf } from "./faults.ts";
import { contentHash, textHashes } from "./gold-file.ts";
import { createLedger, type Ledger, type TeacherStats } from "./ledger.ts";
import { createTokenBucket, type TokenBucket } from "./token-bucket.ts";

export type SimulatedTeacherOptions = FaultRates & {
  /** Label by `contentHash`; looked up at every request, so rows may be added while it runs. */
  readonly gold: Pick<ReadonlyMap<string, LabelValue>, "get">;
  readonly classes: readonly LabelValue[];
  /**
   * Of a task of several fields: what is known of each, by name, under the same hashes as in `gold`, which then only says
   * which inputs are known at all. Each errs for itself.
   */
  readonly fields?: Readonly<Record<string, FieldGold>>;
  /** Answers by gold label; `errorRate` and `pairs` make one where absent. */
  readonly confusion?: Confusion;
  readonly errorRate?: number;
  readonly pairs?: readonly (readonly [LabelValue, LabelValue])[];
  /** Share of rows that every wording answers alike; half by default. */
  readonly correlation?: number;
  readonly latency?: Latency;
  /** Requests per second; beyond it, 429. Unlimited where absent. */
  readonly rateLimitPerSecond?: number;
  /** How much unused allowance is kept, ms; 100 by default. */
  readonly burstMs?: number;
  /** `precise`: `retry-after-ms` and whole seconds, as OpenAI; `seconds`: `Retry-After` alone; `none`: neither. */
  readonly retryAfter?: "precise" | "seconds" | "none";
  /** Requests without this key are refused with 401. */
  readonly apiKey?: string;
  /** Names an image whose bytes are not in `gold`: a hash of what it shows. */
  readonly identify?: (bytes: Uint8Array) => Promise<string>;
  readonly seed?: Seed;
  /** 0, the default, picks a free one. */
  readonly port?: number;
  readonly clock?: Clock;
};

export type FieldGold = Pick<SimulatedTeacherOptions, "gold" | "classes">;

export type SimulatedTeacher = AsyncDisposable & {
  /** For `teacher.baseUrl`: `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  stats(): TeacherStats;
  close(): Promise<void>;
};

/** @throws RangeError where `errorRate` cannot be reached */
export async function startSimulatedTeacher(options: SimulatedTeacherOptions): Promise<SimulatedTeacher> {
  const desk = openDesk(options);
  const server = createServer((request, response) => {
    handle(desk, request, response).catch((thrown: unknown) => {
      if (!response.headersSent) reply(response, 500, errorBody(messageOf(thrown), "server_error", "simulator_failed"));
    });
  });
  // Longer than any pause of a labelling run: a connection closed under a request would look like a fault to order.
  server.keepAliveTimeout = 65_000;
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    desk.closing.abort();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${port}/v1`, stats: () => desk.ledger.stats(), close, [Symbol.asyncDispose]: close };
}

type Desk = {
  readonly options: SimulatedTeacherOptions;
  readonly seed: Seed;
  readonly minds: (property: string) => Mind | undefined;
  readonly clock: Clock;
  readonly bucket: TokenBucket | undefined;
  readonly ledger: Ledger;
  /** Answers by idempotency key, finished or on their way. */
  readonly answers: Map<string, Promise<Sent>>;
  /** Attempts by request, for drawing its faults. */
  readonly attempts: Map<string, number>;
  readonly closing: AbortController;
};

/** What is known of one question, and how it is got wrong. */
type Mind = FieldGold & { readonly confusion: Confusion; readonly seed: Seed };

/** A completion, and whether the connection is cut instead of sending it. */
type Sent = { readonly body: string; readonly isCut: boolean };

function openDesk(options: SimulatedTeacherOptions): Desk {
  const { rateLimitPerSecond } = options;
  return {
    options,
    seed: options.seed ?? 0,
    minds: mindsOf(options),
    clock: options.clock ?? systemClock,
    bucket:
      rateLimitPerSecond === undefined ? undefined : createTokenBucket(rateLimitPerSecond, options.burstMs ?? 100),
    ledger: createLedger(),
    answers: new Map(),
    attempts: new Map(),
    closing: new AbortController(),
  };
}

function mindsOf(options: SimulatedTeacherOptions): Desk["minds"] {
  const { fields, errorRate = 0, pairs = [], confusion, seed = 0 } = options;
  const mind = (own: FieldGold, ownSeed: Seed): Mind => {
    const known = pairs.filter((pair) => pair.every((label) => own.classes.includes(label)));
    const { gold, classes } = own;
    return { gold, classes, seed: ownSeed, confusion: confusionOf({ classes, errorRate, pairs: known }) };
  };
  if (fields) {
    const minds = Object.entries(fields).map(([name, own]) => [name, mind(own, fork(seed, "field", name))] as const);
    const byName = new Map(minds);
    return (property) => byName.get(property);
  }
  const only = confusion ? { ...options, confusion, seed } : mind(options, seed);
  return () => only;
}

async function handle(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const route = `${request.method} ${request.url?.split("?", 1)[0]}`;
  if (route === "GET /v1/models") return reply(response, 200, modelsBody(desk));
  if (route === "GET /simulated/stats") return reply(response, 200, JSON.stringify(desk.ledger.stats()));
  if (route !== "POST /v1/chat/completions") {
    return reply(response, 404, errorBody(`no such route: ${route}`, "invalid_request_error", "not_found"));
  }
  await complete(desk, { key: header(request, "idempotency-key"), body: await readBody(request), request, response });
}

const modelsBody = ({ clock }: Desk): string =>
  JSON.stringify({
    object: "list",
    data: [{ id: "simulated/teacher", object: "model", created: Math.floor(clock.now() / 1000), owned_by: "flywheel" }],
  });

type Call = {
  readonly key: string | undefined;
  readonly body: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
};

async function complete(desk: Desk, { key, body, request, response }: Call): Promise<void> {
  desk.ledger.count("requests");
  const { apiKey } = desk.options;
  if (apiKey !== undefined && header(request, "authorization") !== `Bearer ${apiKey}`) {
    desk.ledger.count("unauthorised");
    return reply(response, 401, errorBody("Incorrect API key provided", "invalid_request_error", "invalid_api_key"));
  }
  const waitMs = desk.bucket?.take(desk.clock.now());
  if (waitMs !== undefined) return refuse(desk, response, waitMs);
  const known = key === undefined ? undefined : desk.answers.get(key);
  if (known) return await replay(desk, response, known);
  const question = readQuestion(body);
  if ("wrong" in question)
    return reply(response, 400, errorBody(question.wrong, "invalid_request_error", "bad_request"));
  await answer(desk, { key, question, response });
}

function refuse(desk: Desk, response: ServerResponse, waitMs: number): void {
  desk.ledger.count("rateLimited");
  const { retryAfter = "precise" } = desk.options;
  reply(response, 429, errorBody("Rate limit reached", "requests", "rate_limit_exceeded"), {
    ...(retryAfter === "precise" && { "retry-after-ms": String(Math.ceil(waitMs)) }),
    ...(retryAfter !== "none" && { "retry-after": String(Math.ceil(waitMs / 1000)) }),
  });
}

/** The same key, the same answer, at no charge: also for a repeat that arrives while the first is still under way. */
async function replay(desk: Desk, response: ServerResponse, known: Promise<Sent>): Promise<void> {
  const { body } = await known;
  desk.ledger.count("replayed");
  reply(response, 200, body, { "idempotent-replayed": "true" });
}

type Answering = { readonly key: string | undefined; readonly question: Question; readonly response: ServerResponse };

async function answer(desk: Desk, { key, question, response }: Answering): Promise<void> {
  const hash = await findHash(desk, question.content);
  const unknown = question.form.properties.find((property) => desk.minds(property)?.gold.get(hash) === undefined);
  if (unknown !== undefined) {
    const what = desk.options.fields ? `no gold label of "${unknown}" for this input` : "no gold label for this input";
    return reply(response, 400, errorBody(what, "invalid_request_error", "unknown_input"));
  }
  const name = key ?? `${hash}/${question.wording}`;
  const request = `${name}/${nextAttempt(desk, name)}`;
  const fault = faultOf(desk.options, desk.seed, request);
  if (fault === "p429") return refuse(desk, response, RANDOM_REFUSAL_WAIT_MS);
  if (fault === "p5xx") return fail(desk, response);
  if (fault === "pHang") return desk.ledger.count("hung");
  const completion = think(desk, { hash, question, fault, request });
  if (key !== undefined) desk.answers.set(key, completion);
  const { body, isCut } = await completion;
  if (isCut) return void response.destroy();
  reply(response, 200, body, rateHeaders(desk));
}

const RANDOM_REFUSAL_WAIT_MS = 50;

function nextAttempt(desk: Desk, name: string): number {
  const attempt = desk.attempts.get(name) ?? 0;
  desk.attempts.set(name, attempt + 1);
  return attempt;
}

function fail(desk: Desk, response: ServerResponse): void {
  desk.ledger.count("failed");
  reply(response, 500, errorBody("The server had an error", "server_error", "internal_error"));
}

/** The name under which the content is known, or would be. */
async function findHash({ options: { gold, identify } }: Desk, content: Content): Promise<string> {
  const hash = contentHash(content.kind === "text" ? content.text : content.bytes);
  if (gold.get(hash) !== undefined) return hash;
  if (content.kind === "text") return textHashes(content.text).find((one) => gold.get(one) !== undefined) ?? hash;
  return identify ? await identify(content.bytes) : hash;
}

type Thinking = {
  readonly hash: string;
  readonly question: Question;
  readonly fault: "pMalformed" | "pOffSchema" | "pCut" | undefined;
  readonly request: string;
};

/** Takes its time, then charges. */
async function think(desk: Desk, { hash, question, fault, request }: Thinking): Promise<Sent> {
  const { latency = { medianMs: 0 } } = desk.options;
  const latencyMs = latencyOf(latency, desk.seed, request);
  if (latencyMs >= 1) await desk.clock.sleep(latencyMs);
  // Not a matter of the sleep: a signal with a listener for every question under way is slow to add one more.
  desk.closing.signal.throwIfAborted();
  const answers = question.form.properties.map((property) => answerOf(desk, property, { hash, question }));
  const text = textOf(fault === "pOffSchema" ? oneOffSchema(answers, fork(desk.seed, "off schema", request)) : answers);
  desk.ledger.charge(`${hash}/${question.wording}`, fault);
  const body = completionBody({
    id: request.slice(0, 24),
    model: question.model.startsWith("simulated/") ? question.model : `simulated/${question.model}`,
    createdAtMs: desk.clock.now(),
    text: fault === "pMalformed" ? text.slice(0, -4) : text,
    finishReason: fault === "pMalformed" ? "length" : "stop",
    usage: { inputTokens: tokensOf(question), outputTokens: Math.ceil(text.length / 4) },
    form: question.form,
    answers,
  });
  return { body, isCut: fault === "pCut" };
}

function answerOf(
  { options: { correlation = 0.5 }, minds }: Desk,
  property: string,
  { hash, question }: Pick<Thinking, "hash" | "question">,
): Answer {
  const mind = minds(property)!;
  const asked = { content: hash, wording: question.wording, gold: mind.gold.get(hash)! };
  const label = answerTo({ ...mind, correlation }, asked);
  return { property, label, probabilities: rowOf(mind.confusion, label) };
}

/** One field of several goes astray, the others are as good as ever. */
function oneOffSchema(answers: readonly Answer[], seed: Seed): readonly Answer[] {
  const astray = createRng(seed).integer(answers.length);
  return answers.map((answer, index) => (index === astray ? { ...answer, label: NO_LABEL } : answer));
}

/** No task has this label. */
const NO_LABEL = "none-of-the-labels";

/** As a provider would: about 4 characters a token, a small image at a flat rate. */
const tokensOf = ({ content }: Question): number =>
  80 + (content.kind === "image" ? 258 : Math.ceil(content.text.length / 4));

function rateHeaders({ options: { rateLimitPerSecond }, bucket, clock }: Desk): OutgoingHttpHeaders {
  if (!bucket || rateLimitPerSecond === undefined) return {};
  return {
    "x-ratelimit-limit-requests": String(rateLimitPerSecond),
    "x-ratelimit-remaining-requests": String(bucket.remaining(clock.now())),
    "x-ratelimit-reset-requests": `${Math.ceil(1000 / rateLimitPerSecond)}ms`,
  };
}

function reply(response: ServerResponse, status: number, body: string, headers: OutgoingHttpHeaders = {}): void {
  response.writeHead(status, {
    "x-flywheel-simulated": "1",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** By events: an iterator over the chunks of a question, which has one as a rule, is work of its own. */
function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", reject);
    request.on("end", () => resolve(Buffer.concat(chunks).toString()));
  });
}
