/**
 * @file A first look at a log of LLM calls: which of them are decisions, how many of those a small student could answer at
 * which risk, and what that would save. It asks nobody, sends nothing and leaves nothing behind.
 */

import type { Clock, Progress } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import type { LogFormat } from "../ingest/logs/logged-call.ts";
import { sayCounts } from "../ingest/logs/named-counts.ts";
import type { Price } from "../label/prices.ts";
import type { Estimate } from "../math/estimate.ts";
import type { Seed } from "../math/random.ts";
import { type CostQuestion, costAt, costWorksheet } from "../report/cost.ts";
import type { Range } from "../report/report-data.ts";
import { isMissing, type VolumeCost } from "../report/report-data.ts";
import { defineTask } from "../task.ts";
import { type FoundDecision, findDecisions, type OtherPrompt } from "./find-decisions.ts";
import { type Money, moneyOf } from "./money.ts";
import { readTraffic, type Traffic } from "./read-traffic.ts";
import { type DecisionStudy, studyDecision } from "./study-decision.ts";

export type ScanOptions = {
  readonly path: string;
  readonly format?: LogFormat | undefined;
  /** Of a batch's output: the file that the batch was made from. */
  readonly requestsPath?: string | undefined;
  /** Of answers that hold several things, the ones that are wanted; all where absent. */
  readonly fields?: readonly string[] | undefined;
  /** Calls a month; from the times in the log where absent. */
  readonly perMonth?: number | undefined;
  /** Of the model that the log is of, where the price list does not know it. */
  readonly price?: Price | undefined;
  readonly seed: Seed;
  readonly clock: Clock;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type ScanResult = Pick<Traffic, "source" | "format" | "total" | "failed" | "unread" | "unreadAs"> & {
  /** Calls that were looked at. */
  readonly calls: number;
  readonly decisions: readonly DecisionStudy[];
  readonly others: readonly OtherPrompt[];
  readonly levels: readonly ScanLevel[];
  /** With probability at least 1 − delta all certificates hold at once. */
  readonly delta: number;
  readonly volume: { readonly perMonth: number; readonly basis: "log" | "given" | "assumed" };
  readonly money?: Money;
  readonly seed: Seed;
  readonly at: number;
};

/** All decisions together at one risk. A call counts where all that it decides would be answered locally. */
export type ScanLevel = {
  readonly risk: number;
  /** Share of all calls of the log that would be answered locally. */
  readonly answered: Pick<Estimate, "value" | "low" | "high">;
  /** A month, hosting and audits counted; absent where a price is unknown. */
  readonly savedPerMonthUsd?: Range;
  readonly llmPerMonthUsd?: number;
  /** Calls a month from which hosting and audits are paid for; absent where they never are. */
  readonly paysFromPerMonth?: number;
};

/** Joint risks: share of a decision's calls that are answered locally and otherwise than by the LLM, in each field. */
export const RISKS = [0.01, 0.02, 0.05, 0.1] as const;
/** The level that is quoted first. */
export const HEADLINE_RISK = 0.05;
const DELTA = 0.1;
/** Decisions studied, by number of calls; the rest are listed. */
const MAX_DECISIONS = 8;
/** Where neither the log nor the user says. */
const ASSUMED_PER_MONTH = 100_000;
const MONTH_MS = (365.25 / 12) * 86_400_000;

/** @throws FlywheelError `scan_no_log`, `log_no_calls`, `log_requests_missing`, `scan_no_decisions`, and as `trainStudent` */
export async function scanLog(options: ScanOptions): Promise<ScanResult> {
  const traffic = await readTraffic(options);
  const found = findDecisions(traffic.calls, options.fields);
  const [studied, left] = [found.decisions.slice(0, MAX_DECISIONS), found.decisions.slice(MAX_DECISIONS)];
  if (studied.length === 0) throw noDecisions(traffic, found.others, options.fields);
  const delta = DELTA / (RISKS.length * studied.reduce((sum, { fields }) => sum + fields.length, 0));
  const decisions: DecisionStudy[] = [];
  for (const decision of studied) decisions.push(await studyDecision(decision, { ...options, risks: RISKS, delta }));
  const volume = volumeOf(traffic, options.perMonth);
  const callsOf = ({ calls }: FoundDecision) => calls.map(({ call }) => call);
  const money = moneyOf(studied.flatMap(callsOf), options.price);
  const prices = studied.map((decision) => moneyOf(callsOf(decision), options.price)?.perCallUsd ?? 0);
  const { source, format, total, failed, unread, unreadAs, calls } = traffic;
  return {
    ...{ source, format, total, failed, unread, unreadAs, calls: calls.length, decisions, volume, delta: DELTA },
    others: [
      ...found.others,
      ...left.map(({ prompt, calls: { length } }) => ({
        prompt,
        calls: length,
        why: "not looked at: fewer calls than others",
      })),
    ],
    levels: RISKS.map((risk, index) => levelOf({ risk, index, decisions, calls: calls.length, volume, money, prices })),
    ...(money && { money }),
    seed: options.seed,
    at: options.clock.now(),
  };
}

function volumeOf({ total, spanMs }: Traffic, given: number | undefined): ScanResult["volume"] {
  if (given !== undefined) return { perMonth: given, basis: "given" };
  if (spanMs === undefined) return { perMonth: ASSUMED_PER_MONTH, basis: "assumed" };
  return { perMonth: Math.round((total * MONTH_MS) / spanMs), basis: "log" };
}

type LevelSources = {
  readonly risk: number;
  readonly index: number;
  readonly decisions: readonly DecisionStudy[];
  readonly calls: number;
  readonly volume: ScanResult["volume"];
  readonly money: Money | undefined;
  /** Of a call of each decision. */
  readonly prices: readonly number[];
};

function levelOf({ risk, index, decisions, calls, volume, money, prices }: LevelSources): ScanLevel {
  const mean = (read: (coverage: Estimate) => number, weights: readonly number[], whole: number) =>
    decisions.reduce((sum, decision, nth) => sum + read(decision.whole[index]!.coverage) * weights[nth]!, 0) / whole;
  const shares = (weights: readonly number[], whole: number) => ({
    value: mean(({ value }) => value, weights, whole),
    low: mean(({ low }) => low, weights, whole),
    high: mean(({ high }) => high, weights, whole),
  });
  const answered = shares(
    decisions.map((decision) => decision.calls),
    calls,
  );
  if (!money) return { risk, answered };
  const decided = decisions.reduce((sum, decision) => sum + decision.calls, 0);
  // Dollars, not calls: what is answered locally is worth what it would have cost.
  const dollars = decisions.map((decision, nth) => decision.calls * prices[nth]!);
  const coverage = {
    ...shares(
      dollars,
      dollars.reduce((sum, one) => sum + one, 0),
    ),
    n: decided,
  };
  const perMonth = (volume.perMonth * decided) / calls;
  const trainingMs = decisions.flatMap(({ fields }) => fields).reduce((sum, field) => sum + field.trainingMs, 0);
  const months = [coverage.value, coverage.low, coverage.high].map((at) =>
    costWorksheet(questionOf({ ...coverage, value: at }, trainingMs, money)),
  );
  const [value, low, high] = months.map((month) => (isMissing(month) ? undefined : costAt(month.inputs, perMonth)));
  if (!value || !low || !high) return { risk, answered };
  const saved = ({ llmUsd, flywheelUsd }: VolumeCost) => llmUsd - flywheelUsd;
  const paysFrom = months[0] && !isMissing(months[0]) ? months[0].breakEvenPerMonth : undefined;
  return {
    risk,
    answered,
    llmPerMonthUsd: value.llmUsd,
    savedPerMonthUsd: { value: saved(value), low: saved(low), high: saved(high) },
    ...(paysFrom !== undefined && { paysFromPerMonth: Math.ceil((paysFrom * calls) / decided) }),
  };
}

/** Defaults of audits and hosting. */
const defaults = defineTask({
  name: "scan",
  input: "text",
  instructions: "none",
  output: { kind: "predicate" },
  teacher: { model: "compatible/log" },
});

/** The labels came with the log and cost nothing more. */
function questionOf(coverage: Estimate, trainingMs: number, { perCallUsd }: Money): CostQuestion {
  return { task: defaults, coverage, teacherPerCallUsd: perCallUsd, labellingUsd: 0, rulings: 0, trainingMs };
}

function noDecisions(
  { source, calls, unreadAs }: Traffic,
  others: readonly OtherPrompt[],
  fields: readonly string[] = [],
): FlywheelError {
  const [most] = others;
  const seen = most ? `; the most frequent prompt has ${most.calls} calls: ${most.why}` : "";
  const unread = sayCounts(unreadAs);
  return new FlywheelError(
    "scan_no_decisions",
    `none of the ${calls.length} calls in ${source} is a decision that a student could learn${seen}${unread && `. ${unread}`}`,
    {
      hint: `a decision is one prompt, answered at least 400 times with one of at most 100 labels${fields.length > 0 ? `; --field counts ${fields.join(", ")} alone: are the answers' properties called so?` : ""}`,
    },
  );
}
