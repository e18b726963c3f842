/** @file Where in a config file something is wrong: line and column, from 1. */

import { stripTypeScriptTypes } from "node:module";

export type ConfigPlace = { readonly line: number; readonly column: number };

/** Undefined where nobody can tell. */
export function placeOf(thrown: unknown, path: string, source: string): ConfigPlace | undefined {
  if (!(thrown instanceof Error)) return undefined;
  if (path.endsWith(".json")) return jsonPlace(source, thrown.message);
  return (
    framePlace(thrown.stack) ??
    stackPlace(thrown.stack) ??
    (thrown instanceof SyntaxError ? parsedPlace(source) : undefined)
  );
}

/** V8 names the position of most faults, quotes what follows some, and says nothing of an end that came too early. */
function jsonPlace(source: string, message: string): ConfigPlace | undefined {
  const named = /at position (\d+)/.exec(message)?.[1];
  if (named !== undefined) return lineAndColumn(source, Number(named));
  if (/end of JSON input/.test(message)) return lineAndColumn(source, source.length);
  const [, token, context = ""] =
    /^Unexpected token '(.)', (?:\.\.\.)?"([\s\S]*)"(?:\.\.\.)? is not valid JSON$/.exec(message) ?? [];
  const start = token === undefined ? -1 : source.indexOf(context);
  return start < 0 ? undefined : lineAndColumn(source, unexpectedAt(source));
}

/** Where the longest beginning of it that could still become JSON ends: one that cannot is refused for more than its end. */
function unexpectedAt(source: string): number {
  let [least, most] = [0, source.length];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (mayGoOn(source.slice(0, middle))) least = middle;
    else most = middle - 1;
  }
  return least;
}

function mayGoOn(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return true;
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : "";
    const position = /at position (\d+)/.exec(message)?.[1];
    return /end of JSON input|Unterminated/.test(message) || Number(position) >= beginning.length;
  }
}

function lineAndColumn(source: string, position: number): ConfigPlace {
  const before = source.slice(0, position).split("\n");
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

/** A parser's frame at the head of a stack: the file with its line, the code, and carets under it. */
function framePlace(stack = ""): ConfigPlace | undefined {
  const lines = stack.split("\n");
  const line = /:(\d+)$/.exec(lines[0] ?? "")?.[1];
  const caret = lines.find((one) => /^ *\^+$/.test(one));
  return line === undefined || caret === undefined ? undefined : { line: Number(line), column: caret.indexOf("^") + 1 };
}

function stackPlace(stack = ""): ConfigPlace | undefined {
  const [, line, column] = /flywheel\.config\.[mc]?[jt]s:(\d+):(\d+)/.exec(stack) ?? [];
  return line === undefined ? undefined : { line: Number(line), column: Number(column) };
}

/** What the loader of JavaScript keeps to itself, the parser of TypeScript says: every script is one of its own. */
function parsedPlace(source: string): ConfigPlace | undefined {
  try {
    stripTypeScriptTypes(source, { sourceUrl: "flywheel.config.ts" });
    return undefined;
  } catch (thrown) {
    return framePlace(thrown instanceof Error ? thrown.stack : undefined);
  }
}
