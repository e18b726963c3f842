/**
 * @file `fetch` for the one kind of request that a teacher is sent: a POST of text, answered by text. Over `node:http` with
 * connections kept open it takes a third of the processor time of the built-in `fetch` with its streams. Anything else is
 * left to the built-in.
 */

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { urlToHttpOptions } from "node:url";
import type { Fetch } from "./provider.ts";

/** An answer holds a label and its log-probabilities: some kilobytes. What is cut off here is read as what it is: no answer. */
const MAX_RESPONSE_BYTES = 4 * 2 ** 20;

/** Open connections are bounded by the pace, not here. */
const keptOpen = { keepAlive: true, maxFreeSockets: 1024 };

export function createLeanFetch(): Fetch {
  const agents = { "http:": new HttpAgent(keptOpen), "https:": new HttpsAgent(keptOpen) };
  /** A teacher has one address, or two: each is taken apart once. */
  const targets = new Map<string, RequestOptions>();
  const targetOf = (address: string): RequestOptions => {
    const known = targets.get(address);
    if (known) return known;
    const url = new URL(address);
    const target = { ...urlToHttpOptions(url), agent: url.protocol === "https:" ? agents["https:"] : agents["http:"] };
    targets.set(address, target);
    return target;
  };
  return async (input, init) => {
    if (input instanceof Request || typeof init?.body !== "string") return bounded(await fetch(input, init));
    const { body, signal, method = "GET" } = init;
    signal?.throwIfAborted();
    const headers = { ...plainHeaders(init.headers), "content-length": Buffer.byteLength(body) };
    return await exchange({ ...targetOf(String(input)), method, headers }, body, signal ?? undefined);
  };
}

/** Rejects with the system's error, whose `code` says what happened, or with the signal's reason. */
function exchange(options: RequestOptions, body: string, signal: AbortSignal | undefined): Promise<Response> {
  return new Promise((resolve, reject) => {
    const open = options.protocol === "https:" ? httpsRequest : httpRequest;
    const request = open(options, (response) => readResponse(response, resolve, reject));
    // Handed the signal, Node would watch the request by a dozen listeners more.
    const abort = () => {
      reject(signal?.reason);
      request.destroy();
    };
    signal?.addEventListener("abort", abort, { once: true });
    request.on("error", reject);
    request.on("close", () => signal?.removeEventListener("abort", abort));
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
  let sizeBytes = 0;
  // What the class has is all that the AI SDK reads; what it has not would be missed loudly.
  const finish = () => resolve(new WholeResponse(response, chunks) as unknown as Response);
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk.subarray(0, MAX_RESPONSE_BYTES - sizeBytes));
    sizeBytes += chunk.length;
    if (sizeBytes <= MAX_RESPONSE_BYTES) return;
    finish();
    response.destroy();
  });
  response.on("error", reject);
  response.on("end", finish);
}

/** The built-in unpacks what is compressed: it is the unpacked bytes that are counted. */
function bounded({ body, status, statusText, headers }: Response): Response {
  let sizeBytes = 0;
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      controller.enqueue(chunk.subarray(0, MAX_RESPONSE_BYTES - sizeBytes));
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_RESPONSE_BYTES) controller.terminate();
    },
  });
  return new Response(body?.pipeThrough(limit) ?? null, { status, statusText, headers });
}

/**
 * A `Response` whose body is here in one piece. The built-in one checks and sorts the headers and makes the body a stream,
 * which takes as long as half the request.
 */
class WholeResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: HeaderMap;
  readonly #bytes: Buffer;

  constructor({ statusCode = 0, statusMessage = "", headers }: IncomingMessage, chunks: readonly Buffer[]) {
    this.status = statusCode;
    this.statusText = statusMessage;
    this.headers = new HeaderMap(headersOf(headers));
    this.#bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** Can be read by a reader of its own each time, and is not used up. */
  get body(): { getReader(): WholeReader } {
    return { getReader: () => new WholeReader(this.#bytes) };
  }

  async text(): Promise<string> {
    return this.#bytes.toString();
  }

  async json(): Promise<unknown> {
    return JSON.parse(this.#bytes.toString());
  }
}

/** Names in lower case, as Node gives them; asked for in any. */
class HeaderMap extends Map<string, string> {
  override get(name: string): string | undefined {
    return super.get(name.toLowerCase());
  }
}

/** The reader of a stream that holds one chunk. */
class WholeReader {
  #left: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    this.#left = bytes;
  }

  async read(): Promise<{ readonly done: boolean; readonly value: Uint8Array | undefined }> {
    const value = this.#left;
    this.#left = undefined;
    return { done: value === undefined, value };
  }

  async cancel(): Promise<void> {
    this.#left = undefined;
  }

  releaseLock(): void {}
}

const headersOf = (headers: IncomingMessage["headers"]): [string, string][] =>
  Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]);

/** The AI SDK gives an object of strings, which need not be checked and copied once more. */
function plainHeaders(headers: RequestInit["headers"]): Readonly<Record<string, string>> {
  const isPlain = headers !== undefined && Object.getPrototypeOf(headers) === Object.prototype;
  return isPlain ? (headers as Record<string, string>) : Object.fromEntries(new Headers(headers));
}
