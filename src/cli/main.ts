#!/usr/bin/env node
/**
 * @file The `flywheel` command: words in, exit code out. Each command is a file in `commands/`, read only when it is asked for,
 * so that `--help` does not wait for ONNX Runtime.
 */

import { enableCompileCache } from "node:module";
import { Command, CommanderError, Option } from "commander";
import type { DemoData } from "../demo/photo-source.ts";
import type { AnyFlywheel } from "../flywheel/open-fields.ts";
import { version } from "../version.ts";
import {
  type CommandContext,
  type CommandResult,
  ExitCode,
  type GlobalOptions,
  runCommand,
  runInWorkspace,
} from "./command.ts";
import type { IngestCommandOptions } from "./commands/ingest.ts";
import type { ReviewExportOptions, ReviewImportOptions } from "./commands/review.ts";
import type { ScanCommandOptions } from "./commands/scan.ts";
import { sayWarnings } from "./say-warnings.ts";

// Compiled code is kept in the system's temporary folder: to make it anew is much of what a command takes to begin.
// NODE_DISABLE_COMPILE_CACHE=1 keeps nothing.
enableCompileCache();
sayWarnings();

const program = new Command("flywheel")
  .description("Distil your LLM calls into a small model that knows when to ask.")
  .version(version)
  .option("--dir <workspace>", "the workspace", ".")
  .option("--json", "print one JSON value on stdout and nothing else there", false)
  .option("--seed <seed>", "one seed gives one result", "0")
  .exitOverride()
  .showHelpAfterError()
  .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong usage. FLYWHEEL_DEBUG=1 shows stack traces.");

const logFormats = [
  ...["openai-chat", "openai-responses", "openai-decisions", "openai-batch"],
  ...["anthropic", "gemini", "langchain", "otel", "input-output"],
] as const;
const ingestFormats = ["csv", "jsonl", "json", "parquet", ...logFormats] as const;

type Alone<O> = (context: CommandContext, options: O) => Promise<CommandResult>;
type InWorkspace<O> = (flywheel: AnyFlywheel, context: CommandContext, options: O) => Promise<CommandResult>;

const alone =
  <O>(load: () => Promise<Alone<O>>) =>
  (options: O) =>
    runCommand(program.opts<GlobalOptions>(), async (context) => (await load())(context, options));

const inWorkspace =
  <O>(load: () => Promise<InWorkspace<O>>) =>
  (options: O) =>
    runInWorkspace(program.opts<GlobalOptions>(), async (flywheel, context) =>
      (await load())(flywheel, context, options),
    );

program
  .command("init")
  .description("write a commented flywheel.config.ts")
  .addOption(new Option("--input <kind>", "what a row is").choices(["image", "text", "record"]).default("image"))
  .action(alone(async () => (await import("./commands/init.ts")).runInit));

program
  .command("ingest <path>")
  .description("rows in: a folder or list of images, a table of texts or records (file, https://, s3://), an LLM log")
  .option(
    "--gold <file>",
    "CSV of file,label, or of the data's columns and label (a column for each field); only ever measures",
  )
  .addOption(new Option("--format <format>", "of a table or a log, where it is not recognised").choices(ingestFormats))
  .option("--delimiter <character>", "of a CSV, where its header misleads")
  .option("--quote <character>", 'of a CSV: what cells are quoted with, or none (default: ")')
  .option("--escape <character>", "of a CSV: what stands before a quote within a quoted cell (default: the quote)")
  .addOption(
    new Option("--header <yes|no>", "of a CSV: whether its first line names the columns").choices(["yes", "no"]),
  )
  .option("--encoding <name>", "of a table that is not UTF-8: windows-1252, utf-16be, …")
  .option("--requests <file>", "of a batch's output: the file that the batch was made from")
  .action((path: string, options: Omit<IngestCommandOptions, "path">) =>
    inWorkspace(async () => (await import("./commands/ingest.ts")).runIngest)({ path, ...options }),
  );

