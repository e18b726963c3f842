/** @file A proxy in front of a teacher, over real sockets, that turns bad and well again when a test says so. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

const label = JSON.stringify({
  choices: [{ index: 0, message: { role: "assistant", content: '{"label":"banana"}' }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});
const page = "<!doctype html><html><title>Sign in</title><body>The network wants a password</body></html>";

/** What it answers in the teacher's place: status, content type, body. */
export const badAnswers = {
  "a page of HTML": [200, "text/html", page],
  "a page of HTML that says 400": [400, "text/html", page],
  "a redirect": [302, "text/html", ""],
  "JSON that breaks off": [200, "application/json", label.slice(0, 40)],
  "JSON of another protocol": [200, "application/json", '{"status":"ok"}'],
  "words without JSON": [200, "text/plain", "please sign in"],
  "nothing at all": [200, "text/plain", ""],
  "a wrong label": [200, "application/json", label],
  "400 to everything": [400, "application/json", '{"error":{"message":"unknown parameter: messages"}}'],
} as const;
export type BadAnswer = keyof typeof badAnswers;

export type FaultyFront = {
  readonly url: string;
  readonly requests: number;
  /** Undefined: it passes everything on. */
  turn(bad: BadAnswer | undefined): void;
};

/** @param target base URL of the teacher */
export async function startFaultyFront(target: string): Promise<FaultyFront> {
  let [bad, requests]: [BadAnswer | undefined, number] = [undefined, 0];
  const server = createServer((request, response) => {
    requests += 1;
    if (bad === undefined) return void passOn(request, response, target);
    const [status, type, body] = badAnswers[bad];
    request.resume();
    response.writeHead(status, { "content-type": type, ...(status === 302 && { location: "/login" }) }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    get requests() {
      return requests;
    },
    turn: (next) => {
      bad = next;
    },
  };
}

async function passOn(request: IncomingMessage, response: ServerResponse, target: string): Promise<void> {
  const url = new URL(new URL(target).pathname.replace(/\/v1$/, "") + (request.url ?? ""), target);
  const headers = { "content-type": "application/json", "idempotency-key": String(request.headers["idempotency-key"]) };
  const answer = await fetch(url, { method: "POST", headers, body: await text(request) });
  response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
}
