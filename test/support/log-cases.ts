/**
 * @file The recorded logs of `test/cases/logs` and what is right for each. The local server that they were recorded against
 * answered by words of the question; the same rule says here what each call's label is, whatever the log looks like.
 */

import { join } from "node:path";
import type { LogFormat } from "../../src/ingest/logs/logged-call.ts";
import { defineTask, type Task } from "../../src/task.ts";

export const LOGS = join(import.meta.dirname, "..", "cases", "logs");

const teacher = { model: "openai/gpt-4o-mini" } as const;
const taskOf = (name: string, instructions: string, choices: readonly string[]): Task =>
  defineTask({ name, input: "text", instructions, output: { kind: "choice", choices }, teacher });

type Desk = { readonly task: Task; readonly prompt: string; labelOf(input: string): string };

/** The server of the recordings. */
const desk: Desk = {
  task: taskOf("desk", "Which desk?", ["billing", "card", "loan"]),
  prompt: "Sort the customer's message: billing, card or loan. Answer with the label alone.",
  labelOf(input) {
    if (/invoice|bill /.test(input)) return "billing";
    return /card|PIN|ATM/.test(input) ? "card" : "loan";
  },
};

const help: Desk = {
  task: taskOf("help", "Which kind?", ["billing", "outage", "how_to"]),
  prompt: "Classify",
  labelOf(input) {
    const [number] = /\d+/.exec(input) ?? [];
    const byNumber = ["billing", "", "how_to", "", "outage", ""][Number(number) % 6]!;
    if (/invoice/.test(input)) return "billing";
    return /down/.test(input) ? "outage" : /export/.test(input) ? "how_to" : byNumber;
  },
};

export type LogCase = {
  readonly file: string;
  readonly what: string;
  readonly version: string;
  readonly format: LogFormat;
  readonly desk: Desk;
  /** The file that a batch was made from. */
  readonly requests?: string;
  readonly calls: number;
  /** Of these: without an answer, and with an image in what was asked. */
  readonly failed: number;
  readonly images: number;
  /** Answered with words that are no label. */
  readonly unreadable: number;
  /** Of all calls together; 0 where the log counts none. */
  readonly tokens: readonly [input: number, output: number];
  readonly costUsd?: number;
  /** Whether the log says how long calls took. */
  readonly isTimed: boolean;
  /** What one of its calls was asked that was streamed, or answered with a tool; absent where the log holds none. */
  readonly streamed?: RegExp;
  readonly tool?: RegExp;
  /** What this recording leaves out of its calls. */
  readonly note?: string;
};

const base = { desk, failed: 0, images: 0, unreadable: 0, isTimed: true } as const;
/** Five calls: plain, streamed, with a tool, with an image, and one that failed. */
const five = {
  ...base,
  calls: 5,
  failed: 1,
  images: 1,
  streamed: /\[stream\]/,
  tool: /\[tool\]/,
  tokens: [160, 12],
} as const;

