/**
 * @file The HTTP surface, without a socket: `server.ts` gives it one. Each handler parses, calls the router or the store,
 * and encodes.
 */

import type { IncomingMessage } from "node:http";
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from "fastify";
import type { Store } from "../store/contract.ts";
import { createKeyCheck } from "./api-keys.ts";
import { createDecisionHandler, type DecisionHandlerOptions } from "./decision-handler.ts";
import { readJsonBodies } from "./json-body.ts";
import { listModels, requireModel } from "./models.ts";
import { answerParserError, answerWhatNodeRefuses } from "./parser-error.ts";
import { readQueued } from "./queued.ts";
import { createReadiness } from "./readiness.ts";
import { errorBody, RequestError, toRequestError } from "./request-error.ts";
import { newRequestId } from "./request-id.ts";

export type AppOptions = DecisionHandlerOptions & {
  readonly store: Store;
  readonly apiKeys: readonly string[];
  readonly bodyLimitBytes: number;
  /** Over everything between a request's first byte and its answer. */
  readonly deadlineMs: number;
  readonly maxConnections: number;
  readonly log: FastifyBaseLogger;
  readonly isDraining: () => boolean;
  readonly requestIdOf?: RequestIdOf | undefined;
};

/** Names a request, uniquely. The audit draw hangs on it: what callers can foresee, they can choose. */
export type RequestIdOf = (request: IncomingMessage) => string;

export function createApp(options: AppOptions): FastifyInstance {
  const app = fastify({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyLimitBytes,
    // A socket that dribbles its headers is cut; what has begun as a request is answered for by `request-life.ts`.
    requestTimeout: options.deadlineMs,
    // A request without a host is answered as any other: none of ours hangs on it.
    http: { requireHostHeader: false, connectionsCheckingInterval: Math.max(100, Math.ceil(options.deadlineMs / 20)) },
    clientErrorHandler: answerParserError,
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
    // While draining, a request on a connection that is still open is refused below, in the API's shape.
    return503OnClosing: false,
    forceCloseConnections: "idle",
    requestIdHeader: false,
    genReqId: options.requestIdOf ?? (() => newRequestId(Date.now())),
  });
  app.server.maxConnections = options.maxConnections;
  answerWhatNodeRefuses(app.server);
  app.removeContentTypeParser("text/plain");
  readJsonBodies(app);
  // Lines of a request name it themselves: a logger for each costs more than the one line that it writes.
  app.setChildLoggerFactory((logger) => logger);
  // Hooks with a callback: an async one costs a promise and a turn of the microtasks each.
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id);
    done();
  });
  // A connection that stayed open for the next request would hold up the drain.
  app.addHook("onSend", (_request, reply, _payload, done) => {
    if (options.isDraining()) reply.header("connection", "close");
    done();
  });
  app.setErrorHandler((thrown, request, reply) => sendError(thrown, request, reply));
  app.setNotFoundHandler((request, reply) => sendError(notFound(request), request, reply));
  addOpenRoutes(app, options);
  addGuardedRoutes(app, options);
  return app;
}

/** For whoever starts, stops and balances servers: no key, and nothing that would need one. */
function addOpenRoutes(app: FastifyInstance, options: AppOptions): void {
  const readiness = createReadiness(options);
  app.get("/healthz", async () => ({ status: "ok" }));
  app.get("/readyz", async (_, reply) => {
    const state = await readiness();
    return await reply.code(state.status === "ready" ? 200 : 503).send(state);
  });
}

function addGuardedRoutes(app: FastifyInstance, options: AppOptions): void {
  const { task, store, router, metrics } = options;
  const mayPass = createKeyCheck(options.apiKeys);
  // What they throw, Fastify takes as it takes an error that is handed to `done`.
  const checkKey = (request: FastifyRequest, reply: FastifyReply): void => {
    if (!mayPass(request.headers.authorization)) throw keyMissing(reply);
  };
  const letIn = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    checkKey(request, reply);
    if (options.isDraining()) throw shuttingDown();
    options.lives.begin(request, reply);
    done();
  };
  const guarded = { onRequest: letIn };
  const decisions = createDecisionHandler(options);
  const measured = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    decisions.measure(request, reply);
    done();
  };

  app.post("/v1/decisions", { ...guarded, onResponse: measured }, decisions.handle);
  app.get<{ Params: { id: string } }>("/v1/decisions/:id", guarded, async ({ params: { id } }, reply) => {
    const body = await readQueued(id, store, task);
    if (!body) throw new RequestError(404, "decision_not_found", `no request ${id} was queued`, { param: "id" });
    return await reply.code(body.status === "queued" ? 202 : 200).send(body);
  });
  app.get("/v1/models", guarded, async () => listModels(task, router));
  app.get<{ Params: { "*": string } }>("/v1/models/*", guarded, async ({ params }) => {
    requireModel(params["*"], task);
    return listModels(task, router).data[0];
  });
  // Never shed: it is looked at above all when there is too much to do.
  const withKey = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    checkKey(request, reply);
    done();
  };
  app.get("/metrics", { onRequest: withKey }, async (_, reply) => {
    const { contentType, text } = await metrics.expose();
    return await reply.type(contentType).send(text);
  });
}

function keyMissing(reply: FastifyReply): RequestError {
  reply.header("www-authenticate", "Bearer");
  return new RequestError(401, "invalid_api_key", "no valid API key was given", {
    hint: "send Authorization: Bearer KEY, with one of the keys in the server's FLYWHEEL_API_KEYS",
  });
}

const shuttingDown = (): RequestError =>
  new RequestError(503, "shutting_down", "the server is shutting down", { retryable: true, retryAfterMs: 1_000 });

async function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const error = toRequestError(thrown);
  if (error.status >= 500) logFailure(error, request);
  if (error.retryAfterMs !== undefined) {
    reply.header("retry-after", String(Math.ceil(error.retryAfterMs / 1_000)));
    reply.header("retry-after-ms", String(Math.ceil(error.retryAfterMs)));
  }
  await reply.code(error.status).send(errorBody(error));
}

/** What the task's policy has us refuse is no fault: a line of log, and no stack, while a teacher is down for an hour. */
function logFailure(error: RequestError, { log, id: reqId }: FastifyRequest): void {
  const { code, message, cause } = error;
  if (error.retryable && cause === undefined) log.warn({ reqId, code, reason: message }, "request refused");
  else log.error({ reqId, err: cause ?? error, code }, "request failed");
}

function notFound({ method, url }: FastifyRequest): RequestError {
  return new RequestError(404, "not_found", `no such route: ${method} ${url.split("?")[0]}`, {
    hint: "there are POST /v1/decisions, GET /v1/decisions/ID, /v1/models, /healthz, /readyz and /metrics",
  });
}
