/**
 * @file Proves of every regular expression in `src/` that it runs in time linear in its input: each may meet bytes of a
 * caller, a teacher or a file, and one that backtracks quadratically stops a server for as long as somebody wants it to.
 *
 * `recheck` builds the automaton of each and measures its ambiguity: a proof, not a trial. What it cannot prove counts as a
 * breach, and so does a pattern that is put together at run time, which nobody can look at here. With `--list` all are listed.
 */

import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseSync } from "oxc-parser";
import { check } from "recheck";

/** `flags` is absent where the pattern is put together at run time, and `source` then the code that does it. */
export type Pattern = {
  readonly path: string;
  readonly line: number;
  readonly source: string;
  readonly flags?: string;
};

type Node = { readonly type: string; readonly start: number; readonly end: number; readonly [key: string]: unknown };
const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "type" in value;

function* walk(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const one of value) yield* walk(one);
  if (!isNode(value)) return;
  yield value;
  for (const child of Object.values(value)) yield* walk(child);
}

export function patternsIn(path: string, code: string): readonly Pattern[] {
  const { program, errors } = parseSync(path, code);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  return [...walk(program)].flatMap((node) => {
    const found = literalIn(node) ?? construction(node, code);
    return found ? [{ path, line: code.slice(0, node.start).split("\n").length, ...found }] : [];
  });
}

function literalIn({ type, regex }: Node): Pick<Pattern, "source" | "flags"> | undefined {
  if (type !== "Literal" || typeof regex !== "object" || regex === null) return undefined;
  const { pattern, flags } = regex as { readonly pattern: string; readonly flags: string };
  return { source: pattern, flags };
}

function construction({ type, callee, start, end }: Node, code: string): Pick<Pattern, "source"> | undefined {
  if (type !== "NewExpression" && type !== "CallExpression") return undefined;
  return isNode(callee) && callee["name"] === "RegExp" ? { source: code.slice(start, end) } : undefined;
}

/** Undefined where the pattern is proved linear, else why it is not. */
export async function breachOf({ source, flags }: Pattern): Promise<string | undefined> {
  if (flags === undefined) return "is put together at run time: write it out, or search without a pattern";
  const verdict = await check(relaxed(source), flags, { checker: "automaton", timeout: 120_000 });
  if (verdict.status === "safe") return undefined;
  if (verdict.status === "unknown") return `cannot be proved linear (${verdict.error.kind})`;
  return `backtracks (${verdict.complexity.summary}), for example on ${shortened(verdict.attack.pattern)}`;
}

/** Automata cannot count: `{64}` would be 64 states. Any number of times is as ambiguous, or more. */
const relaxed = (source: string): string =>
  source.replace(/\{\d+,?\d*\}/g, (times) => (times.length > 4 ? "*" : times));

const shortened = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text);

const isTest = (path: string): boolean => /\.test(-d)?\.ts$|-suite\.ts$|\/testing(\/|\.ts$)/.test(path);

export function patternsOfSource(): readonly Pattern[] {
  const files = globSync("src/**/*.ts").filter((path) => !isTest(path));
  return files.sort().flatMap((path) => patternsIn(path, readFileSync(path, "utf8")));
}

/** Proofs take half a minute; a pattern that was proved once stays proved. */
const proved = "node_modules/.cache/patterns.json";

function readProved(): Set<string> {
  try {
    return new Set(JSON.parse(readFileSync(proved, "utf8")));
  } catch {
    return new Set();
  }
}

const spelled = ({ source, flags }: Pattern): string => (flags === undefined ? source : `/${source}/${flags}`);

async function main(): Promise<void> {
  const known = readProved();
  const patterns = patternsOfSource();
  const breaches: string[] = [];
  for (const pattern of patterns) {
    if (known.has(spelled(pattern))) continue;
    const breach = await breachOf(pattern);
    if (breach === undefined) known.add(spelled(pattern));
    else breaches.push(`${pattern.path}:${pattern.line}: ${spelled(pattern)} ${breach}`);
  }
  mkdirSync(dirname(proved), { recursive: true });
  writeFileSync(proved, JSON.stringify([...known], undefined, 1));
  if (process.argv.includes("--list"))
    for (const { path, line, ...one } of patterns) console.log(`${path}:${line}: ${spelled({ path, line, ...one })}`);
  for (const breach of breaches) console.error(breach);
  if (breaches.length > 0) process.exit(1);
}

if (import.meta.main) await main();
