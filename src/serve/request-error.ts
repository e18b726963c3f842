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

/** Whatever was thrown, as the error that the caller is shown. What is a fault of ours shows no detail. */
export function toRequestError(thrown: unknown): RequestError {
  if (thrown instanceof RequestError) return thrown;
  if (FlywheelError.isInstance(thrown)) return fromFlywheel(thrown);
  if (!(thrown instanceof Error)) return unexpected(thrown);
  if ("code" in thrown && thrown.code === "FST_ERR_HANDLER_TIMEOUT") return fromFlywheel(deadlineExceeded(thrown));
  const status = clientFault(thrown);
  return status === undefined ? unexpected(thrown) : fromFastify(status, thrown);
}

function unexpected(thrown: unknown): RequestError {
  return new RequestError(500, "internal_error", "the server failed; its log says why", { cause: thrown });
}

/** Ours by code: what lasts a moment may be tried again, a deadline is a gateway's, the rest is a fault. */
function fromFlywheel(error: FlywheelError): RequestError {
  const { code, message, hint, retryable } = error;
  const status = code === "deadline_exceeded" ? 504 : retryable ? 503 : 500;
  return new RequestError(status, code, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(retryable ? { retryable, retryAfterMs: 1_000 } : {}),
    cause: error,
  });
}

/** Fastify's own: a body too large or not JSON, an unknown content type, a handler that outlasts every deadline. */
function fromFastify(status: number, error: Error): RequestError {
  const code = status === 413 ? "request_too_large" : status === 415 ? "unsupported_media_type" : "invalid_request";
  return new RequestError(status, code, error.message, { cause: error });
}

function clientFault(error: Error): number | undefined {
  const status = "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" && status >= 400 && status < 500 ? status : undefined;
}

function deadlineExceeded(cause: Error): FlywheelError {
  return new FlywheelError("deadline_exceeded", "no answer within the server's time for a request", {
    hint: "try again; if it lasts, look at /readyz",
    retryable: true,
    cause,
  });
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
