/**
 * @file The life of a request, from its headers to the end of its answer: it is let in or refused at once, it has one deadline
 * over everything (reading the body, fetching an image, asking, recording), and it ends where the caller hangs up.
 */

import type { FastifyReply, FastifyRequest } from "fastify";
import type { RoutedRow } from "../route/routed.ts";
import type { Admission } from "./admission.ts";
import { createDeadlineQueue, type DeadlineQueue, type Waiting } from "./deadline-queue.ts";
import { RequestError } from "./request-error.ts";

/** What a request waits for, so that one that ran out of time can be told what took it. */
export type Stage = "receiving" | "fetching" | "deciding";

export type RequestLife = {
  stage: Stage;
  /** What became of the request, where it got so far. */
  row: RoutedRow | undefined;
  /** Answered for already, or nobody there: nothing more may be written to the response. */
  readonly isOver: boolean;
  /** Aborts when it is over, with the reason. Made when first asked for: most requests wait for nobody who would listen. */
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
  /** Undefined of one that was refused at the door. */
  find(request: FastifyRequest): RequestLife | undefined;
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
  const lives = new WeakMap<FastifyRequest, Life>();
  return {
    begin(request, reply) {
      const leave = admission.enter({
        key: request.headers.authorization ?? "",
        sizeBytes: declaredBytes(request, bodyLimitBytes),
      });
      const life = new Life(reply, deadlineMs, queue);
      lives.set(request, life);
      // The answer's end, or the connection's. (Node ends the request's own events when its body has been read.)
      reply.raw.once("close", () => {
        life.end();
        leave();
        if (!reply.raw.writableFinished) life.abandon(callerGone());
      });
    },
    of(request) {
      const life = lives.get(request);
      if (!life) throw new TypeError("the request was never begun");
      return life;
    },
    find: (request) => lives.get(request),
  };
}

class Life implements RequestLife, Waiting {
  stage: Stage = "receiving";
  row: RoutedRow | undefined;
  readonly #reply: FastifyReply;
  readonly #deadlineMs: number;
  readonly #dueMs: number;
  readonly #queue: DeadlineQueue;
  #reason: RequestError | undefined;
  #over: AbortController | undefined;

  constructor(reply: FastifyReply, deadlineMs: number, queue: DeadlineQueue) {
    this.#reply = reply;
    this.#deadlineMs = deadlineMs;
    this.#dueMs = performance.now() + deadlineMs;
    this.#queue = queue;
    queue.start(this);
  }

  get isOver(): boolean {
    return this.#reason !== undefined;
  }

  get signal(): AbortSignal {
    this.#over ??= new AbortController();
    if (this.#reason) this.#over.abort(this.#reason);
    return this.#over.signal;
  }

  leftMs(): number {
    return Math.max(0, this.#dueMs - performance.now());
  }

  end(): void {
    this.#queue.end(this);
  }

  expire(): void {
    const isReceiving = this.stage === "receiving";
    this.abandon(outOfTime(this.stage, this.#deadlineMs));
    if (this.#reply.sent) return;
    // What is still to come of the body is read by nobody.
    if (isReceiving) void this.#reply.header("connection", "close");
    void this.#reply.send(this.#reason);
  }

  /** Nobody waits any more. */
  abandon(reason: RequestError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#over?.abort(reason);
  }
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
