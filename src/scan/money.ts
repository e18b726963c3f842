/** @file What the calls of a log cost, and what a month of them costs, from list prices and the tokens that the log counted. */

import type { LoggedAnswer, LoggedCall } from "../ingest/logs/logged-call.ts";
import { costOf, PRICES_AS_OF, type Price, priceOf } from "../label/prices.ts";
import { expectedTextTokens } from "../label/tokens.ts";
import type { Usage } from "../records.ts";
import { defineTask } from "../task.ts";

export type Money = {
  /** Mean over the calls. */
  readonly perCallUsd: number;
  readonly models: readonly { readonly model: string; readonly calls: number; readonly price?: Price }[];
  /** Whether the log counted no tokens, so that they were guessed from the length of the texts. */
  readonly isEstimated: boolean;
  readonly pricesAsOf: string;
};

/** Only for the price list, which is kept by the names that tasks use. */
const anyTask = defineTask({
  name: "scan",
  input: "text",
  instructions: "none",
  output: { kind: "predicate" },
  teacher: { model: "openai/gpt-4o-mini" },
});

/** Undefined where a price is unknown and `price` gives none: a sum that leaves calls out would be wrong without a word. */
export function moneyOf(calls: readonly LoggedCall[], price?: Price): Money | undefined {
  const byModel = [...Map.groupBy(calls, ({ model }) => model ?? "unnamed")];
  const models = byModel.map(([model, group]) => {
    const known = price ?? priceOf(anyTask, withProvider(model));
    return { model, calls: group.length, isLogged: group.every(isPriced), ...(known && { price: known }) };
  });
  if (calls.length === 0 || models.some(({ price: known, isLogged }) => !known && !isLogged)) return undefined;
  const priceByModel = new Map(models.map((model) => [model.model, model.price]));
  const costOfCall = (call: LoggedCall) => {
    const known = priceByModel.get(call.model ?? "unnamed");
    // What was paid knows what was cached and what was agreed; a price that the user gives knows better.
    if (!price && call.costUsd !== undefined) return call.costUsd;
    return isFree(call) ? 0 : costOf(usageOf(call), known!);
  };
  const total = calls.reduce((sum, call) => sum + costOfCall(call), 0);
  const isEstimated = calls.some(
    (call) => call.usage.inputTokens === 0 && !isFree(call) && (price !== undefined || call.costUsd === undefined),
  );
  return { perCallUsd: total / calls.length, models, isEstimated, pricesAsOf: PRICES_AS_OF };
}

/** One that failed before anything was read. */
const isFree = ({ answer, usage }: LoggedCall): boolean => answer.kind === "failed" && usage.inputTokens === 0;

/** Whether the log says what it cost. */
const isPriced = (call: LoggedCall): boolean => call.costUsd !== undefined || isFree(call);

/** Logs name models without their provider. */
function withProvider(model: string): string {
  if (model.includes("/")) return model;
  if (/^claude/i.test(model)) return `anthropic/${model}`;
  return /^gemini/i.test(model) ? `google/${model}` : `openai/${model}`;
}

function usageOf({ usage, prompt, input, answer }: LoggedCall): Usage {
  if (usage.inputTokens > 0) return usage;
  return {
    inputTokens: expectedTextTokens(`${prompt}${typeof input === "string" ? input : JSON.stringify(input ?? "")}`),
    outputTokens: expectedTextTokens(wordsOf(answer)),
  };
}

function wordsOf(answer: LoggedAnswer): string {
  if (answer.kind === "text") return answer.text;
  const given = answer.kind === "decision" ? [...answer.given.values()] : [];
  return given.map((said) => ("value" in said ? said.value : "")).join(" ");
}
