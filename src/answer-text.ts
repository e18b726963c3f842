/**
 * @file The words of an answer without what models and applications wrap them in: thoughts, code fences, words around one JSON
 * object, emphasis, the name of what is answered. It knows no labels. Logs and teachers are untrusted: everything here takes
 * time in proportion to the length of the answer.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

/** A part of an answer that says what it is: `Label: billing`, `<answer>billing</answer>`. */
export type NamedPart = { readonly name: string; readonly value: string };

export type AnswerText = {
  /** Without thoughts and fence: the answer as such. */
  readonly words: string;
  /** The one JSON object, alone or among words; absent where there is none, or two that differ. */
  readonly json?: JsonObject;
  /** Whether the object is all that the answer holds. */
  readonly isJson: boolean;
  /** Lines and tags that are named. */
  readonly named: readonly NamedPart[];
};

export function openAnswer(text: string): AnswerText {
  const whole = parsed(withoutFence(text.trim()));
  if (isObject(whole)) return { words: text.trim(), json: whole, isJson: true, named: [] };
  const words = withoutFence(withoutThoughts(text).trim());
  const value = parsed(words);
  if (isObject(value)) return { words, json: value, isJson: true, named: [] };
  if (typeof value === "string") return { words: value, isJson: false, named: [] };
  const json = soleObjectIn(words);
  const named = [...linesNamedIn(words), ...tagsIn(words)];
  return { words, ...(json && { json }), isJson: false, named: named.length > 0 ? named : fencesIn(words) };
}

/** The words themselves, and without the quotes or the emphasis around them. */
export function spellingsOf(words: string): readonly string[] {
  const bare = withoutMarks(words);
  return bare === words || bare === "" ? [words] : [words, bare];
}

// ── thoughts ────────────────────────────────────────────────────────────────────────────────────────────────────────

const THOUGHT_TAG = /<(\/?)(think|thinking|thoughts?|reasoning|scratchpad|analysis)>|\[(\/?)(THINK)\]/gi;
const FINAL_CHANNEL = "<|channel|>final<|message|>";

/** What reasoning models think aloud is no answer: closed, never opened (the prompt opened it) or never closed (cut short). */
export function withoutThoughts(text: string): string {
  const spoken = afterFinalChannel(text);
  const kept: string[] = [];
  let thought: string | undefined;
  let from = 0;
  for (const { 0: tag, 1: slash, 2: name, 3: bracketSlash, index } of spoken.matchAll(THOUGHT_TAG)) {
    const isEnd = (slash ?? bracketSlash) === "/";
    const kind = (name ?? "[").toLowerCase();
    if (thought !== undefined && !(isEnd && kind === thought)) continue;
    if (thought === undefined && isEnd) kept.length = 0;
    else if (thought === undefined) kept.push(spoken.slice(from, index));
    thought = isEnd ? undefined : kind;
    from = index + tag.length;
  }
  return thought === undefined ? kept.join("") + spoken.slice(from) : kept.join("");
}

/** Servers that do not read gpt-oss's channels pass them on as words. */
function afterFinalChannel(text: string): string {
  const start = text.lastIndexOf(FINAL_CHANNEL);
  if (start < 0) return text;
  const end = text.indexOf("<|", start + FINAL_CHANNEL.length);
  return text.slice(start + FINAL_CHANNEL.length, end < 0 ? undefined : end);
}

// ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const FENCE = "```";

/** The inside of the one code fence that holds the whole answer. */
function withoutFence(text: string): string {
  const [before, inside, after, ...more] = text.split(FENCE, 4);
  return before === "" && inside !== undefined && after === "" && more.length === 0 ? fenced(inside) : text;
}

/** The inside of the one code fence among words. */
function fencesIn(text: string): readonly NamedPart[] {
  const [, inside, after, ...more] = text.split(FENCE, 4);
  return inside === undefined || after === undefined || more.length > 0
    ? []
    : [{ name: "answer", value: fenced(inside) }];
}

/** The first line of a fence names a language. */
function fenced(inside: string): string {
  const line = inside.indexOf("\n");
  const isTitled = line >= 0 && /^[\w+-]{1,20}$/.test(inside.slice(0, line).trim());
  const content = isTitled ? inside.slice(line + 1).trim() : "";
  return content || (inside.startsWith("json") ? inside.slice("json".length) : inside).trim();
}

