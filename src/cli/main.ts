#!/usr/bin/env node
/** @file The `flywheel` command: words in, exit code out. Each command is a file in `commands/`. */

import { Command, CommanderError, Option } from "commander";
import type { Flywheel } from "../flywheel/open.ts";
import { version } from "../version.ts";
import {
  type CommandContext,
  type CommandResult,
  ExitCode,
  type GlobalOptions,
  runCommand,
  runInWorkspace,
} from "./command.ts";
import { runDemo } from "./commands/demo.ts";
import { runDoctor } from "./commands/doctor.ts";
import { runExport } from "./commands/export.ts";
import { runImprove, runRollback } from "./commands/improve.ts";
import { runIngest } from "./commands/ingest.ts";
import { runInit } from "./commands/init.ts";
import { runLabel, runPlan } from "./commands/label.ts";
import { runReport } from "./commands/report.ts";
import { runReviewExport, runReviewImport } from "./commands/review.ts";
import { runServe } from "./commands/serve.ts";
import { runSimulateTeacher } from "./commands/simulate-teacher.ts";
import { runStatus } from "./commands/status.ts";
import { runTrain } from "./commands/train.ts";

const program = new Command("flywheel")
  .description("Distil your LLM calls into a small model that knows when to ask.")
  .version(version)
  .option("--dir <workspace>", "the workspace", ".")
  .option("--json", "print one JSON value on stdout and nothing else there", false)
  .option("--seed <seed>", "one seed gives one result", "0")
  .exitOverride()
  .showHelpAfterError()
  .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong usage. FLYWHEEL_DEBUG=1 shows stack traces.");

const alone =
  <O>(command: (context: CommandContext, options: O) => Promise<CommandResult>) =>
  (options: O) =>
    runCommand(program.opts<GlobalOptions>(), (context) => command(context, options));

const inWorkspace =
  <O>(command: (flywheel: Flywheel, context: CommandContext, options: O) => Promise<CommandResult>) =>
  (options: O) =>
    runInWorkspace(program.opts<GlobalOptions>(), (flywheel, context) => command(flywheel, context, options));

program.command("init").description("write a commented flywheel.config.ts").action(alone(runInit));

program
  .command("ingest <path>")
  .description("rows in: a folder of images, or a CSV / JSONL that lists them")
  .option("--gold <file>", "CSV of file,label; only ever measures")
  .action((path: string, options: { gold?: string }) => inWorkspace(runIngest)({ path, ...options }));

program.command("plan").description("what labelling will cost, before a cent is spent").action(inWorkspace(runPlan));

program
  .command("label")
  .description("teacher passes, agreement, adjudication; run again to resume")
  .option("--limit <rows>", "label at most this many rows", wholeNumber("--limit"))
  .action(inWorkspace(runLabel));

const format = () =>
  new Option("--format <format>", "csv or label-studio")
    .choices(["csv", "label-studio"] as const)
    .default("csv" as const);
const review = program.command("review").description("what a person should look at, most valuable first");
review
  .command("export <file>")
  .description("write the review queue")
  .addOption(format())
  .option("--limit <rows>", "at most this many", wholeNumber("--limit"), 200)
  .action((path: string, options: Parameters<typeof runReviewExport>[2]) =>
    inWorkspace(runReviewExport)({ ...options, path }),
  );
review
  .command("import <file>")
  .description("read rulings; importing twice changes nothing")
  .addOption(format())
  .option("--person <name>", "whose rulings these are, where the file does not say", process.env["USER"] ?? "reviewer")
  .action((path: string, options: Parameters<typeof runReviewImport>[2]) =>
    inWorkspace(runReviewImport)({ ...options, path }),
  );

program.command("train").description("fit, calibrate, certify; registers a challenger").action(inWorkspace(runTrain));

program
  .command("report")
  .description("one self-contained HTML file, PNGs, summary.json")
  .option("--out <folder>", "where to write it; WORKSPACE/report by default")
  .action(inWorkspace(runReport));

program
  .command("serve")
  .description("HTTP: answers locally, escalates, audits, records")
  .option("--host <host>", "beyond loopback, FLYWHEEL_API_KEYS must be set", "127.0.0.1")
  .option("--port <port>", "0 picks a free one", wholeNumber("--port"), 8700)
  .action(inWorkspace(runServe));

program
  .command("improve")
  .description("one turn of the wheel: harvest, retrain, compare, promote")
  .option("--force", "even where too few labels are new", false)
  .action(inWorkspace(runImprove));
program.command("rollback").description("serve the champion before this one again").action(inWorkspace(runRollback));

program.command("status").description("where the wheel stands, and what to run next").action(inWorkspace(runStatus));
program.command("doctor").description("check this machine and this workspace").action(alone(runDoctor));
program
  .command("export <folder>")
  .description("the champion (or --model ID): ONNX, card, policy, labels")
  .option("--model <id>", "a model id or its first digits")
  .action((folder: string, options: { model?: string }) => inWorkspace(runExport)({ ...options, folder }));

program
  .command("simulate-teacher")
  .description("an OpenAI-compatible teacher made from a gold file; always shown as simulated")
  .requiredOption("--gold <file>", "CSV of file,label; files relative to it")
  .option("--port <port>", "0 picks a free one", wholeNumber("--port"), 8701)
  .option("--error-rate <share>", "wrong answers", share("--error-rate"), 0.05)
  .option("--latency <ms>", "median latency", wholeNumber("--latency"), 200)
  .option("--rate-limit <requests>", "requests per second; beyond it, 429", wholeNumber("--rate-limit"))
  .option("--p429 <share>", "429s at random", share("--p429"), 0)
  .option("--p5xx <share>", "500s and 503s at random", share("--p5xx"), 0)
  .option("--hang <share>", "requests that never answer", share("--hang"), 0)
  .option("--malformed <share>", "truncated JSON and labels outside the schema", share("--malformed"), 0)
  .action(alone(runSimulateTeacher));

program
  .command("demo")
  .description("the whole wheel on rendered fruit with a simulated teacher: no key, no network")
  .option("--data <source>", "rendered, or cifar100 (downloads it)", "rendered")
  .option("--teacher <model>", "a real teacher, e.g. google/gemini-2.5-flash; simulated by default")
  .action(alone(runDemo));

function wholeNumber(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 0) return value;
    throw new CommanderError(
      ExitCode.usage,
      "flywheel.usage",
      `error: ${option} must be a whole number, got "${text}"`,
    );
  };
}

function share(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= 0 && value <= 1) return value;
    throw new CommanderError(ExitCode.usage, "flywheel.usage", `error: ${option} must lie in [0, 1], got "${text}"`);
  };
}

try {
  await program.parseAsync();
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) throw thrown;
  if (thrown.code === "flywheel.usage") process.stderr.write(`${thrown.message}\n`);
  // Help and version are asked for, everything else that commander throws is wrong usage.
  process.exitCode = thrown.exitCode === 0 ? ExitCode.done : ExitCode.usage;
}
