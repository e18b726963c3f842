/**
 * @file Bar `labelling-rate`: against a teacher that allows R requests a second and refuses the rest with 429, labelling
 * keeps up at least 95 % of R, through three kill -9s, and nothing is paid twice or lost.
 *
 * The teacher runs in a process of its own and keeps its own books; what is measured is what it charged for. The labelling
 * process is killed at a quarter, a half and three quarters of the way. Sustained: answers over R × the time in which a
 * labelling process was asking, from its first request to its end, every ramp-up included. An allowance that built up
 * while nobody asked (100 ms of R, once a process) is not held against the teacher but against us. `wholeShare` counts
 * the restarts themselves as well.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type Row, rowId } from "../src/records.ts";
import type { TeacherStats } from "../src/simulate/ledger.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { promptVersion, type Task } from "../src/task.ts";
import { kill, labellingTask, spawnTeacher, type TeacherProcess } from "./labelling-support.ts";

const TARGET_SHARE = 0.95;
const KILLS = 3;
const BURST_MS = 100;
/** Requests a row: two passes, and a third where they differ. */
const PASSES_A_ROW = 2.15;
/** A process that has just started is slow at first, the more so the faster it should be; and three are killed. */
const runs = [
  { ratePerSecond: 20, seconds: 40 },
  { ratePerSecond: 200, seconds: 40 },
  { ratePerSecond: 1000, seconds: 60 },
];
const POLL_MS = 40;

type Result = {
  readonly ratePerSecond: number;
  readonly rows: number;
  readonly sustainedShare: number;
  readonly wholeShare: number;
  readonly refused: number;
  readonly replayed: number;
  readonly paidTwice: number;
  readonly lost: number;
  /** Of the last process. */
  readonly cpuMsPerRequest: number;
};

