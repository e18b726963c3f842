/**
 * @file Bar `hostile`: 200,000 fuzzed requests, and every string that a caller controls at the body limit, filled with what
 * patterns and parsers like least. No pause of the event loop over 200 ms, no crash, no 5xx of our making, and no path, secret
 * or stack in any answer. Against loopback alone. `FLYWHEEL_BENCH_REQUESTS=20000` asks less.
 */

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng } from "../src/math/random.ts";
import {
  asImage,
  ask,
  asking,
  type HardServer,
  type HardTimes,
  type Said,
  startHardServer,
} from "./hard-times-support.ts";

const target = { longestPauseMs: 200, crashes: 0, fiveHundreds: 0, leaks: 0 };
const total = Number(process.env["FLYWHEEL_BENCH_REQUESTS"] ?? 200_000);
const CONNECTIONS = 32;
const MiB = 2 ** 20;

const root = await mkdtemp(join(tmpdir(), "flywheel-hostile-"));
const rng = createRng(7);
const pick = <T>(from: readonly T[]): T => from[rng.integer(from.length)]!;

type Tally = { asked: number; statuses: Map<number, number>; fiveHundreds: string[]; leaks: string[] };
const tally: Tally = { asked: 0, statuses: new Map(), fiveHundreds: [], leaks: [] };

/** A 502 or 504 speaks of somebody else, a 503 with a reason of what the operator has set: here nobody is down but the teacher. */
function note(said: Said): void {
  tally.asked += 1;
  tally.statuses.set(said.status, (tally.statuses.get(said.status) ?? 0) + 1);
  if (said.status >= 500 && !/teacher|image_unreachable/.test(said.text))
    tally.fiveHundreds.push(said.text.slice(0, 200));
  if ([root, "/src/", "node_modules", "    at ", ".sqlite"].some((secret) => said.text.includes(secret)))
    tally.leaks.push(said.text.slice(0, 200));
}

// ── fuzzed ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const oddities: readonly unknown[] = [
  ...[null, true, 0, -1, 1e308, "", " ", "\0", "\ud800", "a".repeat(5_000), [], {}, [[[[]]]], { a: { b: { c: 1 } } }],
  ...["__proto__", "constructor", "../../etc/passwd", "data:,", "data:image/png;base64,AAAA", "http://127.0.0.1:1/x"],
];
const seed = (): unknown => ({
  model: "fruit",
  input: pick([
    `pear 0.9 ${rng.integer(1e6)}`,
    "broken",
    asImage("data:image/png;base64,AAAA"),
    [{ role: "user", content: [{ type: "input_json", data: { age: 3 } }] }],
  ]),
  questions: [{ type: "choice", name: "q", instructions: "?", choices: [{ value: "apple" }, { value: "pear" }] }],
});

/** One place of the request, anywhere in it, becomes something else. */
function mutated(value: unknown): unknown {
  if (typeof value !== "object" || value === null || rng.next() < 0.15) return pick(oddities);
  const keys = Object.keys(value);
  const key = pick(keys);
  if (key === undefined) return pick(oddities);
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...value };
  Reflect.set(copy, key, mutated(Reflect.get(value, key)));
  if (rng.next() < 0.1) Reflect.deleteProperty(copy, key);
  return copy;
}

function fuzzedBody(): string | Buffer {
  const body = JSON.stringify(mutated(seed()));
  const kind = rng.next();
  if (kind < 0.1) return randomBytes(rng.integer(300));
  if (kind < 0.2) return body.slice(0, rng.integer(body.length + 1));
  return body;
}

const fuzzedHeaders = (): object =>
  rng.next() < 0.8
    ? {}
    : pick([
        { "content-type": "text/plain" },
        { "x-flywheel-explain": "-1" },
        { authorization: `Bearer ${" ".repeat(500)}` },
        { "x-request-id": "mine" },
      ]);

async function fuzz(server: HardServer, requests: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  let left = requests;
  const caller = async (): Promise<void> => {
    while (left-- > 0 && !server.hasEnded()) note(await ask(server.url, fuzzedBody(), fuzzedHeaders(), agent));
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, caller));
  agent.destroy();
  for (let nth = 0; nth < requests / 100; nth++) note(await askRawly(server.url, randomBytes(rng.integer(200))));
}

/** Bytes that need not be HTTP. */
function askRawly(url: string, bytes: Buffer): Promise<Said> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    let text = "";
    const end = () => resolve({ status: 0, text, elapsedMs: 0 });
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", () => undefined).on("close", end);
    socket.end(Buffer.concat([bytes, Buffer.from("\r\n\r\n")]));
  });
}

// ── slow ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What patterns over white space, digits, quotes, fences and separators like least. */
const fillings = [
  " ",
  "\t",
  "\n",
  "0",
  "9.",
  "=",
  "A ",
  '"',
  "\\",
  "`",
  "/",
  ",",
  "{",
  "[",
  "<",
  "é",
  "\u0301",
  "😀",
  "\u200b",
  "-",
  "a b ",
];
const filled = (filling: string, bytes: number): string =>
  filling.repeat(Math.floor((bytes / Buffer.byteLength(JSON.stringify(filling).slice(1, -1))) * 0.98));

