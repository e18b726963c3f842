/** @file Starts the server of `hard-times-worker.ts`, and asks it over sockets that keep the time. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Agent, request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { kill } from "./labelling-support.ts";

export type HardTimes = {
  readonly directory: string;
  readonly input: "text" | "image" | "record";
  readonly deadlineMs: number;
  readonly teacherUrl?: string;
  readonly imageHosts?: readonly string[];
};

export type HardServer = AsyncDisposable & {
  readonly url: string;
  readonly hasEnded: () => boolean;
  /** The longest pause of its event loop since it was last asked. */
  pauseMs(): Promise<number>;
};

/** @param before a shell command that runs first in name spaces of its own, where a small disk can be mounted */
export async function startHardServer(options: HardTimes, before?: string): Promise<HardServer> {
  const program = join(import.meta.dirname, "hard-times-worker.ts");
  const own = [process.execPath, program, JSON.stringify(options)];
  const [command = "", ...args] = before ? ["unshare", "-rm", "sh", "-c", `${before} && exec "$@"`, "sh", ...own] : own;
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value ?? "null");
  const { url } = await next();
  return {
    url,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    async pauseMs() {
      child.stdin.write("\n");
      return (await next()).pauseMs;
    },
    [Symbol.asyncDispose]: () => kill(child),
  };
}

/** `status` 0: no answer, but an end of the connection. */
export type Said = { readonly status: number; readonly text: string; readonly elapsedMs: number };

export async function ask(url: string, body: string | Buffer, headers: object = {}, agent?: Agent): Promise<Said> {
  const startedMs = performance.now();
  const end = (status: number, text: string) => ({ status, text, elapsedMs: performance.now() - startedMs });
  try {
    const sent = request(`${url}/v1/decisions`, {
      method: "POST",
      ...(agent && { agent }),
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers },
    });
    sent.on("error", () => undefined).end(body);
    const [response] = await once(sent, "response");
    let text = "";
    for await (const chunk of response) text += chunk;
    return end(response.statusCode, text);
  } catch (thrown) {
    return end(0, String(thrown));
  }
}

export const question = {
  type: "choice",
  instructions: "Which fruit is it?",
  choices: [{ value: "apple" }, { value: "pear" }],
} as const;

export const asking = (input: unknown): string => JSON.stringify({ model: "fruit", input, questions: [question] });

export const asImage = (url: string) => [{ role: "user", content: [{ type: "input_image", image_url: url }] }];
