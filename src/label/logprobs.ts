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

/** `quoted` is the label as it stands in JSON after the opening quote, the closing one included: `pear"`, not `pearl"`. */
type Spelling = { readonly label: LabelValue; readonly quoted: string };
type Mass = Map<LabelValue, number>;

/** What comes before a label: the whole beginning of the answer, or, of several fields, everything up to this one. */
function openingOf(property: string | undefined): RegExp {
  if (property === undefined) return /^\s*\{\s*"label"\s*:\s*"/;
  // Within a string a quote is escaped, so that no label can look like a property. Names are letters, digits, - and _.
  return new RegExp(`^[^]*?[{,]\\s*"${property}"\\s*:\\s*"`);
}

/** The token in which the label's first letter stands, and what that token spells of it before (`":"` may be one token). */
function startOfLabel(
  tokens: readonly Token[],
  opening: RegExp,
): { readonly token: number; readonly spelled: string } | undefined {
  let text = "";
  for (const [index, { token }] of tokens.entries()) {
    const begun = opening.exec(text + token);
    if (begun && begun[0].length < (text + token).length) return { token: index, spelled: text };
    text += token;
    if (opening.exec(text)?.[0].length === text.length) return { token: index + 1, spelled: text };
  }
  return undefined;
}

/** `spelled`: everything before the first of the tokens, in which the label begins. */
type Before = { readonly spelled: string; readonly opening: RegExp };

function walk(tokens: readonly Token[], { spelled, opening }: Before, spellings: readonly Spelling[]): Mass {
  const mass: Mass = new Map();
  let begun = "";
  let remaining = 1;
  for (const [index, { token, logprob, top_logprobs = [] }] of tokens.entries()) {
    // Only the first token may hold some of what comes before the label.
    const ofLabel =
      index === 0 ? (text: string) => withoutOpening(spelled + text, opening) : (text: string) => begun + text;
    for (const other of top_logprobs) {
      if (other.token === token) continue;
      share(mass, labelsSpelled(ofLabel(other.token), spellings), remaining * Math.exp(other.logprob));
    }
    begun = ofLabel(token) ?? "";
    remaining *= Math.exp(logprob);
    if (spellings.some(({ quoted }) => begun.startsWith(quoted))) break;
  }
  share(mass, labelsSpelled(begun, spellings), remaining);
  return mass;
}

function withoutOpening(text: string, opening: RegExp): string | undefined {
  const before = opening.exec(text)?.[0];
  return before === undefined ? undefined : text.slice(before.length);
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
