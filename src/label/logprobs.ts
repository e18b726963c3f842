/**
 * @file From the log-probabilities of tokens to probabilities of labels: the best confidence that an LLM gives (SCIENCE §4).
 *
 * The answer is walked token by token from where the label begins. At each position the alternatives that spell another
 * label take their share, and what is left goes on with the token that was chosen. Tokens that spell no label are left
 * out and the rest is normalised.
 */

import { z } from "zod";
import type { LabelValue } from "../records.ts";

const Alternative = z.object({ token: z.string(), logprob: z.number() });
const Token = Alternative.extend({ top_logprobs: z.array(Alternative).default([]) });
/** `choices[0].logprobs.content` of the chat completions API. */
const Tokens = z.array(Token);
type Token = z.output<typeof Token>;

/** By label, summing to 1; labels that no alternative spelled are absent. Undefined where the tokens cannot be read. */
export function labelProbabilities(
  tokens: unknown,
  labels: readonly LabelValue[],
): Readonly<Record<LabelValue, number>> | undefined {
  const parsed = Tokens.safeParse(tokens);
  if (!parsed.success) return undefined;
  const start = startOfLabel(parsed.data);
  if (start === undefined) return undefined;
  const mass = new Map<LabelValue, number>();
  walk({ tokens: parsed.data.slice(start.token), spelled: start.spelled, labels, mass });
  return normalised(mass);
}

const OPENING = /^\s*\{\s*"label"\s*:\s*"/;

/** The token in which the label's first letter stands, and what that token spells of it before (`":"` may be one token). */
function startOfLabel(tokens: readonly Token[]): { readonly token: number; readonly spelled: string } | undefined {
  let text = "";
  for (const [index, { token }] of tokens.entries()) {
    const opening = OPENING.exec(text + token);
    if (opening && opening[0].length < (text + token).length) return { token: index, spelled: text };
    text += token;
    if (OPENING.exec(text)?.[0].length === text.length) return { token: index + 1, spelled: text };
  }
  return undefined;
}

type Walk = {
  readonly tokens: readonly Token[];
  /** Everything before the token at hand. */
  readonly spelled: string;
  readonly labels: readonly LabelValue[];
  readonly mass: Map<LabelValue, number>;
};

function walk({ tokens, spelled, labels, mass }: Walk): void {
  let text = spelled;
  let remaining = 1;
  for (const { token, logprob, top_logprobs } of tokens) {
    for (const other of top_logprobs) {
      if (other.token === token) continue;
      share(mass, labelsSpelled(text + other.token, labels), remaining * Math.exp(other.logprob));
    }
    text += token;
    remaining *= Math.exp(logprob);
    if (isClosed(text, labels)) break;
  }
  share(mass, labelsSpelled(text, labels), remaining);
}

/** The labels that this beginning of an answer can still become, or has become. */
function labelsSpelled(text: string, labels: readonly LabelValue[]): readonly LabelValue[] {
  const begun = text.replace(OPENING, "");
  return begun === text
    ? []
    : labels.filter((label) => quoted(label).startsWith(begun) || begun.startsWith(quoted(label)));
}

function isClosed(text: string, labels: readonly LabelValue[]): boolean {
  const begun = text.replace(OPENING, "");
  return labels.some((label) => begun.startsWith(quoted(label)));
}

/** As it stands in JSON after the opening quote, the closing one included: `pear"` is not the beginning of `pearl"`. */
const quoted = (label: LabelValue): string => JSON.stringify(label).slice(1);

/** An alternative that several labels begin with says nothing about which: equal parts. */
function share(mass: Map<LabelValue, number>, labels: readonly LabelValue[], amount: number): void {
  for (const label of labels) mass.set(label, (mass.get(label) ?? 0) + amount / labels.length);
}

function normalised(mass: ReadonlyMap<LabelValue, number>): Readonly<Record<LabelValue, number>> | undefined {
  const total = mass.values().reduce((sum, amount) => sum + amount, 0);
  if (!(total > 0)) return undefined;
  return Object.fromEntries(mass.entries().map(([label, amount]) => [label, amount / total]));
}