export const logCases: readonly LogCase[] = [
  {
    ...base,
    file: "06-think.jsonl",
    what: "chat log, thoughts before the label",
    version: "–",
    format: "openai-chat",
    desk: help,
    calls: 20,
    tokens: [220, 60],
    isTimed: false,
  },
  {
    ...base,
    file: "06-prose-then-json.jsonl",
    what: "chat log, words before one JSON object",
    version: "–",
    format: "openai-chat",
    desk: help,
    calls: 20,
    tokens: [220, 60],
    isTimed: false,
  },
  {
    ...base,
    file: "half-failed.jsonl",
    what: "chat log, half of it failed",
    version: "–",
    format: "openai-chat",
    desk: help,
    calls: 30,
    failed: 15,
    tokens: [0, 0],
    isTimed: false,
  },
  {
    ...base,
    file: "batch-prefill-output.jsonl",
    what: "OpenAI batch, requests that end with an example",
    version: "–",
    format: "openai-batch",
    desk: help,
    requests: "batch-prefill-requests.jsonl",
    calls: 30,
    failed: 6,
    tokens: [264, 72],
    isTimed: false,
  },
  {
    ...base,
    file: "openai-3.57.0-responses.jsonl",
    what: "OpenAI Responses",
    version: "openai 3.57.0 (Python)",
    format: "openai-responses",
    calls: 3,
    tokens: [120, 9],
    isTimed: false,
  },
  {
    ...base,
    file: "openai-3.57.0-responses-batch-output.jsonl",
    what: "OpenAI Responses, batch",
    version: "openai 3.57.0 (Python)",
    format: "openai-batch",
    requests: "openai-3.57.0-responses-batch-input.jsonl",
    calls: 3,
    tokens: [120, 9],
    isTimed: false,
  },
  {
    ...base,
    file: "anthropic-2.14.0-messages.jsonl",
    what: "Anthropic Messages",
    version: "anthropic 2.14.0 (Python)",
    format: "anthropic",
    calls: 3,
    tokens: [120, 9],
    isTimed: false,
  },
  {
    ...five,
    file: "anthropic-2.14.0-thinking-tools.jsonl",
    what: "Anthropic Messages, thinking and tools",
    version: "anthropic 2.14.0 (Python)",
    format: "anthropic",
    isTimed: false,
  },
  {
    ...five,
    file: "google-genai-3.6.1.jsonl",
    what: "Gemini generateContent",
    version: "google-genai 3.6.1 (Python)",
    format: "gemini",
    tokens: [160, 32],
    isTimed: false,
  },
  {
    ...five,
    file: "langchain-core-1.8.3-runs.jsonl",
    what: "LangChain runs (tracer, LangSmith)",
    version: "langchain-core 1.8.3",
    format: "langchain",
  },
  {
    ...base,
    file: "litellm-1.110.2-standard-logging.jsonl",
    what: "LiteLLM StandardLoggingPayload",
    version: "litellm 1.110.2",
    format: "openai-chat",
    calls: 9,
    failed: 2,
    streamed: /case 1002/,
    tool: /case 1005/,
    tokens: [284, 19],
    costUsd: 0.000186,
  },
  {
    ...base,
    file: "ai-7.0.173-otel-1.0.173-call-twice.otlp.jsonl",
    what: "AI SDK 7, spans",
    version: "ai 7.0.173",
    format: "otel",
    calls: 2,
    tokens: [80, 6],
  },
  {
    ...five,
    file: "ai-6.0.326.otlp.jsonl",
    what: "AI SDK 6, spans",
    version: "ai 6.0.326",
    format: "otel",
    calls: 6,
    tokens: [200, 15],
  },
  {
    ...five,
    file: "ai-5.0.277.otlp.jsonl",
    what: "AI SDK 5, spans",
    version: "ai 5.0.277",
    format: "otel",
    calls: 6,
    tokens: [200, 15],
  },
  {
    ...five,
    file: "ai-4.3.19.otlp.jsonl",
    what: "AI SDK 4, spans",
    version: "ai 4.3.19",
    format: "otel",
    calls: 6,
    tokens: [160, 12],
    note: "counts no tokens of streams",
  },
  {
    ...base,
    file: "genai-openai-1.3b0-image-blob.otlp.jsonl",
    what: "OTel GenAI, spans of vision calls",
    version: "instrumentation-genai-openai 1.3b0",
    format: "otel",
    calls: 2,
    images: 2,
    tokens: [80, 6],
  },
  {
    ...base,
    file: "genai-openai-1.3b0-events.otlp-logs.jsonl",
    what: "OTel GenAI, events as log records",
    version: "instrumentation-genai-openai 1.3b0",
    format: "otel",
    calls: 13,
    failed: 1,
    images: 1,
    tool: /case 1002/,
    streamed: /case 1003/,
    unreadable: 1,
    tokens: [440, 33],
    isTimed: false,
    note: "a refusal stands there as words",
  },
  {
    ...base,
    file: "openai-v2-2.1b0-events.console.json",
    what: "OTel GenAI, a message an event, console exporter",
    version: "instrumentation-openai-v2 2.1b0",
    format: "otel",
    calls: 4,
    images: 1,
    streamed: /\[stream\]/,
    tool: /\[tool\]/,
    tokens: [0, 0],
    isTimed: false,
  },
  {
    ...base,
    file: "traceloop-openai-0.62.4-reasoning-summary.otlp.jsonl",
    what: "OpenLLMetry (Traceloop), reasoning beside the answer",
    version: "instrumentation-openai 0.62.4",
    format: "otel",
    calls: 1,
    tokens: [40, 3],
  },
  {
    ...base,
    file: "traceloop-openai-0.62.4.console-python.json",
    what: "OpenLLMetry (Traceloop), console exporter of Python",
    version: "instrumentation-openai 0.62.4",
    format: "otel",
    calls: 4,
    failed: 1,
    streamed: /\[stream\]/,
    tool: /\[tool\]/,
    tokens: [120, 9],
    note: "leaves out what was asked with an image",
  },
  {
    ...base,
    file: "openinference-openai-0.1.66.otlp.jsonl",
    what: "OpenInference (Phoenix), OpenAI",
    version: "openinference-instrumentation-openai 0.1.66",
    format: "otel",
    calls: 22,
    failed: 3,
    images: 1,
    tool: /case 1005/,
    tokens: [800, 60],
  },
  {
    ...five,
    file: "openinference-anthropic-3.1.0.spans.jsonl",
    what: "OpenInference (Phoenix), Anthropic",
    version: "openinference-instrumentation-anthropic 3.1.0",
    format: "otel",
  },
  {
    ...five,
    file: "openinference-google-genai-1.4.14.spans.jsonl",
    what: "OpenInference (Phoenix), Gemini",
    version: "openinference-instrumentation-google-genai 1.4.14",
    format: "otel",
    tokens: [160, 32],
  },
  {
    ...five,
    file: "openinference-langchain-0.1.80.spans.jsonl",
    what: "OpenInference (Phoenix), LangChain",
    version: "openinference-instrumentation-langchain 0.1.80",
    format: "otel",
  },
  {
    ...base,
    file: "langfuse-openai-js-5.11.1.otlp.jsonl",
    what: "Langfuse, OpenAI",
    version: "@langfuse/openai 5.11.1",
    format: "otel",
    calls: 6,
    streamed: /case 1001/,
    tokens: [240, 18],
  },
];
