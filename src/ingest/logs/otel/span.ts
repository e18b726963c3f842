/**
 * @file Spans and log records of OpenTelemetry, as whoever wrote them down has them: OTLP as JSON (an export request a line,
 * or a span), and the objects that the console exporters of Python and JavaScript print.
 */

import { dateOf, isObject, listAt, numberAt, objectAt, textAt } from "../fields.ts";
import type { LogRecord } from "../logged-call.ts";

export type Span = {
  readonly name: string;
  /** With the trace's: `trace/span`. Absent where the log does not say. */
  readonly id?: string | undefined;
  readonly parent?: string | undefined;
  readonly attributes: LogRecord;
  readonly events: readonly SpanEvent[];
  readonly latencyMs: number;
  readonly at?: number | undefined;
  readonly error?: string | undefined;
};

/** An event of a span, or a log record that belongs to one. */
export type SpanEvent = {
  readonly name: string;
  readonly attributes: LogRecord;
  readonly body: unknown;
  /** Of its span. */
  readonly id?: string | undefined;
  readonly at?: number | undefined;
};

export type Telemetry = { readonly spans: readonly Span[]; readonly events: readonly SpanEvent[] };

const TELEMETRY = /^(?:gen_ai|llm|ai|langfuse|openinference|traceloop|input|output)\./;

export function isTelemetry(record: LogRecord): boolean {
  if (listAt(record, "resourceSpans") ?? listAt(record, "resourceLogs")) return true;
  const names = [...Object.keys(attributesOf(record)), textAt(record, "eventName") ?? ""];
  return names.some((name) => TELEMETRY.test(name)) || isConsoleSpan(record);
}

const isConsoleSpan = (record: LogRecord): boolean =>
  isObject(record["attributes"]) && (textAt(record, "context", "span_id") ?? textAt(record, "traceId")) !== undefined;

export function telemetryIn(record: LogRecord): Telemetry {
  const [spans, logs] = [listAt(record, "resourceSpans"), listAt(record, "resourceLogs")];
  if (spans ?? logs)
    return {
      spans: below(spans ?? [], "scopeSpans", "spans").map(toSpan),
      events: below(logs ?? [], "scopeLogs", "logRecords").map(toEvent),
    };
  return isLogRecord(record) ? { spans: [], events: [toEvent(record)] } : { spans: [toSpan(record)], events: [] };
}

const isLogRecord = (record: LogRecord): boolean =>
  "body" in record || "eventName" in record || "event_name" in record || "severityNumber" in record;

function below(resources: readonly unknown[], scopes: string, items: string): readonly unknown[] {
  return resources.flatMap((resource) => listAt(resource, scopes) ?? []).flatMap((scope) => listAt(scope, items) ?? []);
}

function toSpan(span: unknown): Span {
  const trace = traceOf(span);
  const own = textAt(span, "spanId") ?? textAt(span, "context", "span_id") ?? textAt(span, "id");
  const parent =
    textAt(span, "parentSpanId") ??
    textAt(span, "parent_id") ??
    textAt(span, "parentSpanContext", "spanId") ??
    textAt(span, "parentId");
  const events = (listAt(span, "events") ?? []).map(toEvent);
  return {
    name: textAt(span, "name") ?? "",
    id: idOf(trace, own),
    parent: idOf(trace, parent),
    attributes: attributesOf(span),
    events,
    ...timesOf(span),
    error: errorIn(span, events),
  };
}

const traceOf = (value: unknown): string =>
  textAt(value, "traceId") ?? textAt(value, "context", "trace_id") ?? textAt(value, "trace_id") ?? "";

/** Python writes `0x` before what is the same number. */
function idOf(trace: string, span: string | undefined): string | undefined {
  const [whole, own] = [trace, span ?? ""].map((id) => id.replace(/^0x/, "").toLowerCase());
  return own ? `${whole}/${own}` : undefined;
}

function toEvent(event: unknown): SpanEvent {
  const attributes = attributesOf(event);
  const body = isObject(event) ? event["body"] : undefined;
  const names = ["eventName", "event_name", "name"].map((name) => textAt(event, name));
  return {
    name: names.find((name) => name) ?? textAt(attributes, "event.name") ?? "",
    attributes,
    body: isTyped(body) ? plain(body) : body,
    id: idOf(traceOf(event), textAt(event, "spanId") ?? textAt(event, "span_id")),
    at:
      nanoseconds(event, "timeUnixNano") ??
      nanoseconds(event, "observedTimeUnixNano") ??
      dateOf([textAt(event, "timestamp")]),
  };
}

/** As a map, or as OTLP's list of keys with typed values. */
export function attributesOf(span: unknown): LogRecord {
  const list = listAt(span, "attributes");
  return list ? pairsOf(list) : (objectAt(span, "attributes") ?? {});
}

const pairsOf = (list: readonly unknown[]): LogRecord =>
  Object.fromEntries(list.map((one) => [textAt(one, "key") ?? "", plain(objectAt(one, "value"))]));

const SCALARS = ["stringValue", "intValue", "doubleValue", "boolValue"];

const isTyped = (value: unknown): boolean =>
  isObject(value) && [...SCALARS, "arrayValue", "kvlistValue"].some((name) => name in value);

function plain(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (isObject(value["arrayValue"])) return (listAt(value, "arrayValue", "values") ?? []).map(plain);
  if (isObject(value["kvlistValue"])) return pairsOf(listAt(value, "kvlistValue", "values") ?? []);
  return SCALARS.map((name) => value[name]).find((scalar) => scalar !== undefined);
}

const nanoseconds = (value: unknown, name: string): number | undefined => {
  const found = numberAt(value, name);
  return found === undefined || found === 0 ? undefined : Math.round(found / 1e6);
};

/** OTLP's nanoseconds, Python's dates, JavaScript's microseconds. */
function timesOf(span: unknown): Pick<Span, "latencyMs" | "at"> {
  const [start, end] = [numberAt(span, "startTimeUnixNano"), numberAt(span, "endTimeUnixNano")];
  if (start !== undefined && end !== undefined) return between(start / 1e6, end / 1e6);
  const [begun, ended] = ["start_time", "end_time"].map((name) => dateOf([textAt(span, name)]));
  if (begun !== undefined && ended !== undefined) return between(begun, ended);
  const [stamp, duration] = [numberAt(span, "timestamp"), numberAt(span, "duration")];
  return stamp === undefined || duration === undefined
    ? { latencyMs: 0 }
    : between(stamp / 1e3, (stamp + duration) / 1e3);
}

const between = (start: number, end: number): Pick<Span, "latencyMs" | "at"> => ({
  latencyMs: Math.max(0, Math.round(end - start)),
  at: Math.round(end),
});

function errorIn(span: unknown, events: readonly SpanEvent[]): string | undefined {
  const thrown = events.map(({ attributes }) => textAt(attributes, "exception.message")).find((text) => text);
  const status = textAt(span, "status", "message") ?? textAt(span, "status", "description");
  const type = attributesOf(span)["error.type"];
  const said = thrown || status || (typeof type === "string" ? type : undefined);
  return said?.split("\n", 1)[0]?.slice(0, 200);
}
