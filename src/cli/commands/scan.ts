import { rename, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { LogFormat } from "../../ingest/logs/logged-call.ts";
import type { Price } from "../../label/prices.ts";
import { count } from "../../report/format.ts";
import { headlineLevel, headlineOf, renderScan } from "../../scan/page.ts";
import { HEADLINE_RISK, type ScanResult, scanLog } from "../../scan/scan.ts";
import type { DecisionStudy, FieldStudy } from "../../scan/study-decision.ts";
import type { CommandContext, CommandResult } from "../command.ts";
import { percent, sayPrompt, usd } from "../say.ts";

export type ScanCommandOptions = {
  readonly path: string;
  readonly format?: LogFormat;
  readonly out: string;
  readonly perMonth?: number;
  readonly price?: Price;
  readonly field?: readonly string[];
  readonly requests?: string;
};

export async function runScan(
  context: CommandContext,
  { out, field, requests, ...options }: ScanCommandOptions,
): Promise<CommandResult> {
  const result = await scanLog({ ...options, ...context, fields: field, requestsPath: requests });
  const page = resolve(out);
  const temporary = `${page}.${process.pid}.tmp`;
  await writeFile(temporary, renderScan(result));
  await rename(temporary, page);
  return { json: { ...summaryOf(result), page }, text: [...describe(result), `page: ${page}`] };
}

/** Curves are for the page. */
function summaryOf({ decisions, ...result }: ScanResult) {
  return { ...result, decisions: decisions.map(withoutCurves) };
}

function withoutCurves({ fields, ...decision }: DecisionStudy) {
  return { ...decision, fields: fields.map(({ curve: _, ...field }) => field) };
}

const shownPrompt = 60;

function describe(result: ScanResult): readonly string[] {
  const { decisions, others, levels, volume, money } = result;
  return [
    headlineOf(result) + promiseOf(result),
    ...decisions.flatMap(describeDecision),
    ...(others.length > 0 ? [`  ${others.reduce((sum, { calls }) => sum + calls, 0)} calls are no decisions`] : []),
    ...(result.failed > 0 ? [`  ${count(result.failed)} calls failed, were refused or cut short`] : []),
    ...Object.entries(result.unreadAs).map(([what, n]) => `  ${count(n)} ${what}`),
    "otherwise than the LLM, at most → answered locally, saved per month",
    ...levels.map(({ risk, answered, savedPerMonthUsd: saved, paysFromPerMonth: from }) => {
      const share = `${percent(answered.value)} (${percent(answered.low)} to ${percent(answered.high)})`;
      const pays = saved && saved.value <= 0 && from !== undefined ? ` (pays from ${count(from)} calls a month)` : "";
      return `  ${percent(risk).padStart(7)} → ${share}${saved ? `, ${saved.value < 0 ? "−" : ""}${usd(Math.abs(saved.value))}` : ""}${pays}`;
    }),
    money
      ? `at ${count(volume.perMonth)} calls a month (${volume.basis}), list prices as of ${money.pricesAsOf}; a host at $30, audits and a person's rulings are counted`
      : "the price of the model is unknown: give --price IN,OUT in dollars for a million tokens",
  ];
}

/** A share that is answered locally means nothing without its risk. */
function promiseOf(result: ScanResult): string {
  const { answered, risk } = headlineLevel(result);
  return answered.value === 0
    ? ""
    : `; at most ${percent(risk)} of a decision's would be answered otherwise than by the LLM`;
}

/** A decision of several answers has a line for each. */
function describeDecision({ prompt, calls, fields, rest, whole }: DecisionStudy): readonly string[] {
  const shown = sayPrompt(prompt.length > shownPrompt ? `${prompt.slice(0, shownPrompt)}…` : prompt);
  const left = rest.length > 0 ? [`    left out: ${rest.map(({ name, why }) => `${name} (${why})`).join("; ")}`] : [];
  const [only] = fields;
  if (fields.length === 1) return [`  ${count(calls)} calls, ${sayField(only!)}: ${shown}`, ...left];
  const nth = whole.findIndex(({ risk }) => risk === HEADLINE_RISK);
  return [
    `  ${count(calls)} calls, ${fields.length} answers each, all of them local in ${percent(whole[nth]!.coverage.value)}: ${shown}`,
    ...fields.map(
      (field) => `    ${field.name}: ${sayField(field)}, local in ${percent(field.levels[nth]!.coverage.value)}`,
    ),
    ...left,
  ];
}

const sayField = ({ labels, agreement }: FieldStudy): string =>
  `${labels.length} labels, as the LLM ${percent(agreement.value)}`;
