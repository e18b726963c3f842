/** @file Logs of OpenAI's Decisions: several questions in one request, and what was said to each. */

import { readContent } from "./content.ts";
import { callOf, type Exchange, noAnswer } from "./exchange.ts";
import { isObject, listAt, numberAt, textAt } from "./fields.ts";
import type { Judgement, LoggedCall } from "./logged-call.ts";
import type { QuestionMatcher } from "./match-questions.ts";

export const isDecision = ({ request, response }: Exchange): boolean =>
  listAt(request, "questions") !== undefined && listAt(response, "answers") !== undefined;

/** @param match the field of each question: a request may ask more than the task does */
export function readDecision(exchange: Exchange, match: QuestionMatcher): LoggedCall {
  const { request, response } = exchange;
  const questions = listAt(request, "questions") ?? [];
  const answers = listAt(response, "answers") ?? [];
  const asked = match(questions).flatMap((field, index) =>
    field === undefined ? [] : [{ field, question: questions[index], answer: answers[index] }],
  );
  const worded = asked.length > 0 ? asked.map(({ question }) => question) : questions;
  const given = new Map(asked.map(({ field, question, answer }) => [field, judgementOf(question, answer)]));
  return {
    ...inputOf(request["input"]),
    prompt: worded.map(wordingOf).join("\n"),
    answer: answers.length === 0 ? noAnswer(exchange) : { kind: "decision", given },
    ...callOf(exchange),
  };
}

function judgementOf(question: unknown, answer: unknown): Judgement {
  if (answer === undefined) return { refusal: "the log holds no answer" };
  switch (textAt(answer, "type")) {
    case "predicate":
      return predicateOf(answer);
    case "score":
      return levelOf(question, answer);
    default:
      return choiceOf(answer);
  }
}

const refused: Judgement = { refusal: "the question was refused" };

function predicateOf(answer: unknown): Judgement {
  const probability = numberAt(answer, "probability");
  if (probability === undefined) return choiceOf(answer);
  return { value: String(probability >= 0.5), probabilities: { true: probability, false: 1 - probability } };
}

function choiceOf(answer: unknown): Judgement {
  const choice = isObject(answer) ? answer["choice"] : undefined;
  if (typeof choice !== "string" && typeof choice !== "boolean") return refused;
  return { value: String(choice), ...sharesOf(answer, "value") };
}

/** The most probable level. The score itself is a mean: only where it is whole does it name one. */
function levelOf(question: unknown, answer: unknown): Judgement {
  const { probabilities } = sharesOf(answer, "label");
  if (probabilities) {
    const [value] = Object.entries(probabilities).reduce((best, next) => (next[1] > best[1] ? next : best));
    return { value, probabilities };
  }
  const score = numberAt(answer, "score");
  const label = score === undefined ? undefined : textAt(listAt(question, "levels")?.[score], "label");
  return label === undefined ? { refusal: "the score names no level" } : { value: label };
}

function sharesOf(
  answer: unknown,
  name: "value" | "label",
): { readonly probabilities?: Readonly<Record<string, number>> } {
  const pairs = (listAt(answer, "probabilities") ?? []).flatMap((one) => {
    const share = numberAt(one, "probability");
    return isObject(one) && share !== undefined ? [[String(one[name]), share] as const] : [];
  });
  return pairs.length > 0 ? { probabilities: Object.fromEntries(pairs) } : {};
}

/** The texts of the input, or its one JSON object. */
function inputOf(input: unknown): Pick<LoggedCall, "input" | "foreign"> {
  if (typeof input === "string") return { input };
  const parts = (Array.isArray(input) ? input : []).flatMap((message) => {
    const text = textAt(message, "content");
    return text === undefined ? (listAt(message, "content") ?? []) : [{ type: "input_text", text }];
  });
  const json = parts.find((part) => textAt(part, "type") === "input_json");
  if (isObject(json)) return { input: json["data"] };
  const { text, foreign } = readContent(parts);
  return foreign === undefined ? { input: text } : { input: undefined, foreign };
}

function wordingOf(question: unknown): string {
  const instructions = textAt(question, "instructions");
  if (instructions !== undefined) return instructions;
  return (listAt(question, "instructions") ?? []).map((part) => textAt(part, "text") ?? "").join("\n");
}
