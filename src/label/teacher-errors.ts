/**
 * @file From whatever a provider or the network did to one coded `TeacherError`: what went wrong, whether it may be asked
 * again, how long to wait, whether it may have been charged. Never carries the key or the request (whose images would
 * fill a log): only a status and the beginning of what the provider said, with the key blotted out.
 */

import { AISDKError, APICallError, InvalidPromptError, UnsupportedFunctionalityError } from "@ai-sdk/provider";
import { TeacherError } from "../contracts.ts";
import { messageOf } from "../errors.ts";
import { type ResponseHeaders, retryAfterMs } from "./retry-after.ts";

export type FailureContext = {
  /** `provider/model`. */
  readonly model: string;
  /** Blotted out of every message. */
  readonly apiKey: string | undefined;
  /** The environment variable that the key came from. */
  readonly apiKeyEnv: string | undefined;
  readonly nowMs: number;
  /** Counted for an answer that came and does not say what it cost: the most it can have. */
  readonly unknownCostUsd: number;
};

const MAX_MESSAGE_LENGTH = 500;

export function toTeacherError(thrown: unknown, context: FailureContext): TeacherError {
  if (thrown instanceof TeacherError) return thrown;
  const said = scrub(APICallError.isInstance(thrown) ? providerMessage(thrown) : messageOf(thrown), context.apiKey);
  if (!APICallError.isInstance(thrown)) return fromLibrary(said, thrown, context);
  const status = thrown.statusCode;
  if (status === undefined || (status < 400 && thrown.isRetryable)) return neverReached(said, thrown, context);
  const failure = { status, said, body: thrown.responseBody ?? "", headers: thrown.responseHeaders ?? {}, context };
  return status < 400 ? unreadable(failure) : fromStatus(failure);
}

/** Replaces the key wherever a provider or a library repeats it. */
export function scrub(text: string, apiKey: string | undefined): string {
  const clean = apiKey === undefined || apiKey === "" ? text : text.replaceAll(apiKey, "[key]");
  return clean.length > MAX_MESSAGE_LENGTH ? `${clean.slice(0, MAX_MESSAGE_LENGTH)}…` : clean;
}

function providerMessage(error: APICallError): string {
  const isInformative = error.message !== "" && error.message !== "Failed to process error response";
  return isInformative ? error.message : (error.responseBody ?? messageOf(error.cause));
}

type Failure = {
  readonly status: number;
  readonly said: string;
  readonly body: string;
  readonly headers: ResponseHeaders;
  readonly context: FailureContext;
};

function fromStatus(failure: Failure): TeacherError {
  const { status, body } = failure;
  // Google answers a wrong key with 400, OpenAI an empty account with 429: what they say counts for more than the number.
  if (status === 401 || status === 402 || status === 403 || /API_KEY_INVALID|insufficient_quota/.test(body)) {
    return unauthorised(failure);
  }
  if (status === 404 || status === 405) return misconfigured(failure);
  if (status === 429) return rateLimited(failure);
  if (status === 408 || status === 409 || status === 425 || status >= 500) return unavailable(failure);
  if (isPage(body) && !tooLarge.includes(status)) return unreadable(failure);
  if (/content_policy|content_filter|safety/i.test(body)) return refused(failure);
  return badRequest(failure);
}

/** Statuses that a proxy gives by itself and that are about this row all the same. */
const tooLarge: readonly number[] = [413, 414, 431];

