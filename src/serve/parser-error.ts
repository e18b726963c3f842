/**
 * @file What Node's parser refuses before there is a request: answered in the API's shape, and with `Connection: close`, for
 * nothing that follows on this connection can be read.
 */

import { type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { errorBody, RequestError } from "./request-error.ts";

type ParserError = Error & { readonly code?: string };

const known: Readonly<Record<string, () => RequestError>> = {
  ERR_HTTP_REQUEST_TIMEOUT: () =>
    new RequestError(408, "request_timeout", "the request did not arrive in time", { hint: "send it faster" }),
  HPE_HEADER_OVERFLOW: () =>
    new RequestError(431, "headers_too_large", "the request's headers are too large", {
      hint: "send fewer or shorter headers, 16 KiB in all",
    }),
};

const unreadable = (): RequestError =>
  new RequestError(400, "invalid_http", "this is no HTTP request that can be read", {
    hint: "check the client, and any proxy between it and this server",
  });

/** Where the connection is gone already there is nobody to tell. */
export function answerParserError(error: ParserError, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  socket.end(rawResponse((known[error.code ?? ""] ?? unreadable)()));
}

/** What Node would refuse by itself, without a body: an expectation that is not met, a proxy's CONNECT. */
export function answerWhatNodeRefuses(server: Server): void {
  server.on("checkExpectation", ({ socket }) => socket.end(rawResponse(notExpected())));
  server.on("connect", (_, socket) => socket.end(rawResponse(noProxy())));
}

const notExpected = (): RequestError =>
  new RequestError(417, "invalid_http", "no expectation is met but 100-continue", {
    hint: "leave out the header Expect",
  });

const noProxy = (): RequestError =>
  new RequestError(405, "invalid_http", "this server is no proxy", { hint: "send requests for its own routes" });

export function rawResponse(error: RequestError): string {
  const body = JSON.stringify(errorBody(error));
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
