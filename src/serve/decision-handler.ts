/** @file `POST /v1/decisions`: parse, route, encode. */

import type { FastifyReply, FastifyRequest } from "fastify";
import type { Teacher } from "../contracts.ts";
import type { Routed } from "../route/routed.ts";
import type { Router } from "../route/router.ts";
import type { Task } from "../task.ts";
import { parseDecisionRequest } from "./decision-request.ts";
import { decisionBody } from "./decision-response.ts";
import { explainHeader, explanationBody, featuresAsked } from "./explanation.ts";
import { decisionHeaders } from "./headers.ts";
import type { ImageInputOptions } from "./image-input.ts";
import type { Metrics } from "./metrics.ts";
import { requireModel } from "./models.ts";
import { asksOtherwise, matchQuestions } from "./questions.ts";
import { queuedBody } from "./queued.ts";
import { receiveInput } from "./receive-input.ts";
import { RequestError } from "./request-error.ts";

export type DecisionHandlerOptions = {
  readonly task: Task;
  readonly router: Router;
  readonly teacher: Teacher | undefined;
  readonly metrics: Metrics;
  readonly images: ImageInputOptions;
};

export type DecisionHandler = {
  handle(request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
  /** After the response, errors included. */
  measure(request: FastifyRequest, reply: FastifyReply): Promise<void>;
};

export function createDecisionHandler(options: DecisionHandlerOptions): DecisionHandler {
  const { task, router, teacher, metrics, images } = options;
  const finished = new WeakMap<FastifyRequest, Routed>();
  return {
    async handle(request, reply) {
      const { model, parts, questions } = parseDecisionRequest(request.body);
      requireModel(model, task);
      const features = featuresAsked(request.headers[explainHeader]);
      const asked = matchQuestions(questions, task);
      const signal = callerSignal(reply);
      const received = await receiveInput(parts, { task, images, signal });
      const routed = await router.decide({
        ...received,
        requestId: request.id,
        isExplained: features !== undefined,
        signal,
      });
      finished.set(request, routed);
      reply.headers(decisionHeaders(routed, teacher?.simulated ?? false));
      reply.header("x-flywheel-overhead-ms", overheadMs(routed, reply).toFixed(2));
      if (asksOtherwise(questions, task)) reply.header("x-flywheel-warning", "instructions differ from the task's");
      if (routed.answer.kind === "refused") throw unanswered(routed.answer);
      const body = { ...decisionBody(model, asked, routed), ...reasonsOf(routed, features) };
      if (routed.answer.kind !== "queued") return await reply.send(body);
      return await reply.code(202).send(queuedBody(request.id, body));
    },
    async measure(request, reply) {
      const routed = finished.get(request);
      const durationMs = reply.elapsedTime;
      metrics.observe({ status: reply.statusCode, durationMs, overheadMs: overheadMs(routed, reply), routed });
      request.log.info({ status: reply.statusCode, durationMs, ...routed?.decision }, "decision");
    },
  };
}

function reasonsOf({ explained }: Routed, features: number | undefined) {
  return explained && features !== undefined ? { explanation: explanationBody(explained, features) } : {};
}

/** Aborts where the caller hangs up before the answer. (Node ends the request's own events when its body has been read.) */
function callerSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort(new RequestError(499, "caller_gone", "the caller hung up"));
  });
  return gone.signal;
}

/** Time that was neither the student's nor the teacher's. */
function overheadMs(routed: Routed | undefined, { elapsedTime }: FastifyReply): number {
  return Math.max(0, elapsedTime - (routed?.studentMs ?? 0) - (routed?.teacherMs ?? 0));
}

function unanswered({ code, message, retryAfterMs }: Extract<Routed["answer"], { kind: "refused" }>): RequestError {
  return new RequestError(503, code, `the student may not answer this and the teacher cannot: ${message}`, {
    retryAfterMs,
    retryable: true,
  });
}