/** What a web server writes for people: no provider's API does. */
const isPage = (body: string): boolean => /^\s{0,100}</.test(body);
const isJson = (body: string): boolean => /^\s{0,100}[[{]/.test(body);

/**
 * An answer whose envelope cannot be read, from a proxy perhaps. JSON came from the provider, whole, so it was charged. A
 * redirect and a refusal never reached it; a page under a status that means success may be what was made of its answer.
 */
function unreadable({ status, said, body, context }: Failure): TeacherError {
  const isCharged = status < 300 && isJson(body);
  return returnedUnreadable(
    `${context.model} returned an unreadable response (${status}): ${excerptOf(body, said, context)}`,
    {
      costUsd: isCharged ? context.unknownCostUsd : 0,
      inDoubt: status < 300 && !isCharged,
    },
  );
}

function returnedUnreadable(
  message: string,
  charge: { readonly costUsd: number; readonly inDoubt: boolean },
): TeacherError {
  return new TeacherError("teacher_unreadable", message, {
    ...charge,
    retryable: true,
    hint: "check that teacher.baseUrl speaks the OpenAI protocol, and what stands between: a proxy, a login page",
  });
}

const EXCERPT_LENGTH = 120;

function excerptOf(body: string, said: string, { apiKey }: FailureContext): string {
  const text = scrub(body, apiKey).replaceAll(/\s+/g, " ").trim();
  if (text === "") return said;
  return text.length > EXCERPT_LENGTH ? `${text.slice(0, EXCERPT_LENGTH)}…` : text;
}

function unauthorised({ status, said, context }: Failure): TeacherError {
  const where = context.apiKeyEnv === undefined ? "set teacher.apiKeyEnv" : `check ${context.apiKeyEnv}`;
  return new TeacherError("teacher_unauthorised", `${context.model} refuses the key (${status}): ${said}`, {
    hint: `${where} and the account's credit, then run the same command again: what was labelled is kept`,
  });
}

function misconfigured({ status, said, context }: Failure): TeacherError {
  return new TeacherError(
    "teacher_misconfigured",
    `${context.model}: model or endpoint not found (${status}): ${said}`,
    {
      hint: "check teacher.model and teacher.baseUrl in the task's config",
    },
  );
}

function rateLimited({ said, headers, body, context }: Failure): TeacherError {
  return new TeacherError("teacher_rate_limited", `${context.model}: rate limit exceeded (429): ${said}`, {
    retryable: true,
    retryAfterMs: retryAfterMs(headers, body, context.nowMs),
    hint: "the pace adapts; if it never recovers, the quota is used up or another program shares it",
  });
}

function unavailable({ status, said, headers, body, context }: Failure): TeacherError {
  return new TeacherError("teacher_unavailable", `${context.model} failed (${status}): ${said}`, {
    retryable: true,
    retryAfterMs: retryAfterMs(headers, body, context.nowMs),
    hint: "the provider has a fault; try again later",
  });
}

function refused({ status, said, context }: Failure): TeacherError {
  return new TeacherError("teacher_refused", `${context.model} refuses this row (${status}): ${said}`, {
    hint: "have a person label it: flywheel review export",
  });
}

function badRequest({ status, said, context }: Failure): TeacherError {
  return new TeacherError("teacher_bad_request", `${context.model} rejects the request (${status}): ${said}`, {
    hint: "the provider says above what it cannot read; a person can label the row: flywheel review export",
  });
}

/** The SDK's own errors: it cannot put the question to this model, or cannot read what came back. */
function fromLibrary(said: string, thrown: unknown, context: FailureContext): TeacherError {
  if (UnsupportedFunctionalityError.isInstance(thrown) || InvalidPromptError.isInstance(thrown)) {
    return new TeacherError("teacher_bad_request", `${context.model} cannot be asked this: ${said}`, {
      hint: "choose a model that reads this kind of input",
    });
  }
  if (!AISDKError.isInstance(thrown)) return neverReached(said, thrown, context);
  // It came whole, so it was charged.
  const charge = { costUsd: context.unknownCostUsd, inDoubt: false };
  return returnedUnreadable(`${context.model} returned an unreadable response: ${said}`, charge);
}

/** Codes under which a connection was never made, so that nothing can have been charged. */
const neverConnected = [
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
];

function neverReached(said: string, thrown: unknown, context: FailureContext): TeacherError {
  const isCertain = causesOf(thrown).some((cause) => neverConnected.includes(codeOf(cause) ?? ""));
  return new TeacherError("teacher_unavailable", `${context.model} cannot be reached: ${said}`, {
    retryable: true,
    inDoubt: !isCertain,
    hint: "check the network and teacher.baseUrl",
  });
}

function causesOf(thrown: unknown): readonly unknown[] {
  const causes: unknown[] = [];
  for (let cause = thrown; cause instanceof Error && causes.length < 8; cause = cause.cause) {
    causes.push(cause, ...(cause instanceof AggregateError ? cause.errors : []));
  }
  return causes;
}

function codeOf(thrown: unknown): string | undefined {
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : undefined;
}

export function timedOut(model: string, timeoutMs: number): TeacherError {
  return new TeacherError("teacher_timeout", `${model} did not answer within ${timeoutMs} ms`, {
    retryable: true,
    inDoubt: true,
    hint: "raise teacher.timeoutMs if the model is slow",
  });
}
