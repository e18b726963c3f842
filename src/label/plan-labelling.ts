/** @file `flywheel plan`: what labelling will ask, take and cost, before a cent is spent. Nothing is sent. */

import { fieldNames } from "../fields.ts";
import type { Row } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { countPasses, type PassCounts } from "./passes.ts";
import { costOf, isCountedFree, PRICES_AS_OF, type Price, priceOf } from "./prices.ts";
import { modelOfPass, questionOf } from "./prompts.ts";
import { expectedOutputTokens, expectedTextTokens, imageTokens, textOf } from "./tokens.ts";

export type Range = { readonly low: number; readonly high: number };

export type PassPlan = {
  readonly pass: number;
  /** `provider/model`. */
  readonly model: string;
  /** Rows to ask; a range for pass 3, which is asked where the first two will differ. */
  readonly rows: Range;
  readonly tokens: { readonly input: Range; readonly output: Range };
  /** Absent where the model's price is unknown. */
  readonly costUsd?: Range;
};

export type LabellingPlan = {
  /** Rows to label, those that are done included. */
  readonly rows: number;
  readonly passes: readonly PassPlan[];
  readonly requests: Range;
  /** Absent where a price is unknown: `notes` then says which, and how to give it. */
  readonly costUsd?: Range;
  readonly durationMs: Range;
  readonly pricesAsOf: string;
  readonly spentUsd: number;
  readonly budget?: {
    readonly budgetUsd: number;
    readonly leftUsd: number;
    /** Whether the budget covers the plan: surely, perhaps, or surely not. Unknown without a price. */
    readonly covers: "yes" | "perhaps" | "no" | "unknown";
  };
  readonly notes: readonly string[];
};

export type PlanOptions = {
  readonly store: Store;
  readonly task: AnyTask;
  readonly origin?: Row["origin"] | undefined;
};

/** Rows whose size stands for all. */
const SAMPLE = 500;
/** Share of rows on which two different passes differ, where no row has shown it yet (SCIENCE §4: agreement 0.90–1.00). */
const UNSEEN_DISAGREEMENT: Range = { low: 0.02, high: 0.25 };
/** Token counts are estimates; answers that are off the schema are asked again; some models think aloud. */
const INPUT_SPREAD: Range = { low: 0.8, high: 1.3 };
const OUTPUT_SPREAD: Range = { low: 0.7, high: 4 };
/** What providers usually take for a request like these, with all the concurrency that the task allows, or a tenth. */
const LATENCY_MS: Range = { low: 500, high: 3000 };
const SHARE_OF_CONCURRENCY: Range = { low: 0.1, high: 1 };

export async function planLabelling({ store, task, origin }: PlanOptions): Promise<LabellingPlan> {
  const counts = await countPasses({ store, task, origin });
  const sample = await sampleRows(store, origin);
  const { spentUsd } = await store.spend.totals();
  const passes = (task.teacher.passes === 1 ? [1] : [1, 2, 3]).map((pass) => planPass({ task, pass, counts, sample }));
  const requests = sumOf(passes.map(({ rows }) => rows));
  const costs = passes.map(({ costUsd }) => costUsd);
  const costUsd = costs.every((cost) => cost !== undefined) ? sumOf(costs) : undefined;
  return {
    rows: counts.rows,
    passes,
    requests,
    ...(costUsd && { costUsd }),
    durationMs: durationOf(requests, task),
    pricesAsOf: PRICES_AS_OF,
    spentUsd,
    ...(task.budgetUsd !== undefined && { budget: budgetOf(task.budgetUsd, spentUsd, costUsd) }),
    notes: notesOf(task, passes, sample),
  };
}

async function sampleRows(store: Store, origin: Row["origin"] = "ingest"): Promise<readonly Row[]> {
  const sample: Row[] = [];
  for await (const row of store.rows.list({ origin })) {
    sample.push(row);
    if (sample.length >= SAMPLE) break;
  }
  return sample;
}

type PassOptions = {
  readonly task: AnyTask;
  readonly pass: number;
  readonly counts: PassCounts;
  readonly sample: readonly Row[];
};

