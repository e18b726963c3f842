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
    const headers = { ...Object.fromEntries(new Headers(init.headers)), "content-length": Buffer.byteLength(body) };
    const agent = url.protocol === "https:" ? agents.https : agents.http;
    return await exchange(url, { method: init.method ?? "GET", headers, agent, ...(signal && { signal }) }, body);
  };
}

/** Rejects with the system's error, whose `code` says what happened, or with an `AbortError`. */
function exchange(url: URL, options: RequestOptions, body: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    const open = url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = open(url, options, (response) => void readResponse(response).then(resolve, reject));
    request.on("error", reject);
    request.end(body);
  });
}

async function readResponse(response: IncomingMessage): Promise<Response> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const status = response.statusCode ?? 0;
  const body = hasNoBody(status) ? null : Buffer.concat(chunks);
  return new Response(body, { status, headers: headersOf(response) });
}

const hasNoBody = (status: number): boolean => status === 204 || status === 205 || status === 304;

function headersOf({ headers }: IncomingMessage): Headers {
  const result = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) result.append(name, one);
  }
  return result;
}
