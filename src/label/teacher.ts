/**
 * @file The teacher: one question, one request, one answer or one coded error. It knows prompts, providers and prices;
 * it does not wait, retry or remember, which is the business of `pace.ts`, `ask-teacher.ts` and the store.
 *
 * Providers are asked through the AI SDK's provider interface, one level below `generateText`: that function adds retries,
 * steps, tools and tracing that a single question has no use for, and costs three times as much time and garbage.
 */

import type { LanguageModelV4GenerateResult, LanguageModelV4Message } from "@ai-sdk/provider";
import { z } from "zod";
import { excerptOf } from "../answer.ts";
import { withoutThoughts } from "../answer-text.ts";
import { systemClock } from "../clock.ts";
import {
  type Clock,
  type GivenLabel,
  type Teacher,
  type TeacherAnswer,
  TeacherError,
  type TeacherFieldsAnswer,
  type TeacherRequest,
} from "../contracts.ts";
import { hasFields } from "../fields.ts";
import type { LabelValue, Usage } from "../records.ts";
import { type AnyTask, promptVersion } from "../task.ts";
import { answerSchema, readAnswers } from "./answer.ts";
import { createDeadlines, type Deadlines } from "./deadlines.ts";
import { createLeanFetch } from "./lean-fetch.ts";
import { labelProbabilities } from "./logprobs.ts";
import { costOf, type Price, requirePrice } from "./prices.ts";
import { type Asked, fenced, modelOfPass, type Question, questionOf } from "./prompts.ts";
import { type Environment, type Fetch, openModel, type ProviderModel } from "./provider.ts";
import { exhaustedForMs, type ResponseHeaders } from "./retry-after.ts";
import { type FailureContext, timedOut, toTeacherError } from "./teacher-errors.ts";
import { maxInputTokens, maxOutputTokens, textOf } from "./tokens.ts";

export type OpenTeacherOptions = {
  readonly task: AnyTask;
  /** Holds the key; `process.env` at the doors. */
  readonly env: Environment;
  /** A lean one of our own by default. */
  readonly fetch?: Fetch;
  readonly clock?: Clock;
};

/** A server that only plays the teacher says so in this header of every response. */
export const SIMULATED_HEADER = "x-flywheel-simulated";

/**
 * The task's teacher. No request is sent yet.
 * @throws FlywheelError `teacher_key_missing`, `teacher_base_url_missing`, `unknown_provider`, `price_unknown`
 */
export function openTeacher({
  task,
  env,
  fetch = createLeanFetch(),
  clock = systemClock,
}: OpenTeacherOptions): Teacher {
  let isSimulated = [task.teacher.model, task.teacher.secondModel ?? ""].some((id) =>
    /^compatible\/simulated(\/|$)/.test(id),
  );
  // Here, and not where an answer is read: a refusal and an answer that is none say it too.
  const listening: Fetch = async (...request) => {
    const response = await fetch(...request);
    isSimulated ||= response.headers.has(SIMULATED_HEADER);
    return response;
  };
  const open = (id: string): Desk => ({
    task,
    clock,
    ...openModel({ task, id, env, fetch: listening }),
    price: requirePrice(task, id),
    offers: { logprobs: true },
    deadlines: createDeadlines(task.teacher.timeoutMs),
  });
  const first = open(task.teacher.model);
  const second = task.teacher.secondModel === undefined ? first : open(task.teacher.secondModel);
  const deskOf = (pass: number): Desk => (modelOfPass(task, pass) === second.id ? second : first);
  const version = promptVersion(task);
  return {
    id: first.id,
    promptVersion: version,
    get simulated() {
      return isSimulated;
    },
    maxCostUsd: (request) => maxCostUsd(deskOf(request.pass), request),
    ask: (request, signal) => ask(deskOf(request.pass), request, signal),
  };
}

/** One model with what is needed to ask it. */
type Desk = ProviderModel & {
  readonly task: AnyTask;
  readonly clock: Clock;
  /** Absent where nobody knows; costs are then counted as 0, and no budget can be set. */
  readonly price: Price | undefined;
  /** What this server has not yet refused to give. */
  readonly offers: { logprobs: boolean };
  readonly deadlines: Deadlines;
};

