/**
 * @file Trains the networks that `export_networks.py` wrote by one step of SGD and compares loss, gradient and loss afterwards
 * with PyTorch's. Run: `node scripts/networks/compare-networks.ts FOLDER [--write] [NAME …]`; `--write` puts the table into
 * docs/networks.md.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FlywheelError, messageOf } from "../../src/errors.ts";
import { readOnnxFile } from "../../src/onnx/onnx-file.ts";
import { countParameters, parameterNames } from "../../src/onnx/parameters.ts";
import { type NumericType, type Tensor, tensorFromBytes } from "../../src/onnx/tensor.ts";
import { createTrainer } from "../../src/onnx/trainer.ts";
import { withImageInput } from "../../src/train/image/image-input.ts";

type Encoded = { readonly dtype: NumericType; readonly dims: readonly number[]; readonly data: string };

/** What `export_networks.py` writes beside a network. */
type Recorded = {
  readonly name: string;
  readonly exporter: "dynamo" | "script";
  readonly kind: "image" | "text";
  readonly versions: Readonly<Record<string, string>>;
  readonly failed?: string;
  readonly batch: Readonly<Record<string, Encoded>>;
  readonly targets: Encoded;
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  /** Parameters whose numbers the exporter did not keep, perhaps rearranged: they are not stepped. */
  readonly lost: readonly string[];
  readonly loss: number;
  readonly lossAfter: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
};

/** Largest difference of a loss from PyTorch's, as a share of it. */
const TOLERANCE = 1e-4;

const tensorOf = ({ dtype, dims, data }: Encoded): Tensor => tensorFromBytes(dtype, dims, Buffer.from(data, "base64"));

type Outcome = { readonly cell: string; readonly isEqual: boolean; readonly detail: string };

async function outcomeOf(folder: string, recorded: Recorded): Promise<Outcome> {
  if (recorded.failed !== undefined) return { cell: "not exported", isEqual: false, detail: recorded.failed };
  try {
    return await compared(recorded, join(folder, `${recorded.name}.${recorded.exporter}.onnx`));
  } catch (thrown) {
    const code = FlywheelError.isInstance(thrown) ? thrown.code : "failed";
    return { cell: `refused: ${code}`, isEqual: false, detail: messageOf(thrown) };
  }
}

async function compared(recorded: Recorded, path: string): Promise<Outcome> {
  const file = await readOnnxFile(path);
  const inputs = Object.fromEntries(Object.entries(recorded.batch).map(([name, each]) => [name, tensorOf(each)]));
  const forward = recorded.kind === "image" ? withImageInput(file, inputs["images"]!.dims[3]!) : file;
  const [rows = 0] = recorded.targets.dims;
  await using trainer = await createTrainer({
    forward,
    loss: { kind: "softmax-cross-entropy" },
    optimiser: { kind: "sgd", momentum: 0, nesterov: false, weightDecay: 0 },
    sizes: Object.fromEntries(Object.entries(inputs).map(([name, { dims }]) => [name, dims])),
    batchSize: rows,
    threads: 2,
  });
  const targets = tensorOf(recorded.targets).data as Float32Array; // the script writes float32
  const { learningRate } = recorded;
  const first = await trainer.step({ inputs, targets }, { learningRate });
  const second = await trainer.step({ inputs, targets }, { learningRate });
  const off = (ours: number, theirs: number): number => Math.abs(ours - theirs) / Math.abs(theirs);
  const differences = [
    off(first.loss, recorded.loss),
    off(second.loss, recorded.lossAfter),
    off(first.gradientNorm, recorded.gradientNorm),
  ];
  const worst = Math.max(...differences);
  const isEqual = worst <= TOLERANCE;
  const lost = recorded.lost.length === 0 ? "" : `; ${recorded.lost.length} frozen`;
  const counted = countParameters(forward, parameterNames(forward));
  return {
    cell: `${isEqual ? "" : "**off** "}${worst.toExponential(0)}${lost}`,
    isEqual,
    detail: `differences ${differences.map((each) => each.toExponential(1)).join(", ")}; parameters ${counted} of ${countOf(recorded)}; ${trainer.parameterNames.length} tensors of ${Object.keys(recorded.parameters).length - recorded.lost.length}`,
  };
}

function countOf({ parameters, lost }: Recorded): number {
  const kept = Object.entries(parameters).filter(([name]) => !lost.includes(name));
  return kept.reduce((sum, [, dims]) => sum + dims.reduce((product, size) => product * size, 1), 0);
}

const [folder = "", ...rest] = process.argv.slice(2);
const names = rest.filter((each) => each !== "--write");
const recordings = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file): Recorded => JSON.parse(readFileSync(join(folder, file), "utf8")))
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
