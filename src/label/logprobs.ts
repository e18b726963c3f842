/**
 * @file From the log-probabilities of tokens to probabilities of labels: the best confidence that an LLM gives (SCIENCE §4).
 *
 * The answer is walked token by token from where the label begins. At each position the alternatives that spell another
 * label take their share, and what is left goes on with the token that was chosen. Tokens that spell no label are left
 * out and the rest is normalised.
 */

import type { LabelValue } from "../records.ts";

type Alternative = { readonly token: string; readonly logprob: number };
type Token = Alternative & { readonly top_logprobs?: readonly Alternative[] };

/** `choices[0].logprobs.content` of the chat completions API. By hand: a schema takes longer than all that follows. */
const isTokens = (value: unknown): value is readonly Token[] =>
  Array.isArray(value) && value.every((token) => isAlternative(token) && hasAlternatives(token));

const isAlternative = (value: unknown): value is Alternative =>
  typeof value === "object" &&
  value !== null &&
  "token" in value &&
  typeof value.token === "string" &&
  "logprob" in value &&
  typeof value.logprob === "number";

const hasAlternatives = (token: Alternative): token is Token =>
  !("top_logprobs" in token) || (Array.isArray(token.top_logprobs) && token.top_logprobs.every(isAlternative));

/** By label, summing to 1; labels that no alternative spelled are absent. Undefined where the tokens cannot be read. */
export function labelProbabilities(
  tokens: unknown,
  labels: readonly LabelValue[],
  property?: string,
): Readonly<Record<LabelValue, number>> | undefined {
  if (!isTokens(tokens)) return undefined;
  const opening = openingOf(property);
  const start = startOfLabel(tokens, opening);
  if (start === undefined) return undefined;
  const spellings = labels.map((label) => ({ label, quoted: JSON.stringify(label).slice(1) }));
  return normalised(walk(tokens.slice(start.token), { spelled: start.spelled, opening }, spellings));
}

/** As many as are asked for; a server that sends more is not listened to for longer. */
const MAX_ALTERNATIVES = 20;

/** `quoted` is the label as it stands in JSON after the opening quote, the closing one included: `pear"`, not `pearl"`. */
type Spelling = { readonly label: LabelValue; readonly quoted: string };
type Mass = Map<LabelValue, number>;

/** How much of an answer comes before the label; undefined where it does not get so far. */
type Opening = (text: string) => number | undefined;

/** The whole beginning of the answer, or, of several fields, everything up to this one. */
function openingOf(property: string | undefined): Opening {
  if (property === undefined) return (text) => /^\s*\{\s*"label"\s*:\s*"/.exec(text)?.[0].length;
  // Within a string a quote is escaped, so that no label can look like a property.
  const name = `"${property}"`;
  return (text) => {
    for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
      if (!/[{,]/.test(text[skipped(text, at - 1, -1)] ?? "")) continue;
      const colon = skipped(text, at + name.length, 1);
      const quote = skipped(text, colon + 1, 1);
      if (text[colon] === ":" && text[quote] === '"') return quote + 1;
    }
    return undefined;
  };
}

/** The first place from `at` on, backwards or forwards, that holds no white space. */
function skipped(text: string, at: number, step: 1 | -1): number {
  let place = at;
  while (/\s/.test(text[place] ?? "")) place += step;
  return place;
}

/** The token in which the label's first letter stands, and what that token spells of it before (`":"` may be one token). */
function startOfLabel(
  tokens: readonly Token[],
  opening: Opening,
): { readonly token: number; readonly spelled: string } | undefined {
  const text = tokens.map(({ token }) => token).join("");
  const begins = opening(text);
  if (begins === undefined) return undefined;
  let spelled = 0;
  // The first token that reaches beyond the opening, or the one after the last where nothing does.
  const token = tokens.findIndex((one) => {
    spelled += one.token.length;
    return spelled > begins;
  });
  if (token < 0) return { token: tokens.length, spelled: text };
  return { token, spelled: text.slice(0, spelled - tokens[token]!.token.length) };
}

/** `spelled`: everything before the first of the tokens, in which the label begins. */
type Before = { readonly spelled: string; readonly opening: Opening };

function walk(tokens: readonly Token[], { spelled, opening }: Before, spellings: readonly Spelling[]): Mass {
  const mass: Mass = new Map();
  let begun = "";
  let remaining = 1;
  for (const [index, { token, logprob, top_logprobs = [] }] of tokens.entries()) {
    // Only the first token may hold some of what comes before the label.
    const ofLabel =
      index === 0 ? (text: string) => withoutOpening(spelled + text, opening) : (text: string) => begun + text;
    for (const other of top_logprobs.slice(0, MAX_ALTERNATIVES)) {
      if (other.token === token) continue;
      share(mass, labelsSpelled(ofLabel(other.token), spellings), remaining * Math.exp(other.logprob));
    }
    begun = ofLabel(token) ?? "";
    remaining *= Math.exp(logprob);
    // Complete, or no label any more: what follows changes nothing.
    if (spellings.every(({ quoted }) => begun.startsWith(quoted) || !quoted.startsWith(begun))) break;
  }
  share(mass, labelsSpelled(begun, spellings), remaining);
  return mass;
}

function withoutOpening(text: string, opening: Opening): string | undefined {
  const begins = opening(text);
  return begins === undefined ? undefined : text.slice(begins);
}

/** The labels that this beginning of an answer can still become, or has become. */
function labelsSpelled(begun: string | undefined, spellings: readonly Spelling[]): readonly Spelling[] {
  if (begun === undefined) return [];
  return spellings.filter(({ quoted }) => quoted.startsWith(begun) || begun.startsWith(quoted));
}

/** An alternative that several labels begin with says nothing about which: equal parts. */
function share(mass: Mass, spellings: readonly Spelling[], amount: number): void {
  for (const { label } of spellings) mass.set(label, (mass.get(label) ?? 0) + amount / spellings.length);
}

function normalised(mass: Mass): Readonly<Record<LabelValue, number>> | undefined {
  const total = mass.values().reduce((sum, amount) => sum + amount, 0);
  if (!(total > 0)) return undefined;
  return Object.fromEntries(mass.entries().map(([label, amount]) => [label, amount / total]));
}
