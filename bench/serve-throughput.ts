/**
 * @file Bar `serve-throughput`: text decisions that the student answers, each durable before its answer, at 1, 16, 64 and 256
 * connections. Beside it, by turns in one run: commit 3e6568b through its own command line, and a bare Fastify handler that
 * parses the same body and replies with the same bytes. Processor time a decision, in all threads of the server's process,
 * at most a third of that commit's; requests a second at 64 connections at least 40 % of the bare handler's; the median at
 * one connection at most 1 ms over it.
 *
 * Every text is new: its question is of Banking77's test set, its end is drawn for this request alone.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quantiles } from "../src/math/quantile.ts";
import type { LoadResult } from "./serve-throughput-load-worker.ts";
import {
  bankingTexts,
  type Contestant,
  checkOut,
  cpuUsOf,
  type Loader,
  makeWorkspace,
  model,
  removeCheckOut,
  serveBare,
  serveWorkspace,
  startLoader,
  type Texts,
} from "./serve-throughput-support.ts";
import { rounded } from "./text-support.ts";

const before = "3e6568b";
const target = { cpuShareOfBefore: 1 / 3, throughputShareOfBare: 0.4, p50OverBareMs: 1 };
const topics = 10;
const levels = (process.env["FLYWHEEL_BENCH_CONNECTIONS"] ?? "1,16,64,256").split(",").map(Number);
const rounds = Number(process.env["FLYWHEEL_BENCH_ROUNDS"] ?? 5);
const seconds = Number(process.env["FLYWHEEL_BENCH_SECONDS"] ?? 2);
/** Compiled code, caches and connections are warm before anything counts. */
const warmUpSeconds = 3;

const names = ["flywheel", "before", "bare"] as const;
type Name = (typeof names)[number];

type Turn = {
  readonly name: Name;
  readonly connections: number;
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly answeredShare: number;
  readonly latenciesUs: readonly number[];
};

type Measured = { readonly contestants: Readonly<Record<Name, Contestant>>; readonly loader: Loader; texts: Texts };

/** @param salt different for every turn */
async function load({ contestants, loader, texts }: Measured, name: Name, connections: number, salt: string) {
  const { url } = contestants[name];
  const job = { url, model, choices: texts.choices, texts: texts.asked, salt, connections };
  return await loader.run({ ...job, seconds: salt.startsWith("w") ? warmUpSeconds : seconds });
}

async function turn(measured: Measured, name: Name, connections: number, salt: string): Promise<Turn> {
  const { pid } = measured.contestants[name];
  const startUs = cpuUsOf(pid);
  const result = await load(measured, name, connections, salt);
  const cpuUs = (cpuUsOf(pid) - startUs) / result.answered;
  const { latenciesUs, answered } = result;
  return {
    name,
    connections,
    cpuUs,
    perSecond: answered / result.seconds,
    answeredShare: shareOf(result),
    latenciesUs,
  };
}

/** Of the bare handler, all that came back; of a Flywheel, what its student answered. */
function shareOf({ routes, answered, notOk }: LoadResult): number {
  return ((routes["answered"] ?? routes["none"] ?? 0) - notOk) / answered;
}

