/**
 * @file What a million tokens cost. List prices of the standard tier, collected in `PRICES_AS_OF` from the providers' pages
 * or from sites that quote them: to be checked before relying on them, and overridden by `teacher.price` in the task.
 * A model that is not listed has no price: a guess would make a budget that is not one.
 */

import { FlywheelError } from "../errors.ts";
import type { Usage } from "../records.ts";
import type { AnyTask } from "../task.ts";

export const PRICES_AS_OF = "2026-06";

export type Price = { readonly inputPerMillionUsd: number; readonly outputPerMillionUsd: number };

/** [input, output], US dollars per million tokens. */
const listPrices: Readonly<Record<string, readonly [number, number]>> = {
  "google/gemini-2.0-flash": [0.1, 0.4],
  "google/gemini-2.5-flash-lite": [0.1, 0.4],
  "google/gemini-2.5-flash": [0.3, 2.5],
  "google/gemini-2.5-pro": [1.25, 10],
  "google/gemini-3-flash": [0.5, 3],
  "google/gemini-3.1-flash-lite": [0.25, 1.5],
  "google/gemini-3.1-pro": [2, 12],
  "openai/gpt-4o-mini": [0.15, 0.6],
  "openai/gpt-4o": [2.5, 10],
  "openai/gpt-4.1-nano": [0.1, 0.4],
  "openai/gpt-4.1-mini": [0.4, 1.6],
  "openai/gpt-4.1": [2, 8],
  "openai/gpt-5-nano": [0.05, 0.4],
  "openai/gpt-5-mini": [0.25, 2],
  "openai/gpt-5": [1.25, 10],
  "openai/gpt-5.4-nano": [0.2, 1.25],
  "openai/gpt-5.4-mini": [0.75, 4.5],
  "openai/gpt-5.4": [2.5, 15],
  "openai/gpt-5.5": [5, 30],
  "anthropic/claude-3-haiku": [0.25, 1.25],
  "anthropic/claude-haiku-4-5": [1, 5],
  "anthropic/claude-sonnet-4": [3, 15],
  "anthropic/claude-sonnet-4-5": [3, 15],
  "anthropic/claude-sonnet-4-6": [3, 15],
  "anthropic/claude-opus-4-5": [5, 25],
};

/** Dated and preview snapshots cost what the model that they freeze costs: `-20251001`, `-2024-07-18`, `-latest`. */
const SNAPSHOT = /-(?:\d{8}|\d{4}-\d{2}-\d{2}|\d{3}|latest|preview)$/;

/**
 * The price of `model` (`provider/name`): the task's own, else the list's. A server on this machine is free unless the
 * task says otherwise. Undefined where nobody knows. `teacher.price` speaks for the first model only, as it must: the
 * second is usually another one.
 */
export function priceOf(task: AnyTask, model: string): Price | undefined {
  const { teacher } = task;
  if (teacher.price && model === teacher.model) return teacher.price;
  if (model.startsWith("compatible/")) return isLoopback(teacher.baseUrl) ? free : undefined;
  const listed = listPrices[model] ?? listPrices[model.replace(SNAPSHOT, "")];
  return listed && { inputPerMillionUsd: listed[0], outputPerMillionUsd: listed[1] };
}

/** Whether it costs nothing only because it answers on this machine: a proxy to a paid model would, too. */
export const isCountedFree = (task: AnyTask, model: string): boolean => priceOf(task, model) === free;

const free: Price = { inputPerMillionUsd: 0, outputPerMillionUsd: 0 };

function isLoopback(url: string | undefined): boolean {
  if (url === undefined) return false;
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}

/** As `priceOf`. Without a price a budget cannot be kept, so a task that sets one needs it. */
export function requirePrice(task: AnyTask, model: string): Price | undefined {
  const price = priceOf(task, model);
  if (price === undefined && task.budgetUsd !== undefined) {
    throw new FlywheelError(
      "price_unknown",
      `a budget of $${task.budgetUsd} is set, but the price of "${model}" is unknown`,
      {
        hint:
          model === task.teacher.model
            ? "set teacher.price in the task's config, from the provider's price page, or remove budgetUsd"
            : "choose a listed secondModel or none, or remove budgetUsd; teacher.price speaks for teacher.model only",
      },
    );
  }
  return price;
}

/** US dollars. */
export function costOf(usage: Usage, { inputPerMillionUsd, outputPerMillionUsd }: Price): number {
  return (usage.inputTokens * inputPerMillionUsd + usage.outputTokens * outputPerMillionUsd) / 1e6;
}
