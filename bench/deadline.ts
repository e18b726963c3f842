/**
 * @file Bar `deadline`: while the store is locked, the disk full, an image's host or the teacher drips, or the teacher's
 * connections are half open, every request is answered within the deadline and 100 ms, none with a 500, and every decision
 * that was acknowledged is in the store.
 */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { startHalfOpenProxy } from "../test/support/half-open-proxy.ts";
import { asImage, ask, asking, type HardTimes, type Said, startHardServer } from "./hard-times-support.ts";

const deadlineMs = 2_000;
const target = { latestMs: deadlineMs + 100, lost: 0, fiveHundreds: 0 };
const REQUESTS = 40;

type Trouble = { readonly name: string; readonly said: readonly Said[]; readonly recorded?: number };

const root = await mkdtemp(join(tmpdir(), "flywheel-deadline-"));
const place = (name: string): string => join(root, name);
const sure = (nth: number): string => asking(`pear 0.9 ${nth}`);
const unsure = (nth: number): string => asking(`pear 0.6 ${nth}`);

/** What is loaded at the first request is no matter of the deadline. */
async function warm(url: string, body: string): Promise<void> {
  for (let nth = 0; nth < 5; nth++) await ask(url, body);
}

/** A steady trickle, so that requests come at every moment of the trouble. */
async function trickle(url: string, bodyOf: (nth: number) => string): Promise<readonly Said[]> {
  const asked: Promise<Said>[] = [];
  for (let nth = 0; nth < REQUESTS; nth++) {
    asked.push(ask(url, bodyOf(nth)));
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return await Promise.all(asked);
}

function decisionsIn(directory: string): number {
  const database = new DatabaseSync(join(directory, "flywheel.sqlite"), { readOnly: true });
  const { n } = database.prepare("select count(*) as n from decisions").get() as { n: number };
  database.close();
  return n;
}

async function storeLocked(): Promise<Trouble> {
  const directory = place("locked");
  await using server = await startHardServer({ directory, input: "text", deadlineMs });
  await warm(server.url, "{");
  const other = new DatabaseSync(join(directory, "flywheel.sqlite"));
  other.exec("begin immediate");
  const whileLocked = await trickle(server.url, sure);
  other.exec("rollback");
  other.close();
  const after = await trickle(server.url, (nth) => sure(100 + nth));
  return { name: "store locked", said: [...whileLocked, ...after], recorded: decisionsIn(directory) };
}

/** Records what it can, then the rest of the disk is taken away: it is small, and the requests are many. */
async function diskFull(): Promise<Trouble> {
  const directory = place("full");
  const mounted = `mkdir -p ${directory} && mount -t tmpfs -o size=1200k none ${directory}`;
  await using server = await startHardServer({ directory, input: "text", deadlineMs }, mounted);
  const said: Said[] = [];
  for (let turn = 0; turn < 20; turn++) said.push(...(await trickle(server.url, (nth) => sure(turn * 100 + nth))));
  return { name: "disk full", said };
}

async function dripping(answer: "image/png" | "application/json") {
  const host = createServer((_, response) => {
    response.writeHead(200, { "content-type": answer });
    const more = setInterval(() => response.write(" "), 100);
    response.on("close", () => clearInterval(more));
  });
  host.listen(0, "127.0.0.1");
  await once(host, "listening");
  return { host: `127.0.0.1:${(host.address() as AddressInfo).port}`, close: () => host.closeAllConnections() };
}

async function during(name: string, options: Partial<HardTimes>, bodyOf: (nth: number) => string): Promise<Trouble> {
  const directory = place(name.replaceAll(" ", "-"));
  await using server = await startHardServer({ directory, input: "text", deadlineMs, ...options });
  await warm(server.url, "{");
  return { name, said: await trickle(server.url, bodyOf), recorded: decisionsIn(directory) };
}

const images = await dripping("image/png");
const teacher = await dripping("application/json");
const behind = createServer((_, response) => response.end("{}"));
behind.listen(0, "127.0.0.1");
await once(behind, "listening");
const proxy = await startHalfOpenProxy((behind.address() as AddressInfo).port);
proxy.freeze();

const troubles = [
  await storeLocked(),
  await diskFull(),
  await during("image host drips", { input: "image", imageHosts: [images.host] }, (nth) =>
    asking(asImage(`http://${images.host}/${nth}.png`)),
  ),
  await during("teacher drips", { teacherUrl: `http://${teacher.host}/v1` }, unsure),
  await during("teacher half open", { teacherUrl: `http://127.0.0.1:${proxy.port}/v1` }, unsure),
];

const figures = troubles.map(({ name, said, recorded }) => {
  const statuses = Object.fromEntries(
    Map.groupBy(said, ({ status }) => status)
      .entries()
      .map(([s, all]) => [s, all.length]),
  );
  const acknowledged = said.filter(({ status }) => status === 200 || status === 202).length;
  return {
    name,
    statuses,
    latestMs: Math.round(Math.max(...said.map(({ elapsedMs }) => elapsedMs))),
    /** Not answered at all, or acknowledged and not in the store. (A full disk goes with its name space: not counted there.) */
    lost: (statuses[0] ?? 0) + Math.max(0, acknowledged - (recorded ?? acknowledged)),
    recordedUnasked: recorded === undefined ? undefined : recorded - acknowledged,
    fiveHundreds: statuses[500] ?? 0,
  };
});
for (const figure of figures) console.log(JSON.stringify(figure));
const met = figures.every(
  ({ latestMs, lost, fiveHundreds }) => latestMs <= target.latestMs && lost === 0 && fiveHundreds === 0,
);
console.log(JSON.stringify({ bar: "deadline", figures, target, met }));
await rm(root, { recursive: true, force: true });
process.exit();
