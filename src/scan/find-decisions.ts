/**
 * @file Which calls of a log are decisions: prompts that are answered, again and again, with one of a few words. The rest
 * (summaries, drafts, chats) no student of ours can take over.
 */

import type { Judgement, LoggedAnswer, LoggedCall } from "../ingest/logs/logged-call.ts";
import type { LabelValue } from "../records.ts";
import { foldLabel } from "../task.ts";

export type DecisionCall = {
  readonly call: LoggedCall;
  readonly text: string;
  /** Absent where the answer is none of the labels. */
  readonly label: LabelValue | undefined;
};

/** A prompt whose calls are a decision. */
export type FoundDecision = {
  readonly prompt: string;
  readonly labels: readonly { readonly value: LabelValue; readonly calls: number }[];
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
/** An answer that is seen less often is no label but a slip. */
const LEAST_SEEN = { calls: 3, share: 0.001 };

/** Most frequent prompts first. */
export function findDecisions(calls: readonly LoggedCall[]): Found {
  const groups = [...Map.groupBy(calls, ({ prompt }) => prompt)].toSorted((a, b) => b[1].length - a[1].length);
  const judged = groups.map(([prompt, group]) => judge(prompt, group));
  return {
    decisions: judged.flatMap((one) => ("labels" in one ? one : [])),
    others: judged.flatMap((one) => ("why" in one ? one : [])),
  };
}

function judge(prompt: string, calls: readonly LoggedCall[]): FoundDecision | OtherPrompt {
  const other = (why: string): OtherPrompt => ({ prompt, calls: calls.length, why });
  if (calls.length < LEAST_CALLS) return other(`fewer than ${LEAST_CALLS} calls`);
  const texts = calls.map(({ input }) => textOf(input));
  if (texts.filter((text) => text !== undefined).length < MOST * calls.length) return other("the inputs are no texts");
  const answers = calls.map(({ answer }) => valuesOf(answer));
  const best = bestField(answers);
  if (!best) return other("free answers: no few words that come again and again");
  if (best.labels.size < 2) return other(`always the same answer, "${[...best.labels.values()][0]?.value ?? ""}"`);
  const { field, labels } = best;
  return {
    prompt,
    labels: [...labels.values()].toSorted((a, b) => b.calls - a.calls),
    calls: calls.flatMap((call, index) => {
      const [text, value] = [texts[index], answers[index]!.get(field)];
      return text === undefined
        ? []
        : { call, text, label: value === undefined ? undefined : labels.get(foldLabel(value))?.value };
    }),
  };
}

function textOf(input: unknown): string | undefined {
  const text =
    typeof input === "string" ? input : typeof input === "object" && input !== null ? JSON.stringify(input) : "";
  return text.trim() === "" || text.includes("\0") ? undefined : text;
}

/** The bare answer, and of a JSON object its fields. */
const BARE = "";

function valuesOf(answer: LoggedAnswer): ReadonlyMap<string, string> {
  if (answer.kind === "failed") return new Map();
  if (answer.kind === "decision") return judgementsOf(answer.given);
  const bare = /^\s*```(?:json)?\s*([\s\S]*?)```\s*$/.exec(answer.text)?.[1] ?? answer.text;
  const json = parseJson(bare.trim());
  if (typeof json !== "object" || json === null) return onlyShort([[BARE, bare.trim()]]);
  return onlyShort(
    Object.entries(json).flatMap(([key, value]) => (isWord(value) ? [[key, String(value)] as const] : [])),
  );
}

function judgementsOf(given: ReadonlyMap<string, Judgement>): ReadonlyMap<string, string> {
  return new Map([...given].flatMap(([name, said]) => ("value" in said ? [[name, said.value] as const] : [])));
}

const isWord = (value: unknown): boolean =>
  typeof value === "string" || typeof value === "boolean" || Number.isInteger(value);

const onlyShort = (pairs: readonly (readonly [string, string])[]): ReadonlyMap<string, string> =>
  new Map(pairs.filter(([, value]) => value !== "" && value.length <= MAX_LABEL_CHARACTERS));

function parseJson(text: string): unknown {
  if (!/^[[{"]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Labels = ReadonlyMap<string, { readonly value: LabelValue; readonly calls: number }>;

/** The field whose few values answer most calls; the one with more values where several do: it says more. */
function bestField(
  answers: readonly ReadonlyMap<string, string>[],
): { readonly field: string; readonly labels: Labels } | undefined {
  const fields = new Set(answers.flatMap((values) => [...values.keys()]));
  const candidates = [...fields].flatMap((field) => {
    const labels = labelsIn(answers.flatMap((values) => values.get(field) ?? []));
    const covered = [...labels.values()].reduce((sum, { calls }) => sum + calls, 0);
    return labels.size > 0 && labels.size <= MAX_LABELS && covered >= MOST * answers.length ? [{ field, labels }] : [];
  });
  return candidates.toSorted((a, b) => b.labels.size - a.labels.size)[0];
}

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
