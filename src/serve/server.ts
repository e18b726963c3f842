/**
 * @file Starts and stops the server: composes the router with a task's student, teacher and store, opens the door, watches
 * the certificate, and drains on the way out.
 */

import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import { pino } from "pino";
import { calibrateRow } from "../calibrate/calibrator.ts";
import { systemClock } from "../clock.ts";
import type { Clock, Student, Teacher } from "../contracts.ts";
import { dropOldDecisions } from "../improve/retention.ts";
import { loadTeacherInput } from "../label/teacher-input.ts";
import type { Seed } from "../math/random.ts";
import { aborted, startDeadline } from "../route/deadline.ts";
import { type FieldLine, isInputFault } from "../route/decide.ts";
import { createRouter, type Router, type RouterEvents, type RouterTimes } from "../route/router.ts";
import { SUSPECT_ROWS } from "../route/suspicion.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { loadStudent as loadTrainedStudent } from "../train/load-student.ts";
import { type AdmissionLimits, createAdmission } from "./admission.ts";
import { requireKeysBeyondLoopback } from "./api-keys.ts";
import { createApp, type RequestIdOf } from "./app.ts";
import { toListenError } from "./listen-error.ts";
import { createMetrics } from "./metrics.ts";
import { enforceMonitor, type MonitorReading } from "./monitor.ts";
import { createRequestLives } from "./request-life.ts";

export type ServerOptions = RouterTimes &
  AdmissionLimits & {
    readonly task: AnyTask;
    /** Stays open when the server closes. */
    readonly store: Store;
    /** Absent: what the student may not answer is handled as while the teacher is down. */
    readonly teacher?: Teacher | undefined;
    /** From a model's folder; what training wrote, by default. */
    readonly loadStudent?: ((folder: string) => Promise<Student>) | undefined;
    /** 127.0.0.1 by default; any other but loopback needs keys. */
    readonly host?: string | undefined;
    /** 8700 by default; 0 for a free one. */
    readonly port?: number | undefined;
    /** Keys that open the door: `apiKeysFrom(process.env)`. None: it is open to everybody who reaches it. */
    readonly apiKeys?: readonly string[] | undefined;
    /** Hosts from which an image may be fetched: `imageHostsFrom(process.env)`. None by default. */
    readonly imageHosts?: readonly string[] | undefined;
    /** Of a request. By default 20 MiB, image included, of a task that reads images; else 1 MiB. */
    readonly bodyLimitBytes?: number | undefined;
    /** Beyond these a connection is closed at once. 4,096 by default. */
    readonly maxConnections?: number | undefined;
    /** Of the audit draws; the same on every replica. */
    readonly seed?: Seed | undefined;
    /** How often the certificate is looked at. 30 s by default. */
    readonly monitorPollMs?: number | undefined;
    /** How often decisions older than the task keeps are dropped. Every hour by default. */
    readonly retentionPollMs?: number | undefined;
    /** How long requests, audits and their answers may take to finish once the server closes. 30 s by default. */
    readonly drainTimeoutMs?: number | undefined;
    /** Troubles on standard error by default; at level `info`, a line for every decision. */
    readonly log?: FastifyBaseLogger | undefined;
    readonly clock?: Clock | undefined;
    /** Random by default. Only where all callers are ourselves (a demonstration that repeats) may it be anything else. */
    readonly requestIdOf?: RequestIdOf | undefined;
    /** Closes the server, as `close()`. */
    readonly signal?: AbortSignal | undefined;
  };

export type Server = AsyncDisposable & {
  /** `http://127.0.0.1:8700`; the OpenAI client's base URL is this with `/v1`. */
  readonly url: string;
  /** Follows the store at once: a promotion, a rollback, a void. */
  reload(): Promise<void>;
  /** Looks at the certificate of every field at once, and voids those that alarm. @returns the first field's reading */
  checkMonitor(): Promise<MonitorReading | undefined>;
  /** Asks the teacher about what it owes at once. */
  workOffBacklog(): Promise<void>;
  /** Lets requests and audits under way finish, then lets go of the student. Calling it again waits for the same. */
  close(): Promise<void>;
  /** Resolves when the server has closed, for whatever reason. */
  readonly closed: Promise<void>;
};

