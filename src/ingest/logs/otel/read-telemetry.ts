/** @file The calls in telemetry, span by span and event by event; and what the spans are that are none. */

import { textAt } from "../fields.ts";
import type { LoggedCall, LogRecord, ReadCalls } from "../logged-call.ts";
import { dialects, genAi, genAiFacts, orError, type Words } from "./dialects.ts";
import { createEventReader, isMessageEvent, readMessageEvents } from "./events.ts";
import { type Span, type SpanEvent, telemetryIn } from "./span.ts";
import { createSpanTree } from "./span-tree.ts";

/** Remembers what it has read: for one reading of one log, from its start. */
export function createTelemetryReader(): (record: LogRecord) => ReadCalls {
  const tree = createSpanTree();
  const events = createEventReader();

  const readSpan = (span: Span): LoggedCall | string => {
    const refused = dialects.map((dialect) => dialect.refuse(span)).find((why) => why !== undefined);
    const call = refused === undefined ? callIn(span) : undefined;
    if (tree.isNew(span, call !== undefined)) return call!;
    return refused ?? (call ? REPEATED : wordless(span));
  };

  const readEvent = (event: SpanEvent): LoggedCall | string | undefined => {
    if (isMessageEvent(event)) return events.read(event);
    const span = { ...event, parent: undefined, events: [], latencyMs: 0 };
    const refused = genAi.refuse(span);
    const words = refused === undefined ? genAi.read(span) : undefined;
    if (!words) return refused ?? `log records ${carrying(event.attributes)}`;
    return tree.isNew(span, true)
      ? toCall(words, { ...span, error: textAt(event.attributes, "error.type") })
      : REPEATED;
  };

  return (record) => {
    const telemetry = telemetryIn(record);
    const read = [...telemetry.spans.map(readSpan), ...telemetry.events.map(readEvent)];
    return {
      calls: read.filter((one) => typeof one === "object"),
      other: read.filter((one) => typeof one === "string"),
    };
  };
}

const REPEATED = "spans repeat a call that a span in or around them holds";

function callIn(span: Span): LoggedCall | undefined {
  for (const { read } of dialects) {
    const words = read(span);
    if (words) return toCall(words, span);
  }
  const said = readMessageEvents(span.events.filter(isMessageEvent));
  return said && toCall({ ...said, ...genAiFacts(span.attributes) }, span);
}

function toCall(
  { answer, ...words }: Words,
  { error, latencyMs, at }: Pick<Span, "error" | "latencyMs" | "at">,
): LoggedCall {
  return { ...words, answer: orError(answer, error), latencyMs, at };
}

/** What a span carries instead of words. */
function wordless({ attributes }: Span): string {
  const isModels = ["gen_ai.request.model", "llm.model_name", "ai.model.id"].some((name) => name in attributes);
  return isModels
    ? "spans of a model's call do not hold what was asked: recording of content was off, or left out an image"
    : `spans ${carrying(attributes)}`;
}

/** The attribute with most to say, its numbers aside. */
function carrying(attributes: LogRecord): string {
  const texts = Object.entries(attributes).map(
    ([name, value]) => [name, typeof value === "string" ? value.length : 0] as const,
  );
  const [most] = texts.toSorted((a, b) => b[1] - a[1]);
  if (!most) return "carry no attributes";
  return `carry \`${most[0].slice(0, 60).replace(/\d+/g, "N")}\`, which this version does not read`;
}
