/**
 * @file What a message says: a text, or parts as OpenAI, Anthropic, Google, LangChain, the AI SDK and OpenTelemetry write
 * them. Only parts of text are text: the bytes of an image, a thought or the result of a tool never become words.
 */

import { isObject, listAt, textAt } from "./fields.ts";

export type Content = {
  /** Undefined where no part is a text. */
  readonly text?: string | undefined;
  /** Arguments of the tool that was called; of several calls that differ, a JSON object a line. */
  readonly tool?: string | undefined;
  readonly refusal?: string | undefined;
  /** What the first part is that is none of these: "an image (image/png)". */
  readonly foreign?: string | undefined;
};

type Piece = Content | undefined;

export function readContent(content: unknown): Content {
  if (typeof content === "string") return wordsOf(content);
  const parts = Array.isArray(content) ? content : isObject(content) ? [content] : [];
  const pieces = parts.map(readPart);
  const texts = pieces.flatMap((piece) => piece?.text ?? []);
  return {
    ...(texts.length > 0 && { text: texts.join("\n") }),
    tool: oneALine(pieces.flatMap((piece) => piece?.tool ?? [])),
    refusal: pieces.find((piece) => piece?.refusal !== undefined)?.refusal,
    foreign: pieces.find((piece) => piece?.foreign !== undefined)?.foreign,
  };
}

const TEXTS = ["text", "input_text", "output_text"];
const THOUGHTS = ["reasoning", "thinking", "redacted_thinking", "redacted-reasoning", "reasoning_text", "thought"];
const TOOL_CALLS = ["tool_call", "tool_use", "tool-call", "function_call", "custom_tool_call"];

function readPart(part: unknown): Piece {
  if (typeof part === "string") return wordsOf(part);
  if (!isObject(part)) return { foreign: "a part that is no object" };
  const type = textAt(part, "type") ?? "";
  if (THOUGHTS.includes(type) || part["thought"] === true) return undefined;
  const tool = isObject(part["functionCall"] ?? part["function_call"])
    ? argumentsOf(part["functionCall"] ?? part["function_call"])
    : TOOL_CALLS.includes(type)
      ? argumentsOf(part)
      : undefined;
  if (tool !== undefined) return { tool };
  if (type === "refusal") return { refusal: textAt(part, "refusal") ?? "" };
  const text = TEXTS.includes(type) || isBare(part) ? (textAt(part, "text") ?? textAt(part, "content")) : undefined;
  return text === undefined ? { foreign: describe(part, type) } : wordsOf(text);
}

const DATA_ADDRESS = /^\s*data:([a-z]{1,20}\/[\w.+-]{1,80});base64,/i;

/** Bytes that somebody has put where words belong are none. */
function wordsOf(text: string): Content {
  const kind = DATA_ADDRESS.exec(text)?.[1];
  return kind === undefined ? { text } : { foreign: describe({ mimeType: kind }, "") };
}

/** Google's parts of text have no type, and nothing that would give them another. */
const isBare = (part: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(part).every(
    (key) => ["text", "content", "thoughtSignature", "thought_signature"].includes(key) || part[key] === null,
  );

/** What a tool was given, under each name that this has; as JSON. */
export function argumentsOf(call: unknown): string | undefined {
  if (!isObject(call)) return undefined;
  const given = call["arguments"] ?? call["args"] ?? call["input"];
  return given === undefined || given === null ? undefined : asText(given);
}

/** Which of several calls is the answer is not ours to guess: whoever reads them sees all. */
function oneALine(tools: readonly string[]): string | undefined {
  const different = [...new Set(tools)];
  return different.length > 1 ? different.map(compact).join("\n") : different[0];
}

function compact(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json));
  } catch {
    return json.replaceAll("\n", " "); // words, or cut short
  }
}

const asText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

const MEDIA = ["image", "audio", "video", "file", "document"];

function describe(part: Readonly<Record<string, unknown>>, type: string): string {
  const data = [part, part["inlineData"], part["inline_data"], part["source"], part["fileData"]];
  const said = data.flatMap((one) =>
    ["mime_type", "mimeType", "media_type", "mediaType", "modality"].flatMap((name) => textAt(one, name) ?? []),
  );
  const [kind] = said;
  const medium = MEDIA.find((one) => `${type} ${said.join(" ")} ${Object.keys(part).join(" ")}`.includes(one));
  if (medium) return `${/^[aeiou]/.test(medium) ? "an" : "a"} ${medium}${kind ? ` (${kind.slice(0, 40)})` : ""}`;
  return type === "" ? "a part that is no text" : `a part of type "${type.slice(0, 40)}"`;
}

/** Arguments of a tool that stand beside the content, as OpenAI and LangChain have it. */
export function toolBeside(message: unknown): string | undefined {
  const calls = (listAt(message, "tool_calls") ?? listAt(message, "toolCalls") ?? []).filter(isObject);
  if (calls.length > 0)
    return oneALine(calls.flatMap((call) => argumentsOf(call["function"]) ?? argumentsOf(call) ?? []));
  return isObject(message) ? argumentsOf(message["function_call"]) : undefined;
}
