/**
 * @file What each instrumentation calls the words of a call, as attributes of its span: the semantic conventions "GenAI" and
 * what OpenLLMetry had before them, OpenInference (Phoenix), Langfuse, and the AI SDK's own names before version 7.
 */

import { argumentsOf, readContent } from "../content.ts";
import { firstNumber, isObject, listAt, numberAt, objectAt, textAt, unwrapped } from "../fields.ts";
import type { LoggedAnswer, LoggedCall, LogRecord } from "../logged-call.ts";
import { type Asked, failed, joined, NO_ANSWER, readQuestion, readReply } from "../messages.ts";
import { isResponses, readResponses } from "../responses.ts";
import type { Span } from "./span.ts";

/** The words of a call; undefined where the span has none of the dialect's. */
export type Words = Asked & {
  /** Absent where none was recorded. */
  readonly answer?: LoggedAnswer | undefined;
  readonly model?: string | undefined;
  readonly usage: LoggedCall["usage"];
  readonly costUsd?: number | undefined;
};

export type Dialect = {
  /** Why a span of this dialect is no call of a model: an agent, a chain, a tool. */
  refuse(span: Span): string | undefined;
  read(span: Span): Words | undefined;
};

const noCall = (what: string, kind: string): string =>
  `spans are of ${what} "${kind.slice(0, 40)}", no call of a model`;

/** The first message that says something: thoughts may have a message of their own. */
function answerOf(replies: readonly unknown[] | undefined, finish?: string): LoggedAnswer | undefined {
  const answers = (replies ?? []).map((reply) => readReply(reply, finish));
  return answers.find(({ kind }) => kind === "text") ?? answers[0];
}

// ── GenAI ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const NO_CALL = /agent|tool|workflow|embed|retriev|rerank/i;

export const genAi: Dialect = {
  refuse({ attributes }) {
    const operation = textAt(attributes, "gen_ai.operation.name") ?? "";
    const kind = textAt(attributes, "traceloop.span.kind");
    if (NO_CALL.test(operation)) return noCall("operation", operation);
    return kind === undefined ? undefined : noCall("kind", kind);
  },
  read({ attributes, events }) {
    const all = Object.assign({}, ...events.map((event) => event.attributes), attributes) as LogRecord;
    const asked =
      messagesIn(all, "gen_ai.input.messages") ?? numbered(all, "gen_ai.prompt") ?? messagesIn(all, "gen_ai.prompt");
    if (!asked) return undefined;
    const replies =
      messagesIn(all, "gen_ai.output.messages") ??
      numbered(all, "gen_ai.completion") ??
      messagesIn(all, "gen_ai.completion");
    const question = readQuestion(asked);
    return {
      ...question,
      prompt: joined([readContent(unwrapped(all["gen_ai.system_instructions"])).text, question.prompt]),
      answer: answerOf(replies),
      ...genAiFacts(all),
    };
  },
};

export function genAiFacts(all: LogRecord): Pick<Words, "model" | "usage" | "costUsd"> {
  const costUsd = firstNumber(all, ["gen_ai.usage.cost", "gen_ai.cost.total_cost"]);
  return {
    model: textAt(all, "gen_ai.response.model") ?? textAt(all, "gen_ai.request.model"),
    usage: {
      inputTokens: firstNumber(all, ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]) ?? 0,
      outputTokens: firstNumber(all, ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"]) ?? 0,
    },
    ...(costUsd !== undefined && { costUsd }),
  };
}

/** A list, as JSON or not; or a text, which is what the user, or the assistant, said. */
function messagesIn(attributes: LogRecord, name: string): readonly unknown[] | undefined {
  const found = unwrapped(attributes[name]);
  if (Array.isArray(found)) return found;
  return typeof found === "string" ? [{ role: "user", content: found }] : undefined;
}

/** `gen_ai.completion.0.tool_calls.0.arguments` and those behind it. */
function numberedCalls(attributes: LogRecord, own: string): readonly unknown[] {
  const calls: unknown[] = [];
  for (let index = 0; `${own}.tool_calls.${index}.arguments` in attributes; index++)
    calls.push({ arguments: attributes[`${own}.tool_calls.${index}.arguments`] });
  return calls;
}