const slowBodies: Readonly<Record<HardTimes["input"], (filling: string) => readonly string[]>> = {
  text: (filling) => [
    asking(filled(filling, MiB - 500)),
    JSON.stringify({ ...JSON.parse(asking("pear 0.9")), model: filled(filling, MiB - 500) }),
    JSON.stringify({
      ...JSON.parse(asking("pear 0.9")),
      questions: [
        {
          type: "choice",
          name: filled(filling, MiB / 2),
          instructions: filled(filling, MiB / 3),
          choices: [{ value: "apple" }, { value: "pear" }],
        },
      ],
    }),
    JSON.stringify({
      ...JSON.parse(asking("pear 0.9")),
      questions: [
        { type: "choice", instructions: "", choices: [{ value: filled(filling, MiB - 500) }, { value: "pear" }] },
      ],
    }),
  ],
  record: (filling) => [
    asking([{ role: "user", content: [{ type: "input_json", data: { age: filled(filling, MiB - 500), plan: "a" } }] }]),
    asking([{ role: "user", content: [{ type: "input_json", data: { age: 1, plan: filled(filling, MiB - 500) } }] }]),
  ],
  image: (filling) => [
    asking(asImage(`data:image/png;base64,${filled(filling, 19 * MiB)}`)),
    asking(asImage(`data:image/png;base64,${"A".repeat(9 * MiB)}=${filled(filling, 9 * MiB)}`)),
    asking(asImage(`http://${filled(filling, MiB)}/`)),
  ],
};

/** Bodies that hold not long strings but many values. */
const wideBodies = (bytes: number): readonly string[] => [
  `[${"1,".repeat(bytes / 2 - 2)}1]`,
  `{"model":"fruit","questions":[],"input":[${"{},".repeat(bytes / 3 - 40)}{}]}`,
  `{"model":"fruit","input":"a","questions":[${"{},".repeat(bytes / 3 - 40)}{}]}`,
  `{"model":"fruit","input":"a","questions":[{"type":"choice","instructions":"","choices":[${'{"value":"a"},'.repeat(bytes / 14 - 40)}{}]}]}`,
  "[".repeat(bytes - 10),
  `{${Array.from({ length: Math.floor(bytes / 12) }, (_, nth) => `"k${nth}":1`).join(",")}}`.slice(0, bytes - 10),
];

type Slow = { readonly name: string; readonly pauseMs: number };

/** One at a time, the pause that each makes. */
async function slow(server: HardServer, input: HardTimes["input"]): Promise<readonly Slow[]> {
  const slowest: Slow[] = [];
  await server.pauseMs();
  const named = [
    ...fillings.flatMap((filling) =>
      slowBodies[input](filling).map((body, place) => ({ name: `${input} ${place} ${JSON.stringify(filling)}`, body })),
    ),
    ...wideBodies(input === "image" ? 20 * MiB : MiB).map((body, nth) => ({ name: `${input} wide ${nth}`, body })),
  ];
  for (const { name, body } of named) {
    if (server.hasEnded()) break;
    note(await ask(server.url, body));
    slowest.push({ name, pauseMs: Math.round(await server.pauseMs()) });
  }
  return slowest.toSorted((a, b) => b.pauseMs - a.pauseMs);
}

const pauses: Slow[] = [];
let crashes = 0;
for (const input of ["text", "record", "image"] as const) {
  await using server = await startHardServer({ directory: join(root, input), input, deadlineMs: 10_000 });
  for (let nth = 0; nth < 20; nth++) await ask(server.url, asking("pear 0.9"));
  pauses.push(...(await slow(server, input)).slice(0, 5));
  await server.pauseMs();
  await fuzz(server, Math.round(total / 3));
  pauses.push({
    name: `${input} fuzzed`,
    pauseMs: server.hasEnded() ? Number.NaN : Math.round(await server.pauseMs()),
  });
  crashes += Number(server.hasEnded());
}

const longestPauseMs = Math.max(...pauses.map(({ pauseMs }) => pauseMs));
const figures = {
  asked: tally.asked,
  statuses: Object.fromEntries(tally.statuses),
  longestPauseMs,
  slowest: pauses.toSorted((a, b) => b.pauseMs - a.pauseMs).slice(0, 8),
  crashes,
  fiveHundreds: tally.fiveHundreds.length,
  leaks: tally.leaks.length,
  examples: [...tally.fiveHundreds, ...tally.leaks].slice(0, 5),
};
const met = longestPauseMs <= target.longestPauseMs && crashes + figures.fiveHundreds + figures.leaks === 0;
console.log(JSON.stringify({ bar: "hostile", figures, target, met }));
await rm(root, { recursive: true, force: true });
process.exit();
