/**
 * @file Writes `docs/configuration.md`: every key of a config with its type, default and range, read from the schema that
 * checks it, and what a later change does. With `--check` it only compares.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { configChanges, configKeys } from "../src/flywheel/config-keys.ts";
import { configSchema, type SchemaKey } from "../src/flywheel/config-schema.ts";

const target = "docs/configuration.md";

const intro = `# Configuration

A workspace has one \`flywheel.config.ts\` (\`.mts\`, \`.js\`, \`.mjs\`) or \`flywheel.config.json\`; \`flywheel init\` writes a commented one. A
task has one output (\`output\`, \`instructions\`) or several (\`fields\`, each with its own). This page is written by
\`node scripts/configuration-docs.ts\` from the schema.

To begin with, five keys do: \`name\`, \`input\`, \`instructions\`, \`output\` and \`teacher.model\`. Worth knowing next: \`teacher.passes: 1\` halves
what labelling costs, \`budgetUsd\` is a hard stop, \`target.risk\` is the promise, \`whenTeacherDown\` says what happens without a teacher.
`;

const cell = (text: string): string => text.replaceAll("|", "\\|");

function rowOf({ path, type, fallback, range, isRequired }: SchemaKey): string {
  const known = configKeys[path];
  if (!known) throw new Error(`src/flywheel/config-keys.ts says nothing of ${path}`);
  const value = isRequired ? "required" : fallback === undefined ? "" : `\`${fallback}\``;
  const cells = [`\`${path}\``, type, value, range ?? "", known.does, known.change];
  return `| ${cells.map(cell).join(" | ")} |`;
}

const header = [
  "| key | type | default | range | what it does | when it changes |",
  "| --- | --- | --- | --- | --- | --- |",
];
const changes = Object.entries(configChanges).map(([name, what]) => `- **${name}**: ${what}.`);
const keys = configSchema();
const page = `${intro}
## When a key changes later

${changes.join("\n")}

## Keys

${[...header, ...keys.map(rowOf)].join("\n")}
`;

if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== page) {
    console.error(`${target} is behind the schema: run \`node scripts/configuration-docs.ts\` and commit it`);
    process.exitCode = 1;
  }
} else writeFileSync(target, page);
console.log(`configuration: ${keys.length} keys`);
