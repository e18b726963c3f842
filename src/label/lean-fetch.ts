/**
 * @file `fetch` for the one kind of request that a teacher is sent: a POST of text, answered by text. Over `node:http` with
 * connections kept open it takes a quarter less processor time per question, everything included, than the built-in
 * `fetch` with its streams (0.57 ms against 0.74 ms at 1,000 questions a second). Anything else is left to the built-in.
 */

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Fetch } from "./provider.ts";

/** Open connections are bounded by the pace, not here. */
const keptOpen = { keepAlive: true, maxFreeSockets: 1024 };

export function createLeanFetch(): Fetch {
  const agents = { http: new HttpAgent(keptOpen), https: new HttpsAgent(keptOpen) };
  return async (input, init) => {
    if (input instanceof Request || typeof init?.body !== "string") return await fetch(input, init);
    const url = new URL(input);
    const { body, signal } = init;
    const headers = { ...plainHeaders(init.headers), "content-length": Buffer.byteLength(body) };
    const agent = url.protocol === "https:" ? agents.https : agents.http;
    return await exchange(url, { method: init.method ?? "GET", headers, agent, ...(signal && { signal }) }, body);
  };
}

/** Rejects with the system's error, whose `code` says what happened, or with an `AbortError`. */
function exchange(url: URL, options: RequestOptions, body: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    const open = url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = open(url, options, (response) => readResponse(response, resolve, reject));
    request.on("error", reject);
    request.end(body);
  });
}

/** By events: an iterator over the chunks of an answer, which has one as a rule, is work of its own. */
function readResponse(
  response: IncomingMessage,
  resolve: (response: Response) => void,
  reject: (error: unknown) => void,
): void {
  const chunks: Buffer[] = [];
  response.on("data", (chunk: Buffer) => chunks.push(chunk));
  response.on("error", reject);
  response.on("end", () => {
    const status = response.statusCode ?? 0;
    const body = hasNoBody(status) ? null : Buffer.concat(chunks);
    resolve(new Response(body, { status, headers: headersOf(response) }));
  });
}

/** The AI SDK gives an object of strings, which need not be checked and copied once more. */
function plainHeaders(headers: RequestInit["headers"]): Readonly<Record<string, string>> {
  const isPlain = headers !== undefined && Object.getPrototypeOf(headers) === Object.prototype;
  return isPlain ? (headers as Record<string, string>) : Object.fromEntries(new Headers(headers));
}

const hasNoBody = (status: number): boolean => status === 204 || status === 205 || status === 304;

function headersOf({ headers }: IncomingMessage): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) => {
    const values = Array.isArray(value) ? value : [value];
    return values.flatMap((one): [string, string][] => (one === undefined ? [] : [[name, one]]));
  });
}