/** Those questions that the student of the contestants answers alone. */
async function answeredAlone({ url }: Contestant, texts: Texts): Promise<string[]> {
  const kept: string[] = [];
  for (const text of texts.asked) {
    const questions = [{ type: "choice", instructions: "", choices: texts.choices.map((value) => ({ value })) }];
    const body = JSON.stringify({ model, input: `${text} k0`, questions });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}/v1/decisions`, { method: "POST", headers, body });
    await response.text();
    if (response.headers.get("x-flywheel-route") === "answered") kept.push(text);
  }
  return kept;
}

async function measure(folder: string): Promise<readonly Turn[]> {
  const all = bankingTexts(topics);
  const old = checkOut(before, join(folder, "before"));
  const here = join(import.meta.dirname, "..");
  for (const [root, name] of [
    [here, "new"],
    [old, "old"],
  ] as const)
    makeWorkspace(root, join(folder, `${name}-workspace`), all);
  await using stack = new AsyncDisposableStack();
  const loader = stack.use(startLoader());
  const flywheel = stack.use(await serveWorkspace(here, join(folder, "new-workspace")));
  const earlier = stack.use(await serveWorkspace(old, join(folder, "old-workspace")));
  const texts = { ...all, asked: await answeredAlone(earlier, all) };
  console.log(`${texts.asked.length} of ${all.asked.length} questions are answered by the student`);
  const job = { model, choices: texts.choices, texts: texts.asked, salt: "b", connections: 1, seconds: 0.2 };
  const { sample } = await loader.run({ ...job, url: flywheel.url });
  const bare = stack.use(await serveBare(sample));
  const measured = { contestants: { flywheel, before: earlier, bare }, loader, texts };
  for (const name of names) await load(measured, name, 64, `w${name}`);
  const turns: Turn[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const connections of levels) {
      // Each goes first as often as the others.
      for (let place = 0; place < names.length; place++) {
        const name = names[(place + round) % names.length]!;
        turns.push(await turn(measured, name, connections, `r${round}c${connections}n`));
      }
    }
  }
  return turns;
}

const median = (values: readonly number[]): number => quantiles(values, [0.5])[0]!;

function figuresOf(turns: readonly Turn[], connections: number) {
  const of = (name: Name) => {
    const own = turns.filter((one) => one.name === name && one.connections === connections);
    const latencies = own.flatMap(({ latenciesUs }) => latenciesUs);
    const [p50 = 0, p90 = 0, p99 = 0, p999 = 0, max = 0] = quantiles(latencies, [0.5, 0.9, 0.99, 0.999, 1]);
    return {
      cpuUs: rounded(median(own.map(({ cpuUs }) => cpuUs)), 1),
      perSecond: Math.round(median(own.map(({ perSecond }) => perSecond))),
      answeredShare: rounded(Math.min(...own.map(({ answeredShare }) => answeredShare))),
      p50Us: Math.round(median(own.map(({ latenciesUs }) => median(latenciesUs)))),
      pooledUs: { n: latencies.length, p50, p90, p99, p999, max },
      cpuUsByRound: own.map(({ cpuUs }) => rounded(cpuUs, 1)),
      perSecondByRound: own.map(({ perSecond }) => Math.round(perSecond)),
    };
  };
  const [flywheel, earlier, bare] = [of("flywheel"), of("before"), of("bare")];
  return {
    connections,
    cpuShareOfBefore: rounded(flywheel.cpuUs / earlier.cpuUs),
    throughputShareOfBare: rounded(flywheel.perSecond / bare.perSecond),
    p50OverBareMs: rounded((flywheel.p50Us - bare.p50Us) / 1000),
    flywheel,
    before: earlier,
    bare,
  };
}

const folder = await mkdtemp(join(tmpdir(), "flywheel-throughput-"));
try {
  const turns = await measure(folder);
  const figures = levels.map((connections) => figuresOf(turns, connections));
  for (const { connections, flywheel, before, bare, ...shares } of figures) {
    console.log(`${connections} connections`, JSON.stringify(shares));
    for (const [name, one] of Object.entries({ flywheel, before, bare }))
      console.log(name.padEnd(9), JSON.stringify(one));
  }
  const at = (connections: number) => figures.find((one) => one.connections === connections);
  const met =
    figures.every(({ cpuShareOfBefore }) => cpuShareOfBefore <= target.cpuShareOfBefore) &&
    figures.every(({ flywheel, before }) => Math.min(flywheel.answeredShare, before.answeredShare) >= 0.99) &&
    (at(64)?.throughputShareOfBare ?? 0) >= target.throughputShareOfBare &&
    (at(1)?.p50OverBareMs ?? Number.POSITIVE_INFINITY) <= target.p50OverBareMs;
  console.log(JSON.stringify({ bar: "serve-throughput", figures, target, met }));
} finally {
  removeCheckOut(join(folder, "before"));
  await rm(folder, { recursive: true, force: true });
}