/** `gen_ai.prompt.0.role`, `gen_ai.prompt.0.content`, `gen_ai.completion.0.tool_calls.0.arguments`. */
function numbered(attributes: LogRecord, name: string): readonly unknown[] | undefined {
  const found: unknown[] = [];
  for (let index = 0; ; index++) {
    const own = `${name}.${index}`;
    const content = attributes[`${own}.content`];
    const calls = numberedCalls(attributes, own);
    if (content === undefined && calls.length === 0) break;
    found.push({
      role: attributes[`${own}.role`] ?? "user",
      content: unwrapped(content),
      ...(calls.length > 0 && { tool_calls: calls }),
      finish_reason: attributes[`${own}.finish_reason`],
    });
  }
  return found.length > 0 ? found : undefined;
}

// ── OpenInference ───────────────────────────────────────────────────────────────────────────────────────────────────

export const openInference: Dialect = {
  refuse({ attributes }) {
    const kind = textAt(attributes, "openinference.span.kind");
    return kind === undefined || kind === "LLM" ? undefined : noCall("kind", kind);
  },
  read({ attributes }) {
    const asked = flattened(attributes, "llm.input_messages");
    if (asked.length === 0) return undefined;
    const answer =
      readWhole(unwrapped(attributes["output.value"])) ??
      answerOf(flattened(attributes, "llm.output_messages"), textAt(attributes, "llm.finish_reason"));
    const question = readQuestion(asked);
    const given = unwrapped(attributes["input.value"]);
    const costUsd = numberAt(attributes, "llm.cost.total");
    return {
      ...question,
      prompt:
        question.prompt || joined([readContent(objectAt(given)?.["system"] ?? objectAt(given)?.["instructions"]).text]),
      answer,
      model: textAt(attributes, "llm.model_name"),
      usage: {
        inputTokens: numberAt(attributes, "llm.token_count.prompt") ?? 0,
        outputTokens: numberAt(attributes, "llm.token_count.completion") ?? 0,
      },
      ...(costUsd !== undefined && { costUsd }),
    };
  },
};

/** What came back as a whole: it tells refusals from words, which the messages do not. */
function readWhole(output: unknown): LoggedAnswer | undefined {
  if (!isObject(output)) return undefined;
  const exchange = { request: {}, response: output, record: {} };
  if (isResponses(exchange)) return readResponses(exchange).answer;
  const choice = listAt(output, "choices")?.[0];
  const message = objectAt(choice, "message");
  return message && readReply(message, textAt(choice, "finish_reason"));
}

type Tree = Record<string, unknown>;

/** `llm.input_messages.1.message.contents.0.message_content.text` and its like, put together again. */
function flattened(attributes: LogRecord, name: string): readonly unknown[] {
  const tree: Tree = Object.create(null);
  for (const [key, value] of Object.entries(attributes)) {
    if (!key.startsWith(`${name}.`)) continue;
    const path = key.slice(name.length + 1).split(".", MAX_DEPTH);
    const leaf = path.pop()!;
    const inside = path.reduce(branchOf, tree);
    inside[leaf] = value;
  }
  return listed(tree).map((one) => messageOf(objectAt(one, "message")));
}

const MAX_DEPTH = 12;

function branchOf(tree: Tree, part: string): Tree {
  tree[part] = isObject(tree[part]) ? tree[part] : Object.create(null);
  return tree[part] as Tree;
}

/** By number. */
const listed = (tree: unknown): readonly unknown[] =>
  Object.entries(isObject(tree) ? tree : {})
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(([, value]) => value);

function messageOf(message: LogRecord | undefined): unknown {
  const parts = listed(message?.["contents"]).map((part) => {
    const content = objectAt(part, "message_content");
    return content?.["text"] === undefined ? content : { type: "text", ...content };
  });
  const calls = listed(message?.["tool_calls"]).map((call) => objectAt(call, "tool_call"));
  return {
    role: message?.["role"],
    content: parts.length > 0 ? parts : message?.["content"],
    tool_calls: calls,
    ...(message?.["function_call_arguments_json"] !== undefined && {
      function_call: { arguments: message["function_call_arguments_json"] },
    }),
  };
}

// ── Langfuse ────────────────────────────────────────────────────────────────────────────────────────────────────────

const LANGFUSE = "langfuse.observation";

