/**
 * @file Which calls of a log are decisions: prompts that are answered, again and again, with one of a few words. The rest
 * (summaries, drafts, chats) no student of ours can take over.
 */

import { isAnswerName } from "../answer.ts";
import { openAnswer, spellingsOf } from "../answer-text.ts";
import type { Judgement, LoggedAnswer, LoggedCall } from "../ingest/logs/logged-call.ts";
import { foldLabel } from "../label-spelling.ts";
import type { LabelValue } from "../records.ts";

export type DecisionCall = {
  readonly call: LoggedCall;
  readonly text: string;
  /** By field; without those whose answer is none of their labels. */
  readonly labels: ReadonlyMap<string, LabelValue>;
};

/** One of the things that a call decides: a property of its JSON answer, a question, or, without a name, the answer as such. */
export type FoundField = {
  readonly name: string;
  readonly labels: readonly { readonly value: LabelValue; readonly calls: number }[];
};

/** A prompt whose calls are a decision, or several at once. */
export type FoundDecision = {
  readonly prompt: string;
  readonly fields: readonly FoundField[];
  /** What the answers hold besides, and why it is no decision. */
  readonly rest: readonly { readonly name: string; readonly why: string }[];
  readonly calls: readonly DecisionCall[];
};

/** A prompt whose calls are none, and why. */
export type OtherPrompt = { readonly prompt: string; readonly calls: number; readonly why: string };

export type Found = { readonly decisions: readonly FoundDecision[]; readonly others: readonly OtherPrompt[] };

/** Fewer calls certify nothing. */
const LEAST_CALLS = 400;
const MAX_LABELS = 100;
const MAX_LABEL_CHARACTERS = 80;
/** Share of the calls that the labels must answer. */
const MOST = 0.9;
/** A field that fewer of the calls hold is not worth a word. */
const LEAST_KEPT = 0.1;
/** Fields of one prompt that are studied. */
const MAX_FIELDS = 8;
/** An answer that is seen less often is no label but a slip. */
const LEAST_SEEN = { calls: 3, share: 0.001 };

/**
 * Most frequent prompts first.
 * @param wanted the fields that count; all where absent
 */
export function findDecisions(calls: readonly LoggedCall[], wanted?: readonly string[]): Found {
  const groups = [...Map.groupBy(calls, ({ prompt }) => prompt)].toSorted((a, b) => b[1].length - a[1].length);
  const judged = groups.map(([prompt, group]) => judge(prompt, group, wanted));
  return {
    decisions: judged.flatMap((one) => ("fields" in one ? one : [])),
    others: judged.flatMap((one) => ("why" in one ? one : [])),
  };
}

function judge(
  prompt: string,
  calls: readonly LoggedCall[],
  wanted: readonly string[] | undefined,
): FoundDecision | OtherPrompt {
  const other = (why: string): OtherPrompt => ({ prompt, calls: calls.length, why });
  const answered = calls.filter(({ answer }) => answer.kind !== "failed").length;
  if (answered < LEAST_CALLS) {
    const failed = calls.length - answered;
    return other(`fewer than ${LEAST_CALLS} calls${failed > 0 ? ` with an answer: ${failed} failed` : ""}`);
  }
  const texts = calls.map(({ input }) => textOf(input));
  if (texts.filter((text) => text !== undefined).length < MOST * calls.length)
    return other(`the inputs are no texts${foreignIn(calls)}`);
  const answers = calls.map(({ answer }) => valuesOf(answer));
  // A call that failed says nothing of what its answer would have been.
  const seen = judgeFields(
    answers.filter((_, index) => calls[index]!.answer.kind !== "failed"),
    wanted,
  );
  const decided = seen.flatMap((one) => ("labels" in one ? one : []));
  if (decided.length === 0) return other(whyNone(seen));
  const fields = decided.slice(0, MAX_FIELDS);
  return {
    prompt,
    fields: fields.map(({ name, labels }) => ({
      name,
      labels: [...labels.values()].toSorted((a, b) => b.calls - a.calls),
    })),
    rest: [
      ...seen.flatMap((one) => ("why" in one ? one : [])),
      ...decided.slice(MAX_FIELDS).map(({ name }) => ({ name, why: `not looked at: more than ${MAX_FIELDS} fields` })),
    ],
    calls: calls.flatMap((call, index) => {
      const text = texts[index];
      return text === undefined ? [] : { call, text, labels: labelsOf(answers[index]!, fields) };
    }),
  };
}