program
  .command("scan <log>")
  .description(
    "a first look at a log of LLM calls: how much could be answered locally, at which risk, for how much less",
  )
  .addOption(new Option("--format <format>", "of the log, where it is not recognised").choices(logFormats))
  .option("--requests <file>", "of a batch's output: the file that the batch was made from")
  .option("--out <file>", "the page to write", "flywheel-scan.html")
  .option("--field <names...>", "of answers that hold several things, only these; all by default")
  .option("--per-month <calls>", "calls a month, where the log does not say", wholeNumber("--per-month", { from: 1 }))
  .option("--price <in,out>", "dollars for a million tokens, where the model is not listed", priceOption)
  .action((path: string, options: Omit<ScanCommandOptions, "path">) =>
    alone(async () => (await import("./commands/scan.ts")).runScan)({ path, ...options }),
  );

program
  .command("plan")
  .description("what labelling will cost, before a cent is spent")
  .action(inWorkspace(async () => (await import("./commands/label.ts")).runPlan));

program
  .command("label")
  .description("teacher passes, agreement, adjudication; run again to resume")
  .option("--limit <rows>", "label at most this many rows", wholeNumber("--limit", { from: 1 }))
  .action(inWorkspace(async () => (await import("./commands/label.ts")).runLabel));

const format = () =>
  new Option("--format <format>", "csv or label-studio")
    .choices(["csv", "label-studio"] as const)
    .default("csv" as const);
const review = program.command("review").description("what a person should look at, most valuable first");
review
  .command("export <file>")
  .description("write the review queue")
  .addOption(format())
  .option("--limit <rows>", "at most this many", wholeNumber("--limit", { from: 1 }), 200)
  .action((path: string, options: ReviewExportOptions) =>
    inWorkspace(async () => (await import("./commands/review.ts")).runReviewExport)({ ...options, path }),
  );
review
  .command("import <file>")
  .description("read rulings; importing twice changes nothing")
  .addOption(format())
  .option("--person <name>", "whose rulings these are, where the file does not say", process.env["USER"] ?? "reviewer")
  .action((path: string, options: ReviewImportOptions) =>
    inWorkspace(async () => (await import("./commands/review.ts")).runReviewImport)({ ...options, path }),
  );

program
  .command("train")
  .description("fit, calibrate, certify; registers a challenger")
  .action(inWorkspace(async () => (await import("./commands/train.ts")).runTrain));

program
  .command("report")
  .description("one self-contained HTML file, PNGs, summary.json")
  .option("--out <folder>", "where to write it; WORKSPACE/report by default")
  .action(inWorkspace(async () => (await import("./commands/report.ts")).runReport));

program
  .command("serve")
  .description("HTTP: answers locally, escalates, audits, records")
  .option("--host <host>", "beyond loopback, FLYWHEEL_API_KEYS must be set", "127.0.0.1")
  .option("--port <port>", "0 picks a free one", wholeNumber("--port", { to: 65_535 }), 8700)
  .option(
    "--max-requests <number>",
    "at once; beyond them 429 (default 512)",
    wholeNumber("--max-requests", { from: 1 }),
  )
  .option("--max-requests-per-key <number>", "of one API key", wholeNumber("--max-requests-per-key", { from: 1 }))
  .option(
    "--max-connections <number>",
    "beyond them closed (default 4096)",
    wholeNumber("--max-connections", { from: 1 }),
  )
  .action(inWorkspace(async () => (await import("./commands/serve.ts")).runServe));

program
  .command("improve")
  .description("one turn of the wheel: harvest, retrain, compare, promote")
  .option("--force", "even where too few labels are new", false)
  .action(inWorkspace(async () => (await import("./commands/improve.ts")).runImprove));
program
  .command("rollback")
  .description("serve the champion before this one again")
  .option("--field <name>", "of a task of several fields, this one only")
  .action(inWorkspace(async () => (await import("./commands/improve.ts")).runRollback));

program
  .command("status")
  .description("where the wheel stands, and what to run next")
  .action(inWorkspace(async () => (await import("./commands/status.ts")).runStatus));
program
  .command("doctor")
  .description("check this machine and this workspace")
  .action(alone(async () => (await import("./commands/doctor.ts")).runDoctor));