function maxCostUsd({ id, task, price }: Desk, request: TeacherRequest): number {
  if (!price) return 0;
  const { system, user, asked } = questionOf(task, request.pass, request.idempotencyKey);
  const inputTokens = maxInputTokens(id, `${system}\n${user}`, request.input);
  return costOf({ inputTokens, outputTokens: maxOutputTokens(asked.length) }, price);
}

async function ask(
  desk: Desk,
  request: TeacherRequest,
  signal: AbortSignal | undefined,
): Promise<TeacherAnswer | TeacherFieldsAnswer> {
  const startedAt = desk.clock.now();
  const question = questionOf(desk.task, request.pass, request.idempotencyKey);
  const reply = await send(desk, { request, question }, signal);
  return toAnswer({ desk, question, reply, startedAt });
}

/** What came back, before it is read. */
type Reply = {
  readonly text: string;
  readonly finishReason: string | undefined;
  readonly usage: { readonly inputTokens: number | undefined; readonly outputTokens: number | undefined };
  readonly logprobs: unknown;
  readonly headers: ResponseHeaders;
};

type Letter = { readonly request: TeacherRequest; readonly question: Question };

async function send(desk: Desk, letter: Letter, signal: AbortSignal | undefined): Promise<Reply> {
  const deadline = desk.deadlines.start(signal);
  try {
    return await generate(desk, letter, deadline.signal);
  } catch (thrown) {
    signal?.throwIfAborted();
    if (deadline.hasPassed()) throw timedOut(desk.id, desk.task.teacher.timeoutMs);
    const error = toTeacherError(thrown, contextOf(desk, letter.request));
    if (!refusesLogprobs(desk, error)) throw error;
    desk.offers.logprobs = false;
    return await send(desk, letter, signal);
  } finally {
    deadline.clear();
  }
}

const contextOf = (desk: Desk, request: TeacherRequest): FailureContext => ({
  model: desk.id,
  apiKey: desk.apiKey,
  apiKeyEnv: desk.apiKeyEnv,
  nowMs: desk.clock.now(),
  unknownCostUsd: maxCostUsd(desk, request),
});

/** Some compatible servers reject a request for log-probabilities instead of ignoring it. Uncharged: asked once more. */
function refusesLogprobs({ offers }: Desk, error: TeacherError): boolean {
  return offers.logprobs && error.code === "teacher_bad_request" && /logprob/i.test(error.message);
}

async function generate(desk: Desk, { request, question }: Letter, signal: AbortSignal): Promise<Reply> {
  const options = desk.offers.logprobs ? desk.logprobOptions : undefined;
  const result = await desk.model.doGenerate({
    prompt: [{ role: "system", content: question.system }, userMessage(question, request)],
    responseFormat: { type: "json", schema: answerSchema(question.asked), name: "answer" },
    maxOutputTokens: maxOutputTokens(question.asked.length),
    temperature: question.temperature,
    headers: { "Idempotency-Key": request.idempotencyKey },
    abortSignal: signal,
    ...(desk.hasReasoningSetting && { reasoning: "none" as const }),
    ...(options && { providerOptions: options }),
  });
  return toReply(result);
}

function userMessage({ user }: Question, { input, idempotencyKey }: TeacherRequest): LanguageModelV4Message {
  const asked = { type: "text" as const, text: user };
  if (input.kind !== "image") {
    return { role: "user", content: [asked, { type: "text", text: fenced(textOf(input), idempotencyKey) }] };
  }
  const data = { type: "data" as const, data: input.bytes };
  return { role: "user", content: [asked, { type: "file", data, mediaType: input.mediaType }] };
}

function toReply({
  content,
  structuredOutputText,
  finishReason,
  usage,
  providerMetadata,
  response,
}: LanguageModelV4GenerateResult): Reply {
  const texts = content.filter((part) => part.type === "text").map(({ text }) => text);
  return {
    text: structuredOutputText ?? texts.join(""),
    finishReason: finishReason.unified,
    usage: { inputTokens: usage.inputTokens.total, outputTokens: usage.outputTokens.total },
    logprobs: providerMetadata?.["openai"]?.["logprobs"] ?? logprobsIn(response?.body),
    headers: response?.headers ?? {},
  };
}

