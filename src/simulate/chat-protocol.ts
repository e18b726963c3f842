/**
 * @file The part of OpenAI's chat completions protocol that a teacher needs: what is asked, and how answers and errors are
 * worded on the wire.
 */

import { hash } from "node:crypto";
import { z } from "zod";
import { unfenced } from "../label/prompts.ts";
import type { LabelValue, Usage } from "../records.ts";

const Part = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("image_url"), image_url: z.object({ url: z.string() }) }),
]);
const Message = z.object({ role: z.string(), content: z.union([z.string(), z.array(Part)]).nullish() });
const Properties = z.object({ properties: z.record(z.string(), z.unknown()) });

const ChatRequest = z.object({
  model: z.string(),
  messages: z.array(Message).min(1),
  stream: z.boolean().nullish(),
  logprobs: z.boolean().nullish(),
  response_format: z.object({ json_schema: z.object({ schema: Properties }).nullish() }).nullish(),
  tools: z.array(z.object({ function: z.object({ name: z.string(), parameters: Properties }) })).nullish(),
});

export type Content =
  | { readonly kind: "image"; readonly bytes: Uint8Array }
  | { readonly kind: "text"; readonly text: string };

/** How the answer is to be wrapped. */
export type AnswerForm = {
  /** What is asked, in the order of the schema: `label`, or a name for each field. */
  readonly properties: readonly [string, ...string[]];
  /** The tool to call, where the schema came as one. */
  readonly tool: string | undefined;
  readonly logprobs: boolean;
};

export type Question = {
  readonly model: string;
  readonly content: Content;
  /** Hash of everything that is said around the content. */
  readonly wording: string;
  readonly form: AnswerForm;
};

/** @returns the question, or what is wrong with the request */
export function readQuestion(body: string): Question | { readonly wrong: string } {
  const parsed = ChatRequest.safeParse(parseJson(body));
  if (!parsed.success) return { wrong: z.prettifyError(parsed.error) };
  const { model, messages, stream, logprobs } = parsed.data;
  if (stream) return { wrong: "the simulated teacher does not stream" };
  const parts = messages.flatMap(({ content }) =>
    typeof content === "string" ? [textPart(content)] : (content ?? []),
  );
  const last = parts.at(-1);
  const content = last && readContent(last);
  if (!content)
    return { wrong: "no content: the input must be the last part of the last message, images as data URLs" };
  const wording = hash("sha256", JSON.stringify(parts.slice(0, -1))).slice(0, 16);
  return { model, content, wording, form: { ...formOf(parsed.data), logprobs: logprobs ?? false } };
}

const textPart = (text: string) => ({ type: "text" as const, text });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readContent(part: z.output<typeof Part>): Content | undefined {
  if (part.type === "text") return { kind: "text", text: unfenced(part.text) };
  const base64 = /^data:[^,]*;base64,(.*)$/s.exec(part.image_url.url)?.[1];
  return base64 === undefined ? undefined : { kind: "image", bytes: Buffer.from(base64, "base64") };
}

function formOf({ response_format, tools }: z.output<typeof ChatRequest>): Omit<AnswerForm, "logprobs"> {
  const tool = tools?.[0]?.function;
  const schema = tool?.parameters ?? response_format?.json_schema?.schema;
  const [first = "label", ...others] = Object.keys(schema?.properties ?? {});
  return { properties: [first, ...others], tool: tool?.name };
}

/** What is answered to one property. */
export type Answer = {
  readonly property: string;
  readonly label: LabelValue;
  readonly probabilities: Readonly<Record<LabelValue, number>>;
};

type Piece = { readonly text: string; readonly answer?: Answer };

/** `{"label":"pear"}`, in the pieces in which log-probabilities are given; the label's own piece knows its answer. */
function piecesOf(answers: readonly Answer[]): readonly Piece[] {
  const pieces = answers.flatMap((answer, index): Piece[] => [
    { text: `${index === 0 ? "{" : '",'}${JSON.stringify(answer.property)}:"` },
    { text: JSON.stringify(answer.label).slice(1, -1), answer },
  ]);
  return [...pieces, { text: '"}' }];
}

export const textOf = (answers: readonly Answer[]): string =>
  piecesOf(answers)
    .map(({ text }) => text)
    .join("");

export type Completion = {
  readonly id: string;
  readonly model: string;
  readonly createdAtMs: number;
  readonly text: string;
  readonly finishReason: "stop" | "length";
  readonly usage: Usage;
  readonly form: AnswerForm;
  /** What it would have answered, whatever the fault that `text` shows. */
  readonly answers: readonly Answer[];
};

export function completionBody(completion: Completion): string {
  const { form, text, usage } = completion;
  const call = form.tool && {
    id: `call_${completion.id}`,
    type: "function",
    function: { name: form.tool, arguments: text },
  };
  return JSON.stringify({
    id: `chatcmpl-${completion.id}`,
    object: "chat.completion",
    created: Math.floor(completion.createdAtMs / 1000),
    model: completion.model,
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: call ? null : text, ...(call && { tool_calls: [call] }) },
        finish_reason: call ? "tool_calls" : completion.finishReason,
        logprobs: form.logprobs ? { content: logprobs(completion) } : null,
      },
    ],
    usage: {
      prompt_tokens: usage.inputTokens,
      completion_tokens: usage.outputTokens,
      total_tokens: usage.inputTokens + usage.outputTokens,
    },
  });
}

/** One token holds the whole label; its alternatives are the other labels. */
function logprobs({ answers }: Completion) {
  return piecesOf(answers).map(({ text: token, answer }) => {
    if (!answer) return { token, logprob: 0, top_logprobs: [{ token, logprob: 0 }] };
    const alternatives = Object.entries(answer.probabilities)
      .filter(([, probability]) => probability > 0)
      .map(([other, probability]) => ({ token: other, logprob: Math.log(probability) }));
    return { token, logprob: Math.log(answer.probabilities[answer.label] || 1e-9), top_logprobs: alternatives };
  });
}

/** OpenAI's error shape. */
export function errorBody(message: string, type: string, code: string): string {
  return JSON.stringify({ error: { message, type, param: null, code } });
}
