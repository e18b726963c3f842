import { rename, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { LogFormat } from "../../ingest/logs/logged-call.ts";
import type { Price } from "../../label/prices.ts";
import { headlineOf, renderScan } from "../../scan/page.ts";
import { type ScanResult, scanLog } from "../../scan/scan.ts";
import type { CommandContext, CommandResult } from "../command.ts";
import { percent, usd } from "../say.ts";

export type ScanCommandOptions = {
  readonly path: string;
  readonly format?: LogFormat;
  readonly out: string;
  readonly perMonth?: number;
  readonly price?: Price;
};

export async function runScan(
  context: CommandContext,
  { out, ...options }: ScanCommandOptions,
): Promise<CommandResult> {
  const result = await scanLog({ ...options, ...context });
  const page = resolve(out);
  const temporary = `${page}.${process.pid}.tmp`;
  await writeFile(temporary, renderScan(result));
  await rename(temporary, page);
  return { json: { ...summaryOf(result), page }, text: [...describe(result), `page: ${page}`] };
}

/** Curves are for the page. */
function summaryOf({ decisions, ...result }: ScanResult) {
  return { ...result, decisions: decisions.map(({ curve: _, ...decision }) => decision) };
}

const shownPrompt = 60;

function describe(result: ScanResult): readonly string[] {
  const { decisions, others, levels, volume, money } = result;
  return [
    headlineOf(result),
    ...decisions.map(({ prompt, calls, labels, agreement }) => {
      const shown = JSON.stringify(prompt.length > shownPrompt ? `${prompt.slice(0, shownPrompt)}…` : prompt);
      return `  ${calls} calls, ${labels.length} labels, as the LLM ${percent(agreement.value)}: ${shown}`;
    }),
    ...(others.length > 0 ? [`  ${others.reduce((sum, { calls }) => sum + calls, 0)} calls are no decisions`] : []),
    "otherwise than the LLM, at most → answered locally, saved per month",
    ...levels.map(({ risk, answered, savedPerMonthUsd: saved, paysFromPerMonth: from }) => {
      const share = `${percent(answered.value)} (${percent(answered.low)} to ${percent(answered.high)})`;
      const pays = saved && saved.value <= 0 && from !== undefined ? ` (pays from ${from} calls a month)` : "";
      return `  ${percent(risk).padStart(7)} → ${share}${saved ? `, ${saved.value < 0 ? "−" : ""}${usd(Math.abs(saved.value))}` : ""}${pays}`;
    }),
    money
      ? `at ${volume.perMonth} calls a month (${volume.basis}), list prices as of ${money.pricesAsOf}, a host at $30 counted`
      : "the price of the model is unknown: give --price IN,OUT in dollars for a million tokens",
  ];
}
