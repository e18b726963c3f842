/** @file Errors on the wire, in OpenAI's shape, so that the official client raises its own class for each. */

import { FlywheelError, type FlywheelErrorOptions } from "../errors.ts";

export type ErrorBody = {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
};

/** A request that cannot be answered, with its status and the field at fault. */
export class RequestError extends FlywheelError {
  readonly status: number;
  /** `questions[0].choices`; undefined where no field is at fault. */
  readonly param: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    options: FlywheelErrorOptions & { readonly param?: string; readonly retryAfterMs?: number } = {},
  ) {
    super(code, message, options);
    this.name = "RequestError";
    this.status = status;
    this.param = options.param;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whatever was thrown, as the error that the caller is shown: what went wrong, never where in this machine. */
export function toRequestError(thrown: unknown): RequestError {
  if (thrown instanceof RequestError) return thrown;
  if (FlywheelError.isInstance(thrown)) return fromFlywheel(thrown);
  if (!(thrown instanceof Error)) return unexpected(thrown);
  const status = clientFault(thrown);
  return status === undefined ? unexpected(thrown) : fromFastify(status, thrown);
}

function unexpected(thrown: unknown): RequestError {
  return new RequestError(500, "internal_error", FAULT, { cause: thrown });
}

/** Ours by code: what lasts a moment may be tried again, the rest is a fault. Messages may name files, so they are not passed on. */
function fromFlywheel(error: FlywheelError): RequestError {
  const { code, retryable } = error;
  // A disk that is full, failing or read-only is no fault of the request, and may be well when it comes again.
  const status = retryable || ["store_read_only", "store_io_failed"].includes(code) ? 503 : 500;
  return new RequestError(status, code, publicMessages[code] ?? FAULT, {
    ...(status === 503 ? { retryable: true, retryAfterMs: retryable ? 1_000 : 10_000 } : {}),
    cause: error,
  });
}

const FAULT = "the server failed; its log says why";
const UNWRITABLE = "the decision was not recorded: the store cannot be written";

const publicMessages: Readonly<Record<string, string>> = {
  deadline_exceeded: "no answer within the server's time for a request",
  shutting_down: "the server is shutting down",
  store_locked: "the decision was not recorded: another process keeps the store locked",
  store_full: "the decision was not recorded: the store's disk is full",
  store_read_only: UNWRITABLE,
  store_io_failed: UNWRITABLE,
  store_corrupt: UNWRITABLE,
  store_closed: UNWRITABLE,
  store_not_a_folder: UNWRITABLE,
};

/** What a caller may be told of a FlywheelError: nothing that names a file, a host or a key. */
export const publicMessage = ({ code }: FlywheelError): string => publicMessages[code] ?? code;

/** Fastify's own: a body too large or not JSON, an unknown content type, a path that cannot be read. */
function fromFastify(status: number, error: Error): RequestError {
  const code = status === 413 ? "request_too_large" : status === 415 ? "unsupported_media_type" : "invalid_request";
  return new RequestError(status, code, error.message, { cause: error });
}

function clientFault(error: Error): number | undefined {
  const status = "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" && status >= 400 && status < 500 ? status : undefined;
}

export function errorBody({ message, hint, status, param, code }: RequestError): ErrorBody {
  const shown = hint === undefined ? message : `${message}. ${hint[0]?.toUpperCase()}${hint.slice(1)}.`;
  return { error: { message: shown, type: errorType(status), param: param ?? null, code } };
}

function errorType(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}
