/**
 * @file Trains the networks that `export_networks.py` wrote by one step of SGD and compares loss, gradient and loss afterwards
 * with PyTorch's. Run: `node scripts/networks/compare-networks.ts FOLDER [--write] [NAME …]`; `--write` puts the table into
 * docs/networks.md.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FlywheelError, messageOf } from "../../src/errors.ts";
import { compareWithPytorch, type RecordedNetwork } from "../../src/onnx/testing/exported-networks.ts";

/** Largest difference from PyTorch, as a share of it. */
const TOLERANCE = 1e-4;

type Outcome = { readonly cell: string; readonly isEqual: boolean; readonly detail: string };

async function outcomeOf(folder: string, recorded: RecordedNetwork): Promise<Outcome> {
  const { name, exporter, failed } = recorded;
  if (failed !== undefined) return { cell: "not exported", isEqual: false, detail: failed };
  try {
    return await compared(recorded, join(folder, `${name}.${exporter}.onnx`));
  } catch (thrown) {
    const code = FlywheelError.isInstance(thrown) ? thrown.code : "failed";
    return { cell: `refused: ${code}`, isEqual: false, detail: messageOf(thrown) };
  }
}

async function compared(recorded: RecordedNetwork, path: string): Promise<Outcome> {
  const { differences, trained } = await compareWithPytorch(path, recorded);
  const worst = Math.max(...differences);
  const isEqual = worst <= TOLERANCE;
  const { lost, parameters } = recorded;
  const frozen = lost.length === 0 ? "" : `, ${lost.length} tables folded`;
  const wanted = Object.keys(parameters).length - lost.length;
  return {
    cell: `${isEqual ? "" : "**off** "}${worst.toExponential(0)}${frozen}`,
    isEqual,
    detail: `differences ${differences.map((each) => each.toExponential(1)).join(", ")}; ${trained.length} parameters, PyTorch ${wanted}`,
  };
}

const [folder = "", ...rest] = process.argv.slice(2);
const names = rest.filter((each) => each !== "--write");
const recordings = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file): RecordedNetwork => JSON.parse(readFileSync(join(folder, file), "utf8")))
  .filter(({ name }) => names.length === 0 || names.includes(name));
const outcomes = new Map<string, Map<string, Outcome>>();
for (const recorded of recordings) {
  const outcome = await outcomeOf(folder, recorded);
  console.log(recorded.name, recorded.exporter, outcome.cell, "—", outcome.detail);
  const row = outcomes.get(recorded.name) ?? new Map<string, Outcome>();
  outcomes.set(recorded.name, row.set(recorded.exporter, outcome));
}
if (rest.includes("--write")) writeTable();
const all = [...outcomes.values()].flatMap((row) => [...row.values()]);
console.log(`${all.filter(({ isEqual }) => isEqual).length} of ${all.length} agree with PyTorch to ${TOLERANCE}`);

function writeTable(): void {
  const path = join(import.meta.dirname, "../../docs/networks.md");
  const cellOf = (row: ReadonlyMap<string, Outcome>, exporter: string): string => row.get(exporter)?.cell ?? "";
  const lines = [...outcomes].map(([name, row]) => `| ${name} | ${cellOf(row, "dynamo")} | ${cellOf(row, "script")} |`);
  const versions = Object.entries(recordings[0]!.versions).map(([name, version]) => `${name} ${version}`);
  const table = [
    "| network | `dynamo=True` | `dynamo=False` |",
    "|---|---|---|",
    ...lines,
    "",
    `Made with ${versions.join(", ")}.`,
  ];
  const [start, end] = ["<!-- table: scripts/networks -->", "<!-- end of table -->"];
  const page = readFileSync(path, "utf8");
  const [before = "", after = ""] = [page.split(start)[0], page.split(end)[1]];
  writeFileSync(path, `${before}${start}\n${table.join("\n")}\n${end}${after}`);
}