export const langfuse: Dialect = {
  refuse({ attributes }) {
    const type = textAt(attributes, `${LANGFUSE}.type`);
    return type === undefined || type === "generation" ? undefined : noCall("type", type);
  },
  read({ attributes }) {
    if (attributes[`${LANGFUSE}.input`] === undefined) return undefined;
    const given = unwrapped(attributes[`${LANGFUSE}.input`]);
    const question = readQuestion(askedOf(given));
    const instructions =
      attributes[`${LANGFUSE}.metadata.instructions`] ??
      objectAt(given)?.["instructions"] ??
      objectAt(given)?.["system"];
    const costUsd = numberAt(unwrapped(attributes[`${LANGFUSE}.cost_details`]), "total");
    return {
      ...question,
      prompt: joined([readContent(instructions).text, question.prompt]),
      answer: saidOf(unwrapped(attributes[`${LANGFUSE}.output`])),
      model: textAt(attributes, `${LANGFUSE}.model.name`),
      usage: langfuseUsage(unwrapped(attributes[`${LANGFUSE}.usage_details`])),
      ...(costUsd !== undefined && { costUsd }),
    };
  },
};

/** A text, messages, or a request with messages in it. */
function askedOf(given: unknown): readonly unknown[] {
  if (Array.isArray(given)) return given;
  const messages = listAt(given, "messages") ?? listAt(given, "input");
  return messages ?? [{ role: "user", content: isObject(given) ? (given["input"] ?? given["prompt"]) : given }];
}

function saidOf(output: unknown): LoggedAnswer | undefined {
  if (output === undefined || output === null) return undefined;
  if (typeof output === "string") return readReply({ content: output });
  const message = Array.isArray(output) ? output[0] : output;
  if (isObject(message) && ("content" in message || "tool_calls" in message || "parts" in message))
    return readReply(message);
  const tool = argumentsOf(message);
  if (tool !== undefined) return { kind: "text", text: tool };
  return readWhole(output) ?? { kind: "text", text: JSON.stringify(output) };
}

/** Its counts leave each other out: what was cached, heard or thought is counted beside the rest. */
function langfuseUsage(details: unknown): Words["usage"] {
  const sum = (beginning: string) =>
    Object.keys(isObject(details) ? details : {})
      .filter((name) => name === beginning || name.startsWith(`${beginning}_`))
      .reduce((total, name) => total + (numberAt(details, name) ?? 0), 0);
  return { inputTokens: sum("input"), outputTokens: sum("output") };
}

// ── AI SDK 3 to 6 ───────────────────────────────────────────────────────────────────────────────────────────────────

/** `ai.generateText` is around `ai.generateText.doGenerate`, which is the call. */
const isInner = (operation: string): boolean => /\.do(?:Generate|Stream)$/.test(operation);

export const aiSdk: Dialect = {
  refuse({ attributes }) {
    const operation = textAt(attributes, "ai.operationId");
    return operation === undefined || isInner(operation) ? undefined : noCall("operation", operation);
  },
  read({ attributes }) {
    const messages = unwrapped(attributes["ai.prompt.messages"]);
    if (!Array.isArray(messages)) return undefined;
    const finish = textAt(attributes, "ai.response.finishReason") ?? textAt(attributes, "ai.finishReason");
    const tools = unwrapped(attributes["ai.response.toolCalls"] ?? attributes["ai.result.toolCalls"]);
    const text = ["ai.response.text", "ai.response.object", "ai.result.text", "ai.result.object"].map(
      (name) => attributes[name],
    );
    const content = text.find((one) => typeof one === "string");
    const isAnswered = content !== undefined || Array.isArray(tools);
    return {
      ...readQuestion(messages),
      answer: isAnswered ? readReply({ content, tool_calls: tools }, finish) : undefined,
      model:
        textAt(attributes, "ai.response.model") ??
        textAt(attributes, "gen_ai.response.model") ??
        textAt(attributes, "ai.model.id"),
      usage: {
        inputTokens:
          firstNumber(attributes, ["ai.usage.inputTokens", "ai.usage.promptTokens", "gen_ai.usage.input_tokens"]) ?? 0,
        outputTokens:
          firstNumber(attributes, [
            "ai.usage.outputTokens",
            "ai.usage.completionTokens",
            "gen_ai.usage.output_tokens",
          ]) ?? 0,
      },
    };
  },
};

export const dialects: readonly Dialect[] = [genAi, openInference, langfuse, aiSdk];

/** Where a call was recorded and its answer was not, the error says why. */
export function orError(answer: LoggedAnswer | undefined, error: string | undefined): LoggedAnswer {
  const isNone = answer === undefined || (answer.kind === "failed" && answer.message === NO_ANSWER);
  return isNone ? failed(error ?? NO_ANSWER) : answer;
}