const DEFAULT_PORT = 8700;
const IMAGE_BODY_LIMIT_BYTES = 20 * 2 ** 20;
/** Of a text or a record: a page holds five kilobytes. To take a larger body apart would hold up everybody else. */
const BODY_LIMIT_BYTES = 2 ** 20;
const DEFAULT_DEADLINE_MS = 30_000;
const DEFAULT_MAX_CONNECTIONS = 4_096;

/**
 * @throws FlywheelError `api_keys_required`, `port_in_use`, `port_forbidden`, `host_unavailable`
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { host = "127.0.0.1", port = DEFAULT_PORT, apiKeys = [] } = options;
  requireKeysBeyondLoopback(host, apiKeys);
  const running = await compose({ ...options, apiKeys });
  try {
    await running.app.listen({ host, port });
  } catch (thrown) {
    await running.close();
    throw toListenError(thrown, `${host}:${port}`);
  }
  return toServer(running, options);
}

type Running = {
  readonly app: FastifyInstance;
  readonly router: Router;
  checkMonitor(): Promise<MonitorReading | undefined>;
  close(): Promise<void>;
};

async function compose(options: ServerOptions & { readonly apiKeys: readonly string[] }): Promise<Running> {
  const { teacher, imageHosts = [], clock = systemClock, log = openLog() } = options;
  const router = await openRouter(options, clock, log);
  const stop = new AbortController();
  const { deadlineMs = DEFAULT_DEADLINE_MS } = options;
  const metrics = createMetrics({ ...options, router, clock });
  const admission = createAdmission({ ...options, keys: options.apiKeys.length, onShed: metrics.countShed });
  const app = createApp({
    ...options,
    teacher,
    router,
    log,
    metrics,
    images: { imageHosts, maxImageBytes: bodyLimitOf(options) },
    bodyLimitBytes: bodyLimitOf(options),
    deadlineMs,
    maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    lives: createRequestLives({ deadlineMs, bodyLimitBytes: bodyLimitOf(options), admission }),
    isDraining: () => stop.signal.aborted,
  });

  const checkField = async ({ name, store: own, students }: FieldLine): Promise<MonitorReading | undefined> => {
    const { pair, barrier } = students.serving;
    if (!pair || barrier) return undefined;
    const reading = await enforceMonitor(own, pair.policy, clock.now());
    if (reading?.verdict.kind !== "alarm") return reading;
    const field = name === "" ? {} : { field: name };
    log.warn({ ...field, policyId: pair.policy.id, why: reading.verdict.why }, "the monitor voided the policy");
    await students.reload();
    return reading;
  };
  const checkMonitor = async (): Promise<MonitorReading | undefined> => {
    const readings: (MonitorReading | undefined)[] = [];
    for (const field of router.fields) readings.push(await checkField(field));
    return readings[0];
  };
  const monitoring = repeat(checkMonitor, { clock, log, everyMs: options.monitorPollMs ?? 30_000 }, stop.signal);
  const dropOld = async (): Promise<void> => {
    for (const field of router.fields) await dropOldDecisions(field.store, options.task, clock.now());
  };
  const dropping = repeat(dropOld, { clock, log, everyMs: options.retentionPollMs ?? 3_600_000 }, stop.signal);

  const shutDown = async (): Promise<void> => {
    stop.abort();
    using drain = startDeadline(clock, options.drainTimeoutMs ?? 30_000);
    const closing = app.close();
    await Promise.race([closing, aborted(drain.signal)]);
    app.server.closeAllConnections();
    await closing;
    await router.close(drain.signal);
    await Promise.all([monitoring, dropping]);
  };
  let closed: Promise<void> | undefined;
  return { app, router, checkMonitor, close: () => (closed ??= shutDown()) };
}

/** To standard error: standard output belongs to whoever started the server. */
function openLog(): FastifyBaseLogger {
  return pino({ level: "warn" }, pino.destination(2));
}

