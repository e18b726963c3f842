/**
 * @file The values of a JSON file as bytes, not yet read: the elements of one list, or values one after another. Quotes and
 * brackets alone tell where one ends, so that a value that is no JSON is one value still, and the next begins behind it.
 */

import { FlywheelError } from "../../errors.ts";
import { openBytes } from "./bytes.ts";

/** Both from 1; the column in bytes. */
export type JsonPlace = { readonly line: number; readonly column: number };

export type JsonValue = {
  /** Where it begins. */
  readonly place: JsonPlace;
  /** Undefined where there are more than `maxBytes`. */
  readonly bytes: Buffer | undefined;
};

export type JsonFile = { readonly path: string; readonly source: string; readonly maxBytes: number };

/**
 * In memory for one value of at most `maxBytes`.
 * @throws FlywheelError `table_malformed` with line and column where the file is neither, or breaks off
 */
export async function* jsonValues({ path, source, maxBytes }: JsonFile): AsyncGenerator<JsonValue> {
  const splitter = createSplitter(source);
  const value = createCollector(maxBytes);
  for await (const chunk of openBytes(path)) {
    for (let index = 0; index < chunk.length; index++) {
      const step = splitter.step(chunk[index]!);
      if (step === "begins") value.begin(index, splitter.place());
      else if (step !== undefined) yield value.take(chunk, step === "ends" ? index + 1 : index, splitter.place());
    }
    value.keep(chunk);
  }
  if (splitter.finish(value.place())) yield value.take(Buffer.alloc(0), 0, splitter.place());
}

const [LINE_FEED, QUOTE, COMMA, BACKSLASH] = [10, 34, 44, 92];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125];
/** The byte order mark's among them: it is nothing between values. */
const SPACES: readonly number[] = [32, 9, LINE_FEED, 13, 0xef, 0xbb, 0xbf];

/** What a byte does to a value: it is its first, its last, or the first behind it. */
type Step = "begins" | "ends" | "ended" | undefined;

function createSplitter(source: string) {
  let shape: "unknown" | "list" | "values" | "over" = "unknown";
  let depth = 0;
  let isString = false;
  let isEscaped = false;
  /** A value is under way. */
  let isOpen = false;
  let isAfterComma = false;
  let line = 1;
  let column = 0;
  const place = (): JsonPlace => ({ line, column });

  function nest(byte: number): void {
    if (isEscaped) isEscaped = false;
    else if (isString && byte === BACKSLASH) isEscaped = true;
    else if (byte === QUOTE) isString = !isString;
    else if (isString) return;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth++;
    else if ((byte === CLOSE_LIST || byte === CLOSE_OBJECT) && depth > 0) depth--;
  }

  function grow(byte: number): Step {
    nest(byte);
    if (isOpen) return undefined;
    isOpen = true;
    return "begins";
  }

  function close(step: Step): Step {
    if (!isOpen) return undefined;
    isOpen = false;
    return step;
  }

  /** Between two elements of the list: what should be one and is not there counts as one that is empty. */
  function separate(byte: number): Step {
    const isElement = isOpen || isAfterComma || byte === COMMA;
    isOpen = false;
    isAfterComma = byte === COMMA;
    if (byte === CLOSE_LIST) shape = "over";
    return isElement ? "ended" : undefined;
  }

  function begin(byte: number): Step {
    if (byte !== OPEN_LIST && byte !== OPEN_OBJECT)
      throw malformed(source, "neither a list nor an object begins", place());
    shape = byte === OPEN_LIST ? "list" : "values";
    return shape === "list" ? undefined : grow(byte);
  }

  /** In no string and no bracket of a value. */
  function between(byte: number): Step {
    if (SPACES.includes(byte)) return shape === "values" ? close("ended") : undefined;
    if (shape === "unknown") return begin(byte);
    if (shape === "over") throw malformed(source, "something follows the list", place());
    return shape === "list" && (byte === COMMA || byte === CLOSE_LIST) ? separate(byte) : grow(byte);
  }

  return {
    place,
    step(byte: number): Step {
      column++;
      if (byte === LINE_FEED) {
        line++;
        column = 0;
      }
      if (depth === 0 && !isString) return between(byte);
      nest(byte);
      return shape === "values" && depth === 0 && !isString ? close("ends") : undefined;
    },
    /** @param open where the value begins that is under way @returns whether it ends with the file */
    finish(open: JsonPlace | undefined): boolean {
      if (shape === "list" || depth > 0 || isString)
        throw malformed(source, "the file ends within what begins", open ?? place());
      return isOpen;
    },
  };
}

/** Gathers the bytes of a value that may lie in several chunks. */
function createCollector(maxBytes: number) {
  let start: JsonPlace | undefined;
  let from = 0;
  let size = 0;
  let parts: Buffer[] = [];
  const add = (part: Buffer): void => {
    size += part.length;
    if (size <= maxBytes) parts.push(part);
  };
  return {
    place: () => start,
    begin(index: number, place: JsonPlace): void {
      [start, from] = [place, index];
    },
    keep(chunk: Buffer): void {
      if (start) add(chunk.subarray(from));
      from = 0;
    },
    /** @param end behind the value's last byte @param place of an element that is empty */
    take(chunk: Buffer, end: number, place: JsonPlace): JsonValue {
      if (start) add(chunk.subarray(from, end));
      const value = { place: start ?? place, bytes: size > maxBytes ? undefined : Buffer.concat(parts) };
      [start, from, size, parts] = [undefined, 0, 0, []];
      return value;
    },
  };
}

function malformed(source: string, what: string, { line, column }: JsonPlace): FlywheelError {
  return new FlywheelError(
    "table_malformed",
    `${source} cannot be read as a table: ${what} on line ${line}, column ${column}`,
    {
      hint: "mend the file there, or write one object a line (.jsonl): a broken line is refused by itself, the rest is read",
    },
  );
}