function foreignIn(calls: readonly LoggedCall[]): string {
  const first = calls.find(({ foreign }) => foreign !== undefined)?.foreign;
  return first === undefined ? "" : `: they hold ${first}`;
}

function labelsOf(values: Values, fields: readonly Decided[]): ReadonlyMap<string, LabelValue> {
  return new Map(
    fields.flatMap(({ name, labels }) => {
      const value = values.get(name);
      const label = value === undefined ? undefined : labels.get(foldLabel(value))?.value;
      return label === undefined ? [] : [[name, label] as const];
    }),
  );
}

function textOf(input: unknown): string | undefined {
  const text =
    typeof input === "string" ? input : typeof input === "object" && input !== null ? JSON.stringify(input) : "";
  return text.trim() === "" || text.includes("\0") ? undefined : text;
}

/** The bare answer, and of a JSON object its fields. */
const BARE = "";

/** By field; undefined where it is no short word. */
type Values = ReadonlyMap<string, string | undefined>;

function valuesOf(answer: LoggedAnswer): Values {
  if (answer.kind === "failed") return new Map();
  if (answer.kind === "decision") return judgementsOf(answer.given);
  return new Map([...wordsIn(answer.text), ...(answer.tool === undefined ? [] : wordsIn(answer.tool))]);
}

/** The properties of the one JSON object, else the answer itself or what a line of it calls the answer. */
function wordsIn(text: string): readonly (readonly [string, string | undefined])[] {
  const { json, words, named } = openAnswer(text);
  if (json) return Object.entries(json).map(([key, value]) => [key, shortWord(value)]);
  const answers = named.filter(({ name }) => isAnswerName(name)).map(({ value }) => value);
  return [[BARE, shortWord(answers.length === 1 ? answers[0] : (spellingsOf(words).at(-1) ?? words))]];
}

function shortWord(value: unknown): string | undefined {
  const word = typeof value === "string" || typeof value === "boolean" || Number.isInteger(value) ? String(value) : "";
  return word === "" || word.length > MAX_LABEL_CHARACTERS ? undefined : word;
}

function judgementsOf(given: ReadonlyMap<string, Judgement>): Values {
  return new Map([...given].map(([name, said]) => [name, "value" in said ? shortWord(said.value) : undefined]));
}

type Labels = ReadonlyMap<string, { readonly value: LabelValue; readonly calls: number }>;

type Decided = { readonly name: string; readonly labels: Labels };
type Seen = Decided | { readonly name: string; readonly why: string };

/** Of the fields that the answers hold, in order of appearance, those whose few values answer most calls. */
function judgeFields(answers: readonly Values[], wanted: readonly string[] | undefined): readonly Seen[] {
  const names = [...new Set(answers.flatMap((values) => [...values.keys()]))];
  return names
    .filter((name) => answers.filter((values) => values.has(name)).length >= LEAST_KEPT * answers.length)
    .filter((name) => wanted === undefined || wanted.includes(name))
    .map((name) => judgeField(name, answers));
}

function judgeField(name: string, answers: readonly Values[]): Seen {
  const labels = labelsIn(answers.flatMap((values) => values.get(name) ?? []));
  const covered = [...labels.values()].reduce((sum, { calls }) => sum + calls, 0);
  if (labels.size === 0 || labels.size > MAX_LABELS || covered < MOST * answers.length) return { name, why: FREE };
  const [only] = labels.values();
  return labels.size > 1 ? { name, labels } : { name, why: `always the same answer, "${only?.value ?? ""}"` };
}

const FREE = "free answers: no few words that come again and again";

const whyNone = (seen: readonly Seen[]): string =>
  seen.flatMap((one) => ("why" in one && one.why !== FREE ? one.why : []))[0] ?? FREE;

/** Spellings that a task would not tell apart are one label, called as it is called most. */
function labelsIn(values: readonly string[]): Labels {
  const least = Math.max(LEAST_SEEN.calls, LEAST_SEEN.share * values.length);
  const seen = [...Map.groupBy(values, foldLabel)].filter(([, same]) => same.length >= least);
  return new Map(seen.map(([folded, same]) => [folded, { value: commonest(same), calls: same.length }]));
}

function commonest(values: readonly string[]): string {
  const counted = [...Map.groupBy(values, (value) => value)].toSorted((a, b) => b[1].length - a[1].length);
  return counted[0]![0];
}
