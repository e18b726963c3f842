/** @file `POST /v1/decisions`: parse, route, encode. */

import type { FastifyReply, FastifyRequest } from "fastify";
import type { Teacher } from "../contracts.ts";
import { hasFields } from "../fields.ts";
import type { Routed, RoutedRow } from "../route/routed.ts";
import type { Router } from "../route/router.ts";
import type { AnyTask } from "../task.ts";
import { parseDecisionRequest } from "./decision-request.ts";
import { type DecisionBody, decisionBody } from "./decision-response.ts";
import { explainHeader, explanationBody, featuresAsked } from "./explanation.ts";
import { decisionHeaders, rowHeaders } from "./headers.ts";
import type { ImageInputOptions } from "./image-input.ts";
import type { Metrics } from "./metrics.ts";
import { requireModel } from "./models.ts";
import { type Asked, asksOtherwise, matchQuestions } from "./questions.ts";
import { queuedBody } from "./queued.ts";
import { receiveInput } from "./receive-input.ts";
import { RequestError, toRequestError } from "./request-error.ts";
import type { RequestLife, RequestLives } from "./request-life.ts";

export type DecisionHandlerOptions = {
  readonly task: AnyTask;
  readonly router: Router;
  readonly teacher: Teacher | undefined;
  readonly metrics: Metrics;
  readonly images: ImageInputOptions;
  readonly lives: RequestLives;
};

export type DecisionHandler = {
  /** Answers when it can: nothing to wait for. */
  handle(request: FastifyRequest, reply: FastifyReply): void;
  /** After the response, errors included. */
  measure(request: FastifyRequest, reply: FastifyReply): void;
};

export function createDecisionHandler(options: DecisionHandlerOptions): DecisionHandler {
  const { task, router, teacher, metrics, images, lives } = options;
  return {
    handle(request, reply) {
      const life = lives.of(request);
      const tell = (answered: unknown): void => {
        if (life.isOver) return;
        life.end();
        reply.send(answered);
      };
      answer(request, reply, life)
        .then(tell)
        .catch((thrown: unknown) => tell(thrown instanceof Error ? thrown : toRequestError(thrown)));
    },
    measure(request, reply) {
      const row = lives.find(request)?.row;
      const { statusCode: status, elapsedTime: durationMs } = reply;
      metrics.observe({ status, durationMs, overheadMs: overheadMs(row, reply), row });
      for (const line of logLines(row))
        request.log.info({ reqId: request.id, status, durationMs, ...line }, "decision");
    },
  };

  async function answer(request: FastifyRequest, reply: FastifyReply, life: RequestLife): Promise<object | undefined> {
    const { model, parts, questions } = parseDecisionRequest(request.body);
    requireModel(model, task);
    const features = featuresAsked(request.headers[explainHeader]);
    const asked = matchQuestions(questions, task);
    life.stage = "fetching";
    const receiving = receiveInput(parts, { task, images, life });
    const { shown, input } = receiving instanceof Promise ? await receiving : receiving;
    life.stage = "deciding";
    const row = await router.decideRow({
      shown,
      input,
      requestId: request.id,
      fields: asked.map(({ field }) => field),
      isExplained: features !== undefined,
      caller: life,
      timeLeftMs: life.leftMs(),
    });
    if (life.isOver) return undefined;
    life.row = row;
    reply.headers(headersOf(row, task, teacher?.simulated === true || holdsSimulated(row)));
    reply.header("x-flywheel-overhead-ms", overheadMs(row, reply).toFixed(2));
    if (asksOtherwise(questions, asked, task)) {
      reply.header("x-flywheel-warning", "instructions differ from the task's");
    }
    const body = { ...answerOrThrow(model, asked, row), ...reasonsOf(row, task, features) };
    if (!isQueued(row)) return body;
    reply.code(202);
    return queuedBody(request.id, body);
  }
}

/** Of a task of several fields, by field. A student that failed has no reasons either. */
function reasonsOf(row: RoutedRow, task: AnyTask, features: number | undefined): { readonly explanation?: object } {
  const reasons = [...row.fields].flatMap(([field, { explained }]) =>
    explained && features !== undefined ? [[field, explanationBody(explained, features)] as const] : [],
  );
  const [first] = reasons;
  if (!first) return {};
  return { explanation: hasFields(task) ? Object.fromEntries(reasons) : first[1] };
}

function headersOf(row: RoutedRow, task: AnyTask, isSimulated: boolean): Record<string, string> {
  return hasFields(task) ? rowHeaders(row, isSimulated) : decisionHeaders(onlyField(row), isSimulated);
}

/** An answer from the store may be older than this process, whose own teacher has said nothing yet. */
const holdsSimulated = ({ fields }: RoutedRow): boolean =>
  fields.values().some(({ answer }) => "isSimulated" in answer && answer.isSimulated);

const onlyField = ({ fields }: RoutedRow): Routed => fields.values().next().value!;

/** Where some fields have an answer and some are refused, the caller gets the answers that there are. */
function answerOrThrow(model: string, asked: readonly Asked[], row: RoutedRow): DecisionBody {
  const refused = [...row.fields.values()].map(({ answer }) => answer).filter((answer) => answer.kind === "refused");
  if (refused.length === row.fields.size) throw unanswered(refused[0]!);
  return decisionBody(model, asked, row);
}

const isQueued = ({ fields }: RoutedRow): boolean => fields.values().some(({ answer }) => answer.kind === "queued");

/** A line for each field; one for a request that never got so far. */
function logLines(row: RoutedRow | undefined): readonly object[] {
  if (!row) return [{}];
  return [...row.fields].map(([field, { decision }]) => ({ ...decision, ...(field !== "" && { field }) }));
}

/** Time that was neither the student's nor the teacher's. */
function overheadMs(routed: RoutedRow | undefined, { elapsedTime }: FastifyReply): number {
  return Math.max(0, elapsedTime - (routed?.studentMs ?? 0) - (routed?.teacherMs ?? 0));
}

function unanswered({ code, message, retryAfterMs }: Extract<Routed["answer"], { kind: "refused" }>): RequestError {
  return new RequestError(503, code, `the student may not answer this and the teacher cannot: ${message}`, {
    retryAfterMs,
    retryable: true,
  });
}
