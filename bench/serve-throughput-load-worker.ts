/**
 * @file Load on an HTTP server, in a process of its own: told by message which server to ask, over how many connections and
 * for how long, it answers with every latency. A connection has one request under way. Over bare sockets, so that asking
 * costs less than answering.
 */

import { connect, type Socket } from "node:net";

export type LoadJob = {
  readonly url: string;
  readonly model: string;
  readonly choices: readonly string[];
  readonly texts: readonly string[];
  /** Makes the texts of this job differ from those of every other. */
  readonly salt: string;
  readonly connections: number;
  readonly seconds: number;
};

export type LoadResult = {
  readonly answered: number;
  /** By the value of `x-flywheel-route`. */
  readonly routes: Readonly<Record<string, number>>;
  readonly notOk: number;
  readonly seconds: number;
  /** Microseconds, rising. */
  readonly latenciesUs: readonly number[];
  /** The body of the first answer. */
  readonly sample: string;
};

process.on("message", async (job: LoadJob) => {
  process.send!(await load(job));
});

async function load(job: LoadJob): Promise<LoadResult> {
  const tally = { notOk: 0, sample: "", routes: {} as Record<string, number>, latencies: [] as number[], sent: 0 };
  const startedMs = performance.now();
  const endMs = startedMs + job.seconds * 1000;
  await Promise.all(Array.from({ length: job.connections }, () => caller(job, tally, endMs)));
  const seconds = (performance.now() - startedMs) / 1000;
  const { notOk, sample, routes, latencies } = tally;
  const latenciesUs = Array.from(Float64Array.from(latencies).sort(), (ms) => Math.round(1000 * ms));
  return { answered: latencies.length, routes, notOk, seconds, latenciesUs, sample };
}

type Tally = { notOk: number; sample: string; sent: number; routes: Record<string, number>; latencies: number[] };

/** Asks, waits for the whole answer, asks again. */
function caller(job: LoadJob, tally: Tally, endMs: number): Promise<void> {
  const { hostname, port } = new URL(job.url);
  const request = requestWriter(job);
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true });
    let [received, sentMs] = ["", 0];
    const ask = (): void => {
      sentMs = performance.now();
      if (sentMs >= endMs) return void socket.end(resolve);
      socket.write(request(tally.sent++));
    };
    socket.setEncoding("latin1");
    socket.on("connect", ask);
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`${job.url} closed a connection in use`)));
    socket.on("data", (chunk: string) => {
      received = received === "" ? chunk : received + chunk;
      const head = received.indexOf("\r\n\r\n");
      if (head < 0 || received.length < head + 4 + lengthIn(received, head)) return;
      tally.latencies.push(performance.now() - sentMs);
      note(received, head, tally);
      received = "";
      ask();
    });
  });
}

function lengthIn(received: string, head: number): number {
  return Number(headerIn(received, head, "content-length"));
}

function headerIn(received: string, head: number, name: string): string {
  const start = received.indexOf(`\r\n${name}: `);
  if (start < 0 || start > head) return "";
  const from = start + name.length + 4;
  return received.slice(from, received.indexOf("\r\n", from));
}

function note(received: string, head: number, tally: Tally): void {
  if (!received.startsWith("HTTP/1.1 200")) tally.notOk += 1;
  if (tally.sample === "") tally.sample = received.slice(head + 4);
  const route = headerIn(received, head, "x-flywheel-route") || "none";
  tally.routes[route] = (tally.routes[route] ?? 0) + 1;
}

/** As the official client asks, with a text that nobody has asked about before. */
function requestWriter({ url, model, choices, texts, salt }: LoadJob): (nth: number) => string {
  const { host } = new URL(url);
  const questions = [{ type: "choice", instructions: "", choices: choices.map((value) => ({ value })) }];
  const rest = `,"questions":${JSON.stringify(questions)}}`;
  const head = [
    "POST /v1/decisions HTTP/1.1",
    `host: ${host}`,
    "accept: application/json",
    "content-type: application/json",
    "user-agent: OpenAI/JS 7.57.0",
    "authorization: Bearer none",
    "content-length: ",
  ].join("\r\n");
  return (nth) => {
    const text = `${texts[nth % texts.length]} ${salt}${nth}`;
    const body = `{"model":${JSON.stringify(model)},"input":${JSON.stringify(text)}${rest}`;
    return `${head}${Buffer.byteLength(body)}\r\n\r\n${body}`;
  };
}
