/**
 * @file How long a provider asks to wait. Each has its own way to say so: `Retry-After` (RFC 9110 §10.2.3: seconds or a
 * date), `retry-after-ms` (OpenAI, Azure), rate-limit headers with what remains and when it is reset (OpenAI, Groq,
 * Anthropic, OpenRouter), Google's `RetryInfo` and OpenAI's "try again in 6ms" in the body.
 */

export type ResponseHeaders = Readonly<Record<string, string | undefined>>;

/** What a refusal asks us to wait, ms; undefined where it does not say. */
export function retryAfterMs(headers: ResponseHeaders, body: string, nowMs: number): number | undefined {
  return (
    milliseconds(headers["retry-after-ms"]) ??
    secondsOrDate(headers["retry-after"], nowMs) ??
    fromBody(body) ??
    exhaustedForMs(headers, nowMs) ??
    epoch(headers["x-ratelimit-reset"], nowMs)
  );
}

/** How long the rate limit is used up for, ms, by the headers of any response; undefined where something remains. */
export function exhaustedForMs(headers: ResponseHeaders, nowMs: number): number | undefined {
  const waits = limits.flatMap(({ remaining, reset }) => {
    const left = headers[remaining];
    const isUsedUp = left !== undefined && left.trim() !== "" && Number(left) <= 0;
    const wait = isUsedUp ? (duration(headers[reset]) ?? date(headers[reset], nowMs)) : undefined;
    return wait === undefined ? [] : [wait];
  });
  return waits.length === 0 ? undefined : Math.max(...waits);
}

const limits = ["requests", "tokens", "input-tokens", "output-tokens"].flatMap((what) => [
  { remaining: `x-ratelimit-remaining-${what}`, reset: `x-ratelimit-reset-${what}` },
  { remaining: `anthropic-ratelimit-${what}-remaining`, reset: `anthropic-ratelimit-${what}-reset` },
]);

function milliseconds(text: string | undefined): number | undefined {
  return notNegative(text === undefined || text.trim() === "" ? undefined : Number(text));
}

function secondsOrDate(text: string | undefined, nowMs: number): number | undefined {
  const seconds = milliseconds(text);
  return seconds === undefined ? date(text, nowMs) : seconds * 1000;
}

/** `6m0s`, `1.5s`, `120ms`, `1h2m3s`; a bare number is seconds. */
function duration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = milliseconds(text);
  if (seconds !== undefined) return seconds * 1000;
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/gy)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text.trim()) return undefined;
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * unitMs[unit as keyof typeof unitMs], 0);
}

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** An HTTP date or RFC 3339. A past one means now. */
function date(text: string | undefined, nowMs: number): number | undefined {
  // Date.parse reads almost anything: without a year, "-5" would be one.
  const at = text !== undefined && /\d{4}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** OpenRouter: milliseconds since the epoch. */
function epoch(text: string | undefined, nowMs: number): number | undefined {
  const at = milliseconds(text);
  return at === undefined || at < 1e12 ? undefined : Math.max(0, at - nowMs);
}

function fromBody(body: string): number | undefined {
  const google = /"retryDelay"\s*:\s*"([^"]+)"/.exec(body)?.[1];
  const openAi = /try again in ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)/i.exec(body)?.[1];
  return duration(google ?? openAi);
}

function notNegative(value: number | undefined): number | undefined {
  return value !== undefined && value >= 0 && Number.isFinite(value) ? value : undefined;
}
