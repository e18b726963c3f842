/**
 * @file Writes `docs/errors.md`: every coded error, what it says and how to mend it, read from the places that throw it, so
 * that the list cannot fall behind. With `--check` it only compares.
 */

import { globSync, readFileSync, writeFileSync } from "node:fs";
import { parseSync } from "oxc-parser";

type Entry = { readonly room: string; readonly code: string; readonly message: string; readonly hint: string };
/** As much of an ESTree node as is read here. */
type Node = { readonly type: string; readonly [key: string]: unknown };

const target = "docs/errors.md";
const isTest = (path: string): boolean => /\.test\.ts$|-suite\.ts$|\/testing(\/|\.ts$)/.test(path);

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "type" in value;

function* walk(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const one of value) yield* walk(one);
  if (!isNode(value)) return;
  yield value;
  for (const child of Object.values(value)) yield* walk(child);
}

/** The text of a string or template, its gaps shown as `…`; undefined for anything else. */
function textOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === "Literal" && typeof node["value"] === "string") return node["value"];
  if (node.type === "ConditionalExpression") return textOf(node["consequent"]);
  if (node.type !== "TemplateLiteral" || !Array.isArray(node["quasis"])) return undefined;
  return node["quasis"].map((quasi: { value: { cooked: string } }) => quasi.value.cooked).join("…");
}

function hintOf(node: unknown): string | undefined {
  if (!isNode(node) || node.type !== "ObjectExpression" || !Array.isArray(node["properties"])) return undefined;
  const property = node["properties"].find((one: Node) => isNode(one["key"]) && one["key"]["name"] === "hint");
  return textOf(property?.["value"]);
}

const isCode = (text: string | undefined): boolean => text !== undefined && /^[a-z][a-z0-9]*(_[a-z0-9]+)+$/.test(text);
const isSentence = (text: string | undefined): boolean => text?.includes(" ") ?? false;

/** A call that passes a code and then a sentence makes an error, whatever the function is called. */
function entryOf(node: Node, room: string): Entry | undefined {
  if (node.type !== "NewExpression" && node.type !== "CallExpression") return undefined;
  const passed = Array.isArray(node["arguments"]) ? node["arguments"] : [];
  const at = passed.findIndex((argument) => isCode(textOf(argument)));
  const [code, message] = [textOf(passed[at]), textOf(passed[at + 1])];
  if (code === undefined || message === undefined || !isSentence(message)) return undefined;
  return {
    room,
    code,
    message,
    hint:
      passed
        .slice(at + 2)
        .map(hintOf)
        .find(isSentence) ?? "",
  };
}

function entriesOf(path: string): readonly Entry[] {
  const { program } = parseSync(path, readFileSync(path, "utf8"));
  const room = path.split("/")[1]?.replace(/\.ts$/, "") ?? path;
  return [...walk(program)].flatMap((node) => entryOf(node, room) ?? []);
}

/** One line a code: where a code has several messages, the first that says how to mend it. */
function byCode(entries: readonly Entry[]): readonly Entry[] {
  const groups = Map.groupBy(entries, ({ code }) => code);
  const chosen = [...groups.values()].flatMap((group) => group.find(({ hint }) => hint !== "") ?? group[0] ?? []);
  return chosen.toSorted((a, b) => a.room.localeCompare(b.room) || a.code.localeCompare(b.code));
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const line = ({ code, message, hint }: Entry): string => `| \`${code}\` | ${cell(message)} | ${cell(hint)} |`;

function page(entries: readonly Entry[]): string {
  const rooms = [...Map.groupBy(entries, ({ room }) => room)];
  const sections = rooms.map(
    ([room, own]) =>
      `## ${room}\n\n| code | says | how to mend it |\n| --- | --- | --- |\n${own.map(line).join("\n")}\n`,
  );
  return [
    "# Errors\n",
    "Every error has a stable code, says what is wrong and where, and how to mend it. This page is written by",
    "`node scripts/error-codes.ts` from the places that throw them; `…` stands for what the error fills in. Over HTTP the",
    "code is `error.code` in the body, in the shape of OpenAI's errors; in the library it is `FlywheelError.code`.\n",
    ...sections,
  ].join("\n");
}

const paths = globSync("src/**/*.ts")
  .filter((path) => !isTest(path))
  .sort();
const entries = byCode(paths.flatMap(entriesOf));
const wanted = page(entries);
if (!process.argv.includes("--check")) {
  writeFileSync(target, wanted);
} else if (readFileSync(target, "utf8") !== wanted) {
  console.error(`${target} is behind the code: run \`node scripts/error-codes.ts\` and commit it`);
  process.exitCode = 1;
}
console.log(`error codes: ${entries.length}`);
