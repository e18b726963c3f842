/** @file A thread that learns vocabularies and fits linear models, seen from outside: one job at a time, in order. */

import { Worker } from "node:worker_threads";
import { FlywheelError, messageOf } from "../../errors.ts";
import type { NgramOptions } from "../../text/options.ts";
import type { Learned } from "../../text/vocabulary-builder.ts";
import type { LinearFitRequest, LinearFitResult, LinearProblem } from "./linear-work.ts";

export type FitJob =
  | { readonly kind: "learn"; readonly texts: readonly string[]; readonly ngrams: NgramOptions }
  | { readonly kind: "problem"; readonly problem: LinearProblem }
  | { readonly kind: "fit"; readonly request: LinearFitRequest };

export type FitReply =
  /** On the way to `learned`. */
  | { readonly kind: "read"; readonly read: number }
  | { readonly kind: "learned"; readonly learned: Learned }
  | { readonly kind: "ready" }
  | { readonly kind: "fitted"; readonly result: LinearFitResult }
  | {
      readonly kind: "failed";
      readonly code: string | undefined;
      readonly message: string;
      readonly hint: string | undefined;
    };

export type FitThread = AsyncDisposable & {
  /**
   * Reads every text twice, and says how far it is.
   * @throws FlywheelError `empty_vocabulary`, `text_fit_failed`
   */
  learn(texts: readonly string[], ngrams: NgramOptions, onRead: (read: number) => void): Promise<Learned>;
  /** What the fits that follow are about. */
  prepare(problem: LinearProblem): Promise<void>;
  fit(request: LinearFitRequest): Promise<LinearFitResult>;
};

type Reply<Kind extends FitReply["kind"]> = Extract<FitReply, { readonly kind: Kind }>;

/** The thread ends with `await using`, whatever it is doing. */
export function startFitThread(): FitThread {
  // Compiled, this file and the worker both end in .js.
  const file = new URL(import.meta.url.endsWith(".ts") ? "./fit-worker.ts" : "./fit-worker.js", import.meta.url);
  // Not our own flags: `--input-type` of a script given by `-e` would keep the thread from starting.
  const worker = new Worker(file, { execArgv: [] });
  const waiting: PromiseWithResolvers<FitReply>[] = [];
  const fail = (cause: unknown): void => {
    for (const each of waiting.splice(0)) each.reject(failed(messageOf(cause), { cause }));
  };
  let heard: (read: number) => void = () => {};
  worker.on("message", (reply: FitReply) => {
    if (reply.kind === "read") heard(reply.read);
    else waiting.shift()?.resolve(reply);
  });
  worker.on("error", fail);
  worker.on("exit", () => fail(new Error("its thread has ended")));
  const ask = async <Kind extends FitReply["kind"]>(job: FitJob, kind: Kind): Promise<Reply<Kind>> => {
    const answered = Promise.withResolvers<FitReply>();
    waiting.push(answered);
    worker.postMessage(job);
    const reply = await answered.promise;
    if (reply.kind === kind) return reply as Reply<Kind>;
    if (reply.kind === "failed") throw failed(reply.message, reply);
    throw failed(`asked for ${kind}, its thread answered ${reply.kind}`);
  };
  return {
    async learn(texts, ngrams, onRead) {
      heard = onRead;
      return (await ask({ kind: "learn", texts, ngrams }, "learned")).learned;
    },
    async prepare(problem) {
      await ask({ kind: "problem", problem }, "ready");
    },
    fit: async (request) => (await ask({ kind: "fit", request }, "fitted")).result,
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}

type Failure = { readonly code?: string | undefined; readonly hint?: string | undefined; readonly cause?: unknown };

function failed(message: string, { code, hint, cause }: Failure = {}): FlywheelError {
  if (code !== undefined && hint !== undefined) return new FlywheelError(code, message, { hint });
  return new FlywheelError("text_fit_failed", `training on texts failed: ${message}`, {
    hint: "if memory ran out, set student.text.hashed (18, say) or fewer n-grams",
    cause,
  });
}