function planPass({ task, pass, counts, sample }: PassOptions): PassPlan {
  const model = modelOfPass(task, pass);
  const rows = rowsOf(pass, counts);
  const inputTokens = meanInputTokens(task, pass, sample);
  const input = scaled(rows, inputTokens, INPUT_SPREAD);
  const output = scaled(rows, expectedOutputTokens(fieldNames(task).length), OUTPUT_SPREAD);
  const price = priceOf(task, model);
  return { pass, model, rows, tokens: { input, output }, ...(price && { costUsd: costRange(input, output, price) }) };
}

/** Ids are hashes, so the rows that were compared so far are as good as drawn. */
function rowsOf(pass: number, counts: PassCounts): Range {
  const left = counts.toAsk(pass);
  if (left !== undefined) return { low: left, high: left };
  const uncompared = Math.max(0, counts.rows - counts.compared);
  const known = Math.max(0, counts.disagreed - counts.done[2]);
  const { low, high } = counts.compared >= 50 ? around(counts.disagreed / counts.compared) : UNSEEN_DISAGREEMENT;
  return { low: known + Math.round(uncompared * low), high: known + Math.round(uncompared * high) };
}

const around = (share: number): Range => ({ low: share * 0.7, high: Math.min(1, share * 1.3 + 0.01) });

function meanInputTokens(task: AnyTask, pass: number, sample: readonly Row[]): number {
  const model = modelOfPass(task, pass);
  const { system, user } = questionOf(task, pass, "plan");
  const prompt = expectedTextTokens(`${system}\n${user}`);
  if (sample.length === 0) return prompt;
  const inputs = sample.map(({ input }) =>
    input.kind === "image" ? imageTokens(model, input) : expectedTextTokens(textOf(input)),
  );
  return prompt + inputs.reduce((sum, tokens) => sum + tokens, 0) / sample.length;
}

const scaled = (rows: Range, each: number, spread: Range): Range => ({
  low: Math.round(rows.low * each * spread.low),
  high: Math.round(rows.high * each * spread.high),
});

const costRange = (input: Range, output: Range, price: Price): Range => ({
  low: costOf({ inputTokens: input.low, outputTokens: output.low }, price),
  high: costOf({ inputTokens: input.high, outputTokens: output.high }, price),
});

const sumOf = (ranges: readonly Range[]): Range => ({
  low: ranges.reduce((sum, { low }) => sum + low, 0),
  high: ranges.reduce((sum, { high }) => sum + high, 0),
});

function durationOf(requests: Range, { teacher }: AnyTask): Range {
  const fastest = LATENCY_MS.low / (teacher.maxConcurrency * SHARE_OF_CONCURRENCY.high);
  const slowest = LATENCY_MS.high / Math.max(1, teacher.maxConcurrency * SHARE_OF_CONCURRENCY.low);
  return { low: Math.round(requests.low * fastest), high: Math.round(requests.high * slowest) };
}

function budgetOf(budgetUsd: number, spentUsd: number, cost: Range | undefined): NonNullable<LabellingPlan["budget"]> {
  const leftUsd = Math.max(0, budgetUsd - spentUsd);
  if (!cost) return { budgetUsd, leftUsd, covers: "unknown" };
  const covers = cost.high <= leftUsd ? "yes" : cost.low <= leftUsd ? "perhaps" : "no";
  return { budgetUsd, leftUsd, covers };
}

function notesOf(task: AnyTask, passes: readonly PassPlan[], sample: readonly Row[]): readonly string[] {
  const models = [...new Set(passes.map(({ model }) => model))];
  const unpriced = [...new Set(passes.filter(({ costUsd }) => !costUsd).map(({ model }) => model))];
  const own = models.filter((model) => isCountedFree(task, model));
  const isListed = task.teacher.price === undefined && unpriced.length === 0 && own.length < models.length;
  return [
    ...(sample.length === 0 ? ["no rows yet: flywheel ingest"] : []),
    ...unpriced.map((model) => `price unknown: ${model}; set teacher.price in the task's config`),
    ...own.map(
      (model) => `${model} on this machine is counted as free, whatever the budget: if it is not, set teacher.price`,
    ),
    ...(isListed ? [`list prices as of ${PRICES_AS_OF}: check them with the provider`] : []),
  ];
}