async function measure({ ratePerSecond, seconds }: (typeof runs)[number]): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-labelling-"));
  try {
    await using teacher = await spawnTeacher({
      rateLimitPerSecond: ratePerSecond,
      burstMs: BURST_MS,
      latency: { medianMs: 150, sigma: 0.3 },
      errorRate: 0.15,
      seed: "bench",
    });
    const task = labellingTask("text", teacher.url);
    const rows = Math.round((ratePerSecond * seconds) / PASSES_A_ROW);
    await addRows(directory, rows);
    const run = await labelThroughKills({ directory, teacher, expected: rows * PASSES_A_ROW });
    const lost = await countLost(directory, task, rows);
    return { ratePerSecond, rows, lost, ...sharesOf(run, ratePerSecond) };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function addRows(directory: string, count: number): Promise<void> {
  await using store = await openSqliteStore({ directory });
  for (let from = 0; from < count; from += 1000) {
    await store.rows.put(Array.from({ length: Math.min(1000, count - from) }, (_, index) => toRow(from + index)));
  }
}

function toRow(index: number): Row {
  const text = `item ${index}`;
  return {
    id: rowId(createHash("sha256").update(text).digest("hex")),
    input: { kind: "text", text },
    source: `bench:${index}`,
    origin: "ingest",
    uniform: true,
    split: "train",
    propensity: 1,
    createdAt: 0,
  };
}

type Sample = { readonly atMs: number; readonly stats: TeacherStats };
/** One life of the labelling process: from the first request that the teacher saw of it to the last answer it got. */
type Life = { readonly from: Sample; readonly to: Sample };
type LastWords = { readonly cpuMs: number; readonly answers: readonly number[] };
type Run = { readonly lives: readonly Life[]; readonly startedMs: number; readonly last: LastWords };

type Labelling = { readonly directory: string; readonly teacher: TeacherProcess; readonly expected: number };

async function labelThroughKills({ directory, teacher, expected }: Labelling): Promise<Run> {
  const lives: Life[] = [];
  const startedMs = performance.now();
  let last: LastWords | undefined;
  for (let life = 0; !last; life++) {
    const enough = life < KILLS ? (expected * (life + 1)) / (KILLS + 1) : Number.POSITIVE_INFINITY;
    const child = spawnLabeller(directory, teacher.url);
    const words = lastLine(child);
    lives.push(await watch(teacher, child, enough));
    await kill(child);
    last = await words;
  }
  return { lives, startedMs, last };
}

function spawnLabeller(directory: string, url: string): ChildProcess {
  const program = join(import.meta.dirname, "labelling-rate-worker.ts");
  return spawn(process.execPath, [program, directory, url], { stdio: ["ignore", "pipe", "inherit"] });
}

/** What the process said of its work; undefined where it was killed before. */
async function lastLine(child: ChildProcess): Promise<LastWords | undefined> {
  const [output] = child.stdout ? [createInterface({ input: child.stdout })] : [];
  let line: string | undefined;
  output?.on("line", (text) => {
    line = text;
  });
  await once(child, "exit");
  return line === undefined ? undefined : (JSON.parse(line) as LastWords);
}

/** Until `enough` questions are answered or the process ends. */
async function watch(teacher: TeacherProcess, child: ChildProcess, enough: number): Promise<Life> {
  const before = await sample(teacher);
  let [from, to]: [Sample | undefined, Sample] = [undefined, before];
  while (child.exitCode === null && to.stats.answered < enough) {
    await sleep(POLL_MS);
    const now = await sample(teacher);
    if (!from && now.stats.requests > before.stats.requests) from = now;
    if (now.stats.answered > to.stats.answered) to = now;
  }
  return { from: from ?? before, to };
}

async function sample(teacher: TeacherProcess): Promise<Sample> {
  const stats = await teacher.stats();
  return { atMs: performance.now(), stats };
}

function sharesOf({ lives, startedMs, last }: Run, ratePerSecond: number) {
  const end = lives.at(-1)!.to;
  const activeMs = lives.reduce((sum, { from, to }) => sum + to.atMs - from.atMs, 0);
  const allowed = ((activeMs + lives.length * BURST_MS) * ratePerSecond) / 1000;
  const { answered, rateLimited, replayed, paidTwice } = end.stats;
  const lastAnswers = last.answers.reduce((sum, count) => sum + count, 0);
  return {
    sustainedShare: round(answered / allowed),
    wholeShare: round((answered * 1000) / ((end.atMs - startedMs) * ratePerSecond)),
    refused: rateLimited,
    replayed,
    paidTwice,
    cpuMsPerRequest: round(last.cpuMs / lastAnswers),
  };
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

/** Rows that lack an answer to one of the first two passes. */
async function countLost(directory: string, task: Task, rows: number): Promise<number> {
  await using store = await openSqliteStore({ directory });
  const answers = new Map<string, number>();
  for await (const { rowId, pass, value } of store.annotations.teacher({ promptVersion: promptVersion(task) })) {
    if (pass <= 2 && value !== undefined) answers.set(rowId, (answers.get(rowId) ?? 0) + 1);
  }
  return rows - [...answers.values()].filter((count) => count === 2).length;
}

const results: Result[] = [];
for (const run of runs) {
  const result = await measure(run);
  results.push(result);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  console.log(
    `R = ${run.ratePerSecond}/s, ${result.rows} rows, ${KILLS} kills: ${percent(result.sustainedShare)} of R while asking,` +
      ` ${percent(result.wholeShare)} with restarts; ${result.refused} refused, ${result.replayed} replayed,` +
      ` ${result.paidTwice} paid twice, ${result.lost} lost; ${result.cpuMsPerRequest} ms of CPU a request`,
  );
}
const met = results.every(
  ({ sustainedShare, paidTwice, lost }) => sustainedShare >= TARGET_SHARE && paidTwice + lost === 0,
);
const target = { sustainedShare: TARGET_SHARE, paidTwice: 0, lost: 0 };
console.log(JSON.stringify({ bar: "labelling-rate", figures: { runs: results }, target, met }));