function bodyLimitOf({ task, bodyLimitBytes }: ServerOptions): number {
  return bodyLimitBytes ?? (task.input === "image" ? IMAGE_BODY_LIMIT_BYTES : BODY_LIMIT_BYTES);
}

function openRouter(options: ServerOptions, clock: Clock, log: FastifyBaseLogger): Promise<Router> {
  const { task, store, seed = 0, deadlineMs = DEFAULT_DEADLINE_MS } = options;
  const threads = task.student.threads ?? availableParallelism();
  const { loadStudent = (folder: string) => loadTrainedStudent(folder, { threads }) } = options;
  return createRouter({
    ...options,
    clock,
    seed,
    deadlineMs,
    loadStudent: ({ modelId }) => loadStudent(store.models.folder(modelId)),
    calibrate: calibrateRow,
    loadTeacherInput: (row) => loadTeacherInput(store, row),
    events: logEvents(log),
  });
}

function logEvents(log: FastifyBaseLogger): RouterEvents {
  return {
    onServingSwapped: ({ pair, barrier }, field) =>
      log.info({ field, version: pair?.champion.version, modelId: pair?.champion.modelId, barrier }, "serving"),
    onServingTrouble: (err) => log.error({ err }, "the champion cannot be followed"),
    onStudentFailed: (err) => logStudentFailure(log, err),
    onTeacherFailed: ({ code, message }) => log.warn({ code, reason: message }, "the teacher failed"),
    onTeacherSuspect: (examples) =>
      log.warn({ examples }, `the teacher answers nothing of use: ${SUSPECT_ROWS} rows in a row`),
    onTeacherCleared: () => log.warn("the teacher answers again"),
    onBudgetSpent: (state) =>
      log.warn(state, "the budget is spent: no question reaches the teacher until budgetUsd is raised"),
    onBudgetRestored: () => log.warn("the budget allows questions again"),
    onBacklogTrouble: (err) => log.error({ err }, "the backlog cannot be worked off"),
  };
}

/** A cell of another type is the caller's to fix, who is told in a header: a line of log, and no stack. */
function logStudentFailure(log: FastifyBaseLogger, err: unknown): void {
  if (isInputFault(err)) log.warn({ code: err.code, reason: err.message }, "the student cannot read this input");
  else log.error({ err }, "the student failed");
}

type Repeated = { readonly clock: Clock; readonly log: FastifyBaseLogger; readonly everyMs: number };

async function repeat(
  job: () => Promise<unknown>,
  { clock, log, everyMs }: Repeated,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    // Rejected by the signal alone, which ends the loop.
    await clock.sleep(everyMs, stop).catch(() => undefined);
    if (!stop.aborted) await job().catch((err: unknown) => log.error({ err }, "the store cannot be read"));
  }
}

function toServer({ app, router, checkMonitor, close }: Running, { signal }: ServerOptions): Server {
  const closed = Promise.withResolvers<void>();
  const closeOnce = async (): Promise<void> => {
    await close();
    closed.resolve();
  };
  if (signal) void aborted(signal).then(closeOnce).catch(closed.reject);
  return {
    url: urlOf(app.server.address()),
    reload: () => router.reload(),
    checkMonitor,
    workOffBacklog: () => router.backlog.round(),
    close: closeOnce,
    closed: closed.promise,
    [Symbol.asyncDispose]: closeOnce,
  };
}

function urlOf(address: string | AddressInfo | null): string {
  if (address === null || typeof address === "string") return String(address);
  const { family, address: host, port } = address;
  return `http://${family === "IPv6" ? `[${host}]` : host}:${port}`;
}