const WithLogprobs = z.object({
  choices: z.tuple([z.object({ logprobs: z.object({ content: z.unknown() }) })]),
});

/** The SDK's provider for compatible servers leaves log-probabilities in the body. */
function logprobsIn(body: unknown): unknown {
  return WithLogprobs.safeParse(body).data?.choices[0].logprobs.content;
}

function toAnswer({
  desk,
  question,
  reply,
  startedAt,
}: {
  readonly desk: Desk;
  readonly question: Question;
  readonly reply: Reply;
  readonly startedAt: number;
}): TeacherAnswer | TeacherFieldsAnswer {
  const usage = usageOf(reply, question);
  const costUsd = desk.price ? costOf(usage, desk.price) : 0;
  const given = readGiven(desk.task, question, reply);
  const unanswered = question.asked.filter(({ field }) => !given[field]).map(({ field }) => field);
  if (unanswered.length > 0) throw useless(desk, reply, { usage, costUsd, valid: given, unanswered });
  const nowMs = desk.clock.now();
  const usedUpForMs = exhaustedForMs(reply.headers, nowMs);
  const charge = {
    usage,
    costUsd,
    latencyMs: nowMs - startedAt,
    ...(usedUpForMs !== undefined && { exhaustedForMs: usedUpForMs }),
  };
  return hasFields(desk.task) ? { fields: given, ...charge } : { ...given[""]!, ...charge };
}

type Given = Readonly<Record<string, GivenLabel>>;

/** By field, what was answered with one of its labels. */
function readGiven(task: AnyTask, { asked }: Question, reply: Reply): Given {
  // Cut off at the token limit, a label may be the beginning of another.
  if (reply.finishReason === "length") return {};
  const labels: Readonly<Record<string, LabelValue | undefined>> = readAnswers(task, reply.text);
  const given = asked.flatMap((one) => {
    const value = labels[one.field];
    if (value === undefined) return [];
    const probabilities = probabilitiesOf(reply, one);
    return [[one.field, { value, ...(probabilities && { probabilities }) }] as const];
  });
  return Object.fromEntries(given);
}

function probabilitiesOf({ logprobs, text }: Reply, { field, property, labels }: Asked) {
  // Among thoughts a label may be weighed and dropped again.
  if (logprobs === undefined || withoutThoughts(text) !== text) return undefined;
  return labelProbabilities(logprobs, labels, field === "" ? undefined : property);
}

/** Servers that count no tokens are local ones; an estimate keeps the report meaningful. */
function usageOf({ usage, text }: Reply, { system, user }: Question): Usage {
  return {
    inputTokens: usage.inputTokens ?? Math.ceil((system.length + user.length) / 4),
    outputTokens: usage.outputTokens ?? Math.ceil(text.length / 4),
  };
}

function useless(
  { id }: Desk,
  { text, finishReason }: Reply,
  {
    unanswered,
    ...charge
  }: {
    readonly usage: Usage;
    readonly costUsd: number;
    readonly valid: Given;
    readonly unanswered: readonly string[];
  },
): TeacherError {
  const of = unanswered.filter((field) => field !== "").join(", ");
  if (finishReason === "content-filter") {
    return new TeacherError("teacher_refused", `${id} withheld its answer (content filter)`, {
      ...charge,
      hint: "have a person label it: flywheel review export",
    });
  }
  const answer = excerptOf({ text });
  const isCut = finishReason === "length";
  return new TeacherError(
    "teacher_off_schema",
    isCut
      ? `${id} was cut short after ${charge.usage.outputTokens} tokens: ${JSON.stringify(answer)}`
      : `${id} answered ${JSON.stringify(answer)}, which is none of the labels${of && ` of ${of}`}`,
    {
      ...charge,
      answer,
      retryable: true,
      hint: isCut
        ? "a model that thinks aloud spends its tokens on thoughts: turn that off at the server, or choose one that answers at once"
        : "if it means a label, add that spelling to the choice's synonyms",
    },
  );
}
