/**
 * @file Servers for the throughput benchmark, each in a process of its own: a Flywheel of any commit, through its command
 * line, over a workspace that it made itself of the same log; and a bare Fastify. And what their processes have used.
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { kill } from "./labelling-support.ts";
import type { LoadJob, LoadResult } from "./serve-throughput-load-worker.ts";
import { type LabelledText, readTexts } from "./text-support.ts";

const home = join(import.meta.dirname, "..");

export const model = "banking";

export type Contestant = AsyncDisposable & { readonly url: string; readonly pid: number };

export type Texts = { readonly choices: readonly string[]; readonly learnt: LabelledText[]; readonly asked: string[] };

/** Banking77's questions about its first topics: those to learn from, and those to ask about. */
export function bankingTexts(topics: number): Texts {
  const columns = { text: "text", label: "category" };
  const all = readTexts("banking77/train.csv", columns);
  const choices = [...new Set(all.map(({ label }) => label))].slice(0, topics);
  const about = (rows: readonly LabelledText[]) => rows.filter(({ label }) => choices.includes(label));
  const asked = about(readTexts("banking77/test.csv", columns)).map(({ text }) => text);
  return { choices, learnt: about(all), asked };
}

/** A work tree of `commit` in `folder`, with the modules that are installed here. */
export function checkOut(commit: string, folder: string): string {
  execFileSync("git", ["worktree", "add", "--quiet", "--detach", folder, commit], { cwd: home });
  symlinkSync(join(home, "node_modules"), join(folder, "node_modules"));
  return folder;
}

export function removeCheckOut(folder: string): void {
  execFileSync("git", ["worktree", "remove", "--force", folder], { cwd: home });
}

/** Nothing is audited: every request is the student's own. */
const taskOf = (choices: readonly string[]) => ({
  name: model,
  input: "text",
  instructions: "What is the customer's question about?",
  output: { kind: "choice", choices },
  teacher: { model: "compatible/nobody", baseUrl: "http://127.0.0.1:9/v1", passes: 1, price: freeOfCharge },
  student: { trainer: "linear-text", threads: 1 },
  audit: { uniformRate: 0, rate: 0 },
});
const freeOfCharge = { inputPerMillionUsd: 0, outputPerMillionUsd: 0 };

/** A workspace with a certified student, by the command line of the sources in `root`. */
export function makeWorkspace(root: string, directory: string, { choices, learnt }: Texts): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "flywheel.config.json"), JSON.stringify(taskOf(choices)));
  const log = join(directory, "log.jsonl");
  writeFileSync(log, learnt.map(({ text, label }) => `${JSON.stringify({ input: text, output: label })}\n`).join(""));
  for (const command of [["ingest", log, "--format", "input-output"], ["train"]]) {
    execFileSync(process.execPath, [cliOf(root), "--dir", directory, ...command], { stdio: "ignore" });
  }
}

const cliOf = (root: string): string => join(root, "src/cli/main.ts");

/** Logs as an operator's does, a line for every decision, into a file. */
export async function serveWorkspace(root: string, directory: string): Promise<Contestant> {
  const log = openSync(join(directory, "serve.log"), "a");
  const args = [cliOf(root), "--json", "--dir", directory, "serve", "--port", "0"];
  return await started(
    spawn(process.execPath, [...nodeOptions(), ...args], { cwd: directory, stdio: ["ignore", "pipe", log] }),
  );
}

/** `FLYWHEEL_BENCH_NODE_OPTIONS="--cpu-prof"` to see where the time goes. */
const nodeOptions = (): readonly string[] => process.env["FLYWHEEL_BENCH_NODE_OPTIONS"]?.split(" ") ?? [];

export async function serveBare(body: string): Promise<Contestant> {
  const program = join(import.meta.dirname, "serve-throughput-bare-worker.ts");
  return await started(spawn(process.execPath, [program, body], { stdio: ["ignore", "pipe", "inherit"] }));
}

async function started(child: ChildProcess): Promise<Contestant> {
  const exited = once(child, "exit").then(() => {
    throw new Error("a server ended before it listened: see serve.log in its workspace");
  });
  const lines = createInterface({ input: child.stdout! });
  const [line] = (await Promise.race([once(lines, "line"), exited])) as [string];
  exited.catch(() => undefined);
  return {
    url: JSON.parse(line).url,
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      if (nodeOptions().length === 0) return await kill(child);
      child.kill("SIGINT"); // a profile is written at a clean end
      await once(child, "exit");
    },
  };
}

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** Microseconds of processor that the process has used so far, in all its threads, the kernel's work for it included. */
export function cpuUsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}

export type Loader = AsyncDisposable & { run(job: LoadJob): Promise<LoadResult> };

export function startLoader(): Loader {
  const program = join(import.meta.dirname, "serve-throughput-load-worker.ts");
  const child = spawn(process.execPath, [program], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  let settle = Promise.withResolvers<LoadResult>();
  child.on("message", (result: LoadResult) => settle.resolve(result));
  child.on("exit", () => settle.reject(new Error("the load generator ended")));
  return {
    async run(job) {
      settle = Promise.withResolvers();
      child.send(job);
      return await settle.promise;
    },
    [Symbol.asyncDispose]: () => kill(child),
  };
}