program
  .command("export <folder>")
  .description("the champion (or --model ID): ONNX, card, policy, labels")
  .option("--model <id>", "a model id or its first digits")
  .option("--field <name>", "of a task of several fields, this one only; all into folders of their names where absent")
  .action((folder: string, options: { model?: string; field?: string }) =>
    inWorkspace(async () => (await import("./commands/export.ts")).runExport)({ ...options, folder }),
  );

program
  .command("simulate-teacher")
  .description("an OpenAI-compatible teacher made from a gold file; always shown as simulated")
  .requiredOption("--gold <file>", "CSV of file,label or text,label; in a workspace, any table with the task's columns")
  .option("--photos <folder>", "of a gold file that names photos which are not beside it: the folder that they are in")
  .option("--port <port>", "0 picks a free one", wholeNumber("--port", { to: 65_535 }), 8701)
  .option("--error-rate <share>", "wrong answers", share("--error-rate"), 0.05)
  .option("--latency <ms>", "median latency", wholeNumber("--latency"), 200)
  .option("--rate-limit <requests>", "requests per second; beyond it, 429", wholeNumber("--rate-limit", { from: 1 }))
  .option("--p429 <share>", "429s at random", share("--p429"), 0)
  .option("--p5xx <share>", "500s and 503s at random", share("--p5xx"), 0)
  .option("--hang <share>", "requests that never answer", share("--hang"), 0)
  .option("--malformed <share>", "truncated JSON and labels outside the schema", share("--malformed"), 0)
  .action(alone(async () => (await import("./commands/simulate-teacher.ts")).runSimulateTeacher));

program
  .command("demo")
  .description("the whole wheel on rendered fruit with a simulated teacher: no key, no network")
  .addOption(
    new Option("--data <source>", "cifar100 is downloaded")
      .choices(["rendered", "cifar100"] as const satisfies readonly DemoData[])
      .default("rendered" as const),
  )
  .option("--teacher <model>", "a real teacher, e.g. google/gemini-2.5-flash; simulated by default")
  .action(alone(async () => (await import("./commands/demo.ts")).runDemo));

type Range = { readonly from?: number; readonly to?: number };

/** Digits alone: an empty word would be 0, and `1e3` and `0x10` are slips rather than counts. */
function wholeNumber(option: string, { from = 0, to = Number.MAX_SAFE_INTEGER }: Range = {}): (text: string) => number {
  const range = to < Number.MAX_SAFE_INTEGER ? `from ${from} to ${to}` : `of ${from} or more`;
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= from && value <= to) return value;
    throw wrongUsage(`${option} must be a whole number ${range}, got "${text}"`);
  };
}

function priceOption(text: string): { readonly inputPerMillionUsd: number; readonly outputPerMillionUsd: number } {
  const [inputPerMillionUsd, outputPerMillionUsd, ...more] = text.split(",").map(numberOf);
  const isPrice = (value: number | undefined): value is number => value !== undefined && value >= 0;
  if (isPrice(inputPerMillionUsd) && isPrice(outputPerMillionUsd) && more.length === 0) {
    return { inputPerMillionUsd, outputPerMillionUsd };
  }
  throw wrongUsage(`--price must be two numbers of 0 or more, e.g. 2.5,10, got "${text}"`);
}

function share(option: string): (text: string) => number {
  return (text) => {
    const value = numberOf(text);
    if (value >= 0 && value <= 1) return value;
    throw wrongUsage(`${option} must lie in [0, 1], got "${text}"`);
  };
}

/** NaN where there is no digit: an empty word would be 0, and `Infinity` is no price. */
const numberOf = (text: string): number => (/\d/.test(text) ? Number(text) : Number.NaN);

const wrongUsage = (message: string): CommanderError =>
  new CommanderError(ExitCode.usage, "flywheel.usage", `error: ${message}`);

try {
  await program.parseAsync();
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) throw thrown;
  if (thrown.code === "flywheel.usage") process.stderr.write(`${thrown.message}\n`);
  // Help and version are asked for, everything else that commander throws is wrong usage.
  process.exitCode = thrown.exitCode === 0 ? ExitCode.done : ExitCode.usage;
}
