/**
 * @file `POST /v1/decisions` as the official client sends it (openai 7.x, `resources/decisions`). Unknown fields are
 * ignored, as OpenAI does; a field that we know and cannot honour is an error that names it.
 */

import { z } from "zod";
import { createMemory } from "./memory.ts";
import { RequestError } from "./request-error.ts";

const MAX_QUESTIONS = 400;
const MAX_CHOICES = 255;
const MAX_LEVELS = 10;

const Instructions = z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]);
/** No label is longer; to compare a longer one with them all in every spelling would take long. */
const Label = z.string().max(1_000);
const Choice = z.object({ value: z.union([Label, z.boolean()]), description: z.string().nullish() });

const Level = z.object({ label: Label, description: z.string().nullish() });

const Question = z.discriminatedUnion("type", [
  z.object({ type: z.literal("predicate"), name: z.string().nullish(), instructions: Instructions }),
  z.object({
    type: z.literal("choice"),
    name: z.string().nullish(),
    instructions: Instructions,
    choices: z.array(Choice).min(2).max(MAX_CHOICES),
  }),
  z.object({
    type: z.literal("score"),
    name: z.string().nullish(),
    instructions: Instructions,
    levels: z.array(Level).min(2).max(MAX_LEVELS),
  }),
]);
export type Question = z.output<typeof Question>;

const Part = z.discriminatedUnion("type", [
  z.object({ type: z.literal("input_text"), text: z.string() }),
  z.object({ type: z.literal("input_image"), image_url: z.string() }),
  z.object({ type: z.literal("input_json"), data: z.unknown() }),
]);
export type Part = z.output<typeof Part>;

const UserMessage = z.object({
  role: z.literal("user"),
  type: z.literal("message").optional(),
  // Parts are parsed one by one, so that an error names the one at fault and not the list.
  content: z.union([z.string(), z.array(z.unknown())]),
});

const Body = z.object({
  model: z.string(),
  input: z.union([z.string(), z.array(z.looseObject({ role: z.string().optional() })).min(1)], {
    error: "must be a text or a list of messages; a record goes as JSON.stringify(record), or in an input_json part",
  }),
  questions: z.array(Question).min(1).max(MAX_QUESTIONS),
});

/** One piece of the input, and where it stands. */
export type InputPart = { readonly part: Part; readonly param: string };

export type DecisionRequest = {
  readonly model: string;
  readonly parts: readonly InputPart[];
  readonly questions: readonly Question[];
};

/** @throws RequestError 400, with the field at fault */
export function parseDecisionRequest(body: unknown): DecisionRequest {
  refuseLongLists(body);
  return parseKnown(body) ?? parseAnew(body);
}

function parseAnew(body: unknown): DecisionRequest {
  const { model, input, questions } = parse(Body, body, "");
  const given = (body as { readonly questions: unknown }).questions;
  return { model, parts: partsOf(input), questions: knownQuestions.remember(given, questions) };
}

/**
 * A caller asks the same questions about one text after the other: to check them again takes longer than to see that they
 * are the same. Undefined where anything else is out of the ordinary.
 */
function parseKnown(body: unknown): DecisionRequest | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { model, input, questions: given } = body as Readonly<Record<string, unknown>>;
  if (typeof model !== "string" || typeof input !== "string") return undefined;
  const questions = knownQuestions.recall(given);
  return questions && { model, parts: partsOf(input), questions };
}

const knownQuestions = createMemory<readonly Question[]>();

const MAX_ITEMS = 1_000;

/** Before the schema, which looks at every item of a list before it says that there are too many. */
function refuseLongLists(body: unknown): void {
  const { input, questions } = asObject(body);
  requireLength(questions, MAX_QUESTIONS, "questions");
  requireLength(input, MAX_ITEMS, "input");
  for (const [index, item] of asList(input).entries()) {
    requireLength(asObject(item)["content"], MAX_ITEMS, `input[${index}].content`);
  }
  for (const [index, question] of asList(questions).entries()) {
    const { choices, levels, instructions } = asObject(question);
    requireLength(choices, MAX_CHOICES, `questions[${index}].choices`);
    requireLength(levels, MAX_LEVELS, `questions[${index}].levels`);
    requireLength(instructions, MAX_ITEMS, `questions[${index}].instructions`);
  }
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const asObject = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

function requireLength(value: unknown, max: number, param: string): void {
  const { length } = asList(value);
  if (length <= max) return;
  throw new RequestError(400, "invalid_value", `${param}: at most ${max} items, not ${length}`, { param });
}

function partsOf(input: z.output<typeof Body>["input"]): readonly InputPart[] {
  if (typeof input === "string") return [{ part: { type: "input_text", text: input }, param: "input" }];
  return input.flatMap((item, index) => partsOfItem(item, `input[${index}]`));
}

function partsOfItem(item: { readonly role?: string | undefined }, param: string): readonly InputPart[] {
  // Leaving out what a developer or an assistant said would answer another request than the one that was made.
  if (item.role !== "user") {
    throw new RequestError(400, "unsupported_input", `${param} is no user message`, {
      param,
      hint: "the student reads one input; put instructions into the task, and send a single user message",
    });
  }
  const { content } = parse(UserMessage, item, param);
  if (typeof content === "string") return [{ part: { type: "input_text", text: content }, param: `${param}.content` }];
  return content.map((part, index) => toInputPart(part, `${param}.content[${index}]`));
}

function toInputPart(part: unknown, param: string): InputPart {
  return { part: parse(Part, part, param), param };
}

function parse<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const param = pathOf(issue?.path ?? [], where);
  throw new RequestError(400, "invalid_value", `${param || "the body"}: ${issue?.message ?? "invalid"}`, {
    ...(param === "" ? {} : { param }),
    cause: parsed.error,
  });
}

/** `["questions", 0, "choices"]` → `questions[0].choices`. */
function pathOf(path: readonly PropertyKey[], where: string): string {
  return path.reduce<string>((before, key) => {
    if (typeof key === "number") return `${before}[${key}]`;
    return before === "" ? String(key) : `${before}.${String(key)}`;
  }, where);
}