function parsed(text: string): unknown {
  if (!text.startsWith("{") && !text.startsWith('"')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function soleObjectIn(text: string): JsonObject | undefined {
  const found = new Map(objectsIn(text).map((object) => [JSON.stringify(object), object]));
  return found.size === 1 ? found.values().next().value : undefined;
}

/** The outermost ones. Each character is looked at once, and belongs to one object at most that is then parsed. */
function objectsIn(text: string): readonly JsonObject[] {
  const spans = spansIn(text);
  if (spans.length === 0 && text.includes("{"))
    spans.push(text.slice(text.lastIndexOf("{"), text.lastIndexOf("}") + 1));
  return spans
    .map(parsed)
    .filter(isObject)
    .filter((object) => Object.keys(object).length > 0);
}

function spansIn(text: string): string[] {
  const spans: string[] = [];
  let [depth, start, isQuoted] = [0, 0, false];
  for (let index = text.indexOf("{"); index >= 0 && index < text.length; index++) {
    const character = text[index];
    if (isQuoted) {
      if (character === "\\") index++;
      else if (character === '"') isQuoted = false;
    } else if (character === '"') isQuoted = depth > 0;
    else if (character === "{" && depth++ === 0) start = index;
    else if (character === "}" && depth > 0 && --depth === 0) spans.push(text.slice(start, index + 1));
  }
  return spans;
}

/** The lines of a text that is nothing but JSON objects, one a line; none where it is one object or anything else. */
export function objectLines(text: string): readonly string[] {
  const lines = text.trim().split("\n");
  return lines.length > 1 && lines.every((line) => isObject(parsed(line))) ? lines : [];
}

// ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A longer one is a sentence with a colon in it. */
const MAX_NAME = 64;
const LIST_MARKS = "-•#>\t ";
const EMPHASIS = "*_`";

function linesNamedIn(text: string): readonly NamedPart[] {
  return text.split("\n").flatMap((line) => {
    const colon = line.indexOf(":");
    if (colon < 1 || colon > MAX_NAME) return [];
    const [name, mark] = withoutLeading(withoutLeading(line.slice(0, colon), LIST_MARKS)[0], EMPHASIS);
    const value = withoutMarks(withoutHalf(line.slice(colon + 1).trim(), mark));
    return name === "" || value === "" ? [] : [{ name: withoutHalf(name.trim(), mark), value }];
  });
}

/** What is left, and what was taken away. */
function withoutLeading(text: string, marks: string): readonly [string, string] {
  let start = 0;
  while (start < text.length && marks.includes(text[start]!)) start++;
  return [text.slice(start), text.slice(0, start)];
}

/** Emphasis that begins before the name ends behind it, behind the colon or behind the value. */
function withoutHalf(text: string, mark: string): string {
  if (mark === "") return text;
  if (text.endsWith(mark)) return text.slice(0, -mark.length);
  return text.startsWith(mark) ? text.slice(mark.length) : text;
}

const TAG = /<([A-Za-z][\w-]{0,63})>([^<>]*)<\/([A-Za-z][\w-]{0,63})>/g;

function tagsIn(text: string): readonly NamedPart[] {
  return [...text.matchAll(TAG)].flatMap(([, name = "", value = "", end]) =>
    name === end ? [{ name, value: withoutMarks(value) }] : [],
  );
}

const PAIRS: Readonly<Record<string, string>> = { "*": "*", _: "_", "`": "`", '"': '"', "'": "'", "“": "”", "«": "»" };

/** The stop behind words, and quotes and emphasis around them: in pairs alone, for `A*` and `C#` are not `A` and `C`. */
function withoutMarks(text: string): string {
  let [start, end] = [0, text.length];
  const trim = () => {
    while (start < end && isBlank(text[start]!)) start++;
    while (end > start && (isBlank(text[end - 1]!) || text[end - 1] === ".")) end--;
  };
  for (trim(); end - start > 1 && PAIRS[text[start]!] === text[end - 1]; trim()) {
    start++;
    end--;
  }
  return text.slice(start, end);
}

const isBlank = (character: string): boolean =>
  character === " " || character === "\t" || character === "\n" || character === "\r";
