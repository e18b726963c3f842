/**
 * @file The life of a request, from its headers to the end of its answer: it is let in or refused at once, it has one deadline
 * over everything (reading the body, fetching an image, asking, recording), and it ends where the caller hangs up.
 */

import type { FastifyReply, FastifyRequest } from "fastify";
import type { Admission } from "./admission.ts";
import { createDeadlineQueue } from "./deadline-queue.ts";
import { RequestError } from "./request-error.ts";

/** What a request waits for, so that one that ran out of time can be told what took it. */
export type Stage = "receiving" | "fetching" | "deciding";

export type RequestLife = {
  stage: Stage;
  /** Aborts with what the caller is told where the time is over, or where nobody waits any more. */
  readonly signal: AbortSignal;
  /** Milliseconds until the answer is due. */
  leftMs(): number;
  /** The answer is on its way: how long the caller takes to read it is no matter of the deadline. */
  end(): void;
};

export type RequestLives = {
  /** @throws RequestError 429 */
  begin(request: FastifyRequest, reply: FastifyReply): void;
  of(request: FastifyRequest): RequestLife;
};

export type RequestLivesOptions = {
  readonly deadlineMs: number;
  readonly admission: Admission;
  /** Counted for a body whose length is not declared. */
  readonly bodyLimitBytes: number;
};

/** What is asked and recorded in its time, to the millisecond, may still be told; and what failed then knows better why. */
const GRACE_MS = 40;

export function createRequestLives({ deadlineMs, admission, bodyLimitBytes }: RequestLivesOptions): RequestLives {
  const queue = createDeadlineQueue(deadlineMs + GRACE_MS);
  const lives = new WeakMap<FastifyRequest, RequestLife>();
  return {
    begin(request, reply) {
      const leave = admission.enter({
        key: request.headers.authorization ?? "",
        sizeBytes: declaredBytes(request, bodyLimitBytes),
      });
      const over = new AbortController();
      const dueMs = performance.now() + deadlineMs;
      const end = queue.start(() => {
        const error = outOfTime(life.stage, deadlineMs);
        over.abort(error);
        // Later stages wait for the signal in their handler, which then answers.
        if (life.stage === "receiving" && !reply.sent) void reply.header("connection", "close").send(error);
      });
      const life: RequestLife = {
        stage: "receiving",
        signal: over.signal,
        leftMs: () => Math.max(0, dueMs - performance.now()),
        end,
      };
      lives.set(request, life);
      // The answer's end, or the connection's. (Node ends the request's own events when its body has been read.)
      reply.raw.once("close", () => {
        end();
        leave();
        if (!reply.raw.writableFinished) over.abort(callerGone());
      });
    },
    of(request) {
      const life = lives.get(request);
      if (!life) throw new TypeError("the request was never begun");
      return life;
    },
  };
}

function declaredBytes({ headers }: FastifyRequest, bodyLimitBytes: number): number {
  const declared = Number(headers["content-length"] ?? 0);
  return headers["transfer-encoding"] === undefined ? Math.min(declared, bodyLimitBytes) : bodyLimitBytes;
}

function outOfTime(stage: Stage, deadlineMs: number): RequestError {
  switch (stage) {
    case "receiving":
      return new RequestError(408, "request_timeout", `the request did not arrive within ${deadlineMs} ms`, {
        hint: "send it faster, or send less",
      });
    case "fetching":
      return new RequestError(504, "image_unreachable", `its host did not give the image within ${deadlineMs} ms`, {
        hint: "send the image as a data URL",
        ...later,
      });
    case "deciding":
      return new RequestError(503, "deadline_exceeded", `no decision could be recorded within ${deadlineMs} ms`, {
        hint: "try again; if it lasts, look at /readyz",
        ...later,
      });
    default:
      return stage satisfies never;
  }
}

const later = { retryable: true, retryAfterMs: 1_000 } as const;

const callerGone = (): RequestError => new RequestError(499, "caller_gone", "the caller hung up");
