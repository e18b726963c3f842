/**
 * @file Writes the table of `docs/logs.md`: what is read of each instrumentation's log, found out by reading the recorded
 * files of `test/cases/logs`. With `--check` it only says whether the table is what it would write.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readLabel } from "../src/answer.ts";
import { readTraffic, type Traffic } from "../src/scan/read-traffic.ts";
import { LOGS, type LogCase, logCases } from "../test/support/log-cases.ts";

const PAGE = "docs/logs.md";
const [START, END] = ["<!-- logs-matrix: node scripts/logs-matrix.ts -->", "<!-- /logs-matrix -->"];
const HEAD = [
  "log",
  "written by",
  "prompt",
  "answer",
  "tokens",
  "cost",
  "latency",
  "streamed",
  "tools",
  "failures",
  "images refused",
  "recorded in",
];

const [YES, NONE] = ["✓", "–"];

/** Read, and right; not in this recording; or read wrongly, which no row may say. */
type Cell = typeof YES | typeof NONE | "✗";

const cell = (isThere: boolean, isRight: () => boolean): Cell => (isThere ? (isRight() ? YES : "✗") : NONE);

async function rowOf(one: LogCase): Promise<readonly string[]> {
  const path = join(LOGS, one.file);
  const requests = one.requests === undefined ? {} : { requestsPath: join(LOGS, one.requests) };
  return [one.what, one.version, ...cellsOf(one, await readTraffic({ path, ...requests })), fileCell(one)];
}

function cellsOf(one: LogCase, { calls, total, failed }: Traffic): readonly Cell[] {
  const sum = (read: (call: Traffic["calls"][number]) => number) => calls.reduce((all, call) => all + read(call), 0);
  const isLabelled = (which: RegExp) => calls.some((call) => which.test(String(call.input)) && isRight(one, call));
  const labelled = calls.filter((call) => call.foreign === undefined && isRight(one, call)).length;
  const images = calls.filter(({ foreign, input }) => foreign?.startsWith("an image") && input === undefined).length;
  return [
    cell(true, () => calls.every(({ prompt }) => prompt === one.desk.prompt)),
    cell(
      total > one.images,
      () => total === one.calls && labelled === total - one.images - one.failed - one.unreadable,
    ),
    cell(
      one.tokens[0] > 0,
      () =>
        sum(({ usage }) => usage.inputTokens) === one.tokens[0] &&
        sum(({ usage }) => usage.outputTokens) === one.tokens[1],
    ),
    cell(one.costUsd !== undefined, () => Math.abs(sum(({ costUsd = 0 }) => costUsd) - one.costUsd!) < 1e-9),
    cell(one.isTimed, () => calls.every(({ latencyMs }) => latencyMs > 0)),
    cell(one.streamed !== undefined, () => isLabelled(one.streamed!)),
    cell(one.tool !== undefined, () => isLabelled(one.tool!)),
    cell(one.failed > 0, () => failed === one.failed),
    cell(one.images > 0, () => images === one.images),
  ];
}

function isRight({ desk }: LogCase, { answer, input }: Traffic["calls"][number]): boolean {
  if (answer.kind !== "text" || typeof input !== "string") return false;
  return readLabel(desk.task, answer) === desk.labelOf(input);
}

const fileCell = ({ file, note }: LogCase): string => `\`${file}\`${note === undefined ? "" : ` (${note})`}`;

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

const rows: (readonly string[])[] = [];
for (const one of logCases) rows.push(await rowOf(one));
if (rows.some((row) => row.includes("✗")))
  throw new Error(
    `read wrongly:\n${rows
      .filter((row) => row.includes("✗"))
      .map(line)
      .join("\n")}`,
  );
const table = [START, "", line(HEAD), line(HEAD.map(() => "---")), ...rows.map(line), "", END].join("\n");

const page = readFileSync(PAGE, "utf8");
const [before, rest = ""] = page.split(START);
const after = rest.split(END)[1] ?? "\n";
const written = `${before}${table}${after}`;
if (!process.argv.includes("--check")) writeFileSync(PAGE, written);
else if (written !== page) throw new Error(`${PAGE} is not what node scripts/logs-matrix.ts writes`);
console.log(`logs matrix: ${rows.length} logs, ${logCases.reduce((sum, { calls }) => sum + calls, 0)} calls`);
