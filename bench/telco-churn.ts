/**
 * @file Bar 3: the real XGBoost. On customers of a telephone company, our calls and Python's on the same version of the
 * library give the same predictions (to 1e-6), early stopping, sampling, weights, categories and missing values included;
 * the ONNX export and our walker say what the library says (to 1e-5). Then the cost of going through us, on 100,000 × 28
 * numbers: whatever of a training is not spent inside the library's own calls, which one process measures exactly; from numbers
 * in an array to trees, and all that `flywheel train` does besides: from labelled records to the files of a model. Both count.
 * Beside it Python's time on the same rows, by turns.
 *
 * `FLYWHEEL_PYTHON` (default `python3`) with xgboost is the peer, and where the library is found; without it those figures
 * are absent and the bar is not met.
 */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Columns } from "../src/columns.ts";
import { quantile } from "../src/math/quantile.ts";
import { createRng } from "../src/math/random.ts";
import { writeOnnx } from "../src/onnx/proto.ts";
import { openSession } from "../src/onnx/session.ts";
import { floats } from "../src/onnx/tensor.ts";
import { rowId } from "../src/records.ts";
import { type FeatureSchema, inferFeatures } from "../src/train/record/feature-schema.ts";
import { described, recordsOf, trainingMatrix } from "../src/train/record/training-table.ts";
import { encodeDense, encodeRecords, type Vectors } from "../src/train/record/vectors.ts";
import type { TrainingRow } from "../src/train/training-rows.ts";
import { forestOf } from "../src/xgboost/forest.ts";
import { createMatrix, type Matrix } from "../src/xgboost/matrix.ts";
import { loadXgboost, type XgboostLibrary } from "../src/xgboost/native.ts";
import type { XgboostParameters } from "../src/xgboost/parameters.ts";
import { trainBooster } from "../src/xgboost/train.ts";
import { parseTreeModel } from "../src/xgboost/tree-model.ts";
import { treesToOnnx } from "../src/xgboost/trees-to-onnx.ts";
import { type Peer, startPeer } from "./python-support.ts";
import { readCustomers } from "./telco-support.ts";

const threads = availableParallelism();
/** Every fifth customer validates. */
const every = 5;
const turns = 5;
const large = { rows: 100_000, columns: 28, rounds: 200 };

const library = loadXgboost();
const native = { XGBoost: library.version, by: library.by, threads };
console.log(JSON.stringify(native));

type Setting = {
  readonly name: string;
  readonly parameters: XgboostParameters;
  readonly rounds: number;
  readonly patience: number;
  readonly isWeighted: boolean;
};

const common = { objective: "binary:logistic", eval_metric: "logloss", eta: 0.1, max_depth: 6, nthread: threads };
const settings: readonly Setting[] = [
  { name: "our defaults", parameters: { ...common, seed: 1 }, rounds: 200, patience: 20, isWeighted: false },
  {
    name: "sampled, weighted",
    parameters: { ...common, seed: 7, subsample: 0.8, colsample_bynode: 0.7, min_child_weight: 3, max_bin: 64 },
    rounds: 60,
    patience: 0,
    isWeighted: true,
  },
];

type Data = {
  readonly vectors: Vectors<Float32Array>;
  readonly labels: Float32Array;
  readonly weights: Float32Array;
  readonly schema: FeatureSchema;
};

function readData(): Data {
  const customers = readCustomers();
  const { schema } = inferFeatures(customers, Columns.parse({}));
  console.log(
    `${customers.length} customers, ${schema.features.map(({ name, type }) => `${name}: ${type}`).join(", ")}`,
  );
  const rng = createRng("weights");
  return {
    schema,
    vectors: encodeDense(customers, schema),
    labels: Float32Array.from(customers, ({ churned }) => Number(churned)),
    weights: Float32Array.from(customers, () => 0.2 + rng.next()),
  };
}

function part(
  { vectors, labels, weights, schema }: Data,
  wanted: (row: number) => boolean,
  isWeighted: boolean,
): Matrix {
  const rows = labels.keys().filter(wanted).toArray();
  const { columns } = vectors;
  const data = Float32Array.from({ length: rows.length * columns }, (_, at) => {
    return vectors.data[rows[Math.floor(at / columns)]! * columns + (at % columns)]!;
  });
  const own = {
    labels: Float32Array.from(rows, (row) => labels[row]!),
    weights: Float32Array.from(rows, (row) => (isWeighted ? weights[row]! : 1)),
  };
  return createMatrix({ data, rows: rows.length, columns, ...own, ...described(schema.features), threads });
}

const largestDifference = (left: ArrayLike<number>, right: ArrayLike<number>): number => {
  if (left.length !== right.length) throw new Error(`${left.length} predictions against ${right.length}`);
  return Array.from(left).reduce((most, value, at) => Math.max(most, Math.abs(value - right[at]!)), 0);
};

type Parity = {
  readonly setting: string;
  readonly rounds: number;
  readonly heldOutAccuracy: number;
  readonly toPython?: number;
  readonly onnxToLibrary: number;
  readonly walkerToLibrary: number;
};

async function compare(data: Data, setting: Setting, python: Peer | undefined, folder: string): Promise<Parity> {
  const { name, parameters, rounds, patience, isWeighted } = setting;
  using train = part(data, (row) => row % every !== 0, isWeighted);
  using validation = part(data, (row) => row % every === 0, isWeighted);
  using whole = part(data, () => true, isWeighted);
  const earlyStoppingRounds = patience > 0 ? patience : undefined;
  const { booster } = await trainBooster({ matrix: train, validation, parameters, rounds, earlyStoppingRounds });
  using kept = booster;
  const values = kept.predict(whole, "value").values;
  const margins = kept.predict(whole, "margin").values;
  const right = values.filter((value, row) => row % every === 0 && Number(value > 0.5) === data.labels[row]).length;
  const toPython = python && (await differenceToPython({ data, setting, values, rounds: kept.rounds }, python, folder));
  return {
    setting: name,
    rounds: kept.rounds,
    heldOutAccuracy: right / validation.rows,
    ...(toPython !== undefined && { toPython }),
    ...(await differencesOfExport(treesToOnnx(parseTreeModel(kept.save("ubj"))), data.vectors, margins)),
  };
}

type Ours = { readonly data: Data; readonly setting: Setting; readonly values: Float32Array; readonly rounds: number };

async function differenceToPython(
  { data, setting, values, rounds }: Ours,
  python: Peer,
  folder: string,
): Promise<number> {
  const files = { data: join(folder, "data"), labels: join(folder, "labels"), weights: join(folder, "weights") };
  const { vectors, labels, weights, schema } = data;
  await writeFile(files.data, vectors.data);
  await writeFile(files.labels, labels);
  await writeFile(files.weights, setting.isWeighted ? weights : weights.map(() => 1));
  const { featureNames: names, featureTypes: types } = described(schema.features);
  const { rows, columns } = vectors;
  const { parameters, patience } = setting;
  const out = join(folder, "out");
  const answer = await python.ask({
    do: "fit",
    ...files,
    rows,
    columns,
    names,
    types,
    parameters,
    patience,
    every,
    rounds: setting.rounds,
    out,
  });
  if (answer["rounds"] !== rounds) return Number.POSITIVE_INFINITY;
  return largestDifference(values, new Float32Array(new Uint8Array(await readFile(out)).buffer));
}

async function differencesOfExport(
  model: ReturnType<typeof treesToOnnx>,
  { data, rows, columns }: Vectors<Float32Array>,
  margins: Float32Array,
) {
  await using session = await openSession(model, { threads: 1 });
  const { logits } = await session.run({ features: floats(data, [rows, columns]) });
  const forest = forestOf(model);
  const walked = new Float32Array(rows * 2);
  for (let row = 0; row < rows; row++) forest.predictInto(walked, row * 2, data, row * columns);
  const ofSecond = (values: Float32Array): Float32Array => values.filter((_, at) => at % 2 === 1);
  return {
    onnxToLibrary: largestDifference(ofSecond(logits!.data as Float32Array), margins),
    walkerToLibrary: largestDifference(ofSecond(walked), margins),
  };
}

// ── cost ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function stopwatch(): { readonly library: XgboostLibrary; readonly spent: () => number } {
  let spentMs = 0;
  return {
    library: {
      ...library,
      call(name, ...given) {
        const start = performance.now();
        library.call(name, ...given);
        spentMs += performance.now() - start;
      },
    },
    spent: () => spentMs,
  };
}

function largeTable() {
  const rng = createRng("large");
  const { rows, columns } = large;
  const data = Float32Array.from({ length: rows * columns }, () => rng.normal());
  const labels = Float32Array.from({ length: rows }, (_, row) => {
    const [a, b, c] = data.subarray(row * columns, row * columns + 3);
    return Number(a! + b! * c! + 0.5 * rng.normal() > 0);
  });
  return { data, labels };
}

type Cost = { readonly ms: number; readonly nativeMs: number };

const timed = { ...common, nthread: threads, seed: 1 };

type Large = ReturnType<typeof largeTable>;

/** From numbers in an array to trees. */
async function trainVectors({ data, labels }: Large): Promise<Cost> {
  const { library: watched, spent } = stopwatch();
  const start = performance.now();
  using matrix = createMatrix({ data, labels, rows: large.rows, columns: large.columns, threads, library: watched });
  const { booster } = await trainBooster({ matrix, parameters: timed, rounds: large.rounds, library: watched });
  const cost = { ms: performance.now() - start, nativeMs: spent() };
  booster[Symbol.dispose]();
  return cost;
}

type Steps = { readonly readMs: number; readonly tableMs: number; readonly exportMs: number };

/** As `flywheel train` has it: from labelled records to trees in an ONNX file and in one of XGBoost's own. */
async function trainRecords(rows: readonly TrainingRow[], folder: string): Promise<Cost & Steps> {
  const { library: watched, spent } = stopwatch();
  const start = performance.now();
  const records = recordsOf(rows, "record");
  const { features, ignored } = inferFeatures(records, Columns.parse({})).schema;
  const vectors = encodeRecords(records, { features, ignored });
  const read = performance.now();
  using matrix = trainingMatrix({ vectors, rows, features, threads, library: watched });
  const [tabled, nativeSoFar] = [performance.now(), spent()];
  const { booster } = await trainBooster({ matrix, parameters: timed, rounds: large.rounds, library: watched });
  using kept = booster;
  const trained = performance.now();
  const ubj = kept.save("ubj");
  await writeFile(join(folder, "booster.ubj"), ubj);
  await writeFile(join(folder, "model.onnx"), writeOnnx(treesToOnnx(parseTreeModel(ubj))));
  const done = performance.now();
  const steps = { readMs: read - start, tableMs: tabled - read - nativeSoFar, exportMs: done - trained };
  return { ms: done - start, nativeMs: spent(), ...steps };
}

function asRows({ data, labels }: Large): readonly TrainingRow[] {
  const names = Array.from({ length: large.columns }, (_, column) => `column ${column}`);
  return Array.from(labels, (label, row) => ({
    id: rowId(String(row)),
    input: {
      kind: "record",
      fields: Object.fromEntries(names.map((name, column) => [name, data[row * large.columns + column]!])),
    },
    target: Float32Array.of(1 - label, label),
    classIndex: label,
    weight: 1,
  }));
}

async function cost(python: Peer | undefined, folder: string) {
  const table = largeTable();
  const files = { data: join(folder, "large"), labels: join(folder, "large-labels") };
  await writeFile(files.data, table.data);
  await writeFile(files.labels, table.labels);
  const rows = asRows(table);
  const fromArrays: Cost[] = [];
  const fromRecords: (Cost & Steps)[] = [];
  const theirs: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    fromArrays.push(await trainVectors(table));
    fromRecords.push(await trainRecords(rows, folder));
    const answer = await python?.ask({ do: "time", ...files, ...large, parameters: timed });
    if (answer) theirs.push(1000 * Number(answer["seconds"]));
  }
  const median = (values: readonly number[]): number => quantile(values, 0.5);
  const over = (all: readonly Cost[]): number => median(all.map(({ ms, nativeMs }) => ms / nativeMs - 1));
  return {
    ...large,
    turns,
    fromArrays: {
      ms: median(fromArrays.map(({ ms }) => ms)),
      nativeMs: median(fromArrays.map(({ nativeMs }) => nativeMs)),
      overNative: over(fromArrays),
    },
    fromRecordsToFiles: {
      ms: median(fromRecords.map(({ ms }) => ms)),
      nativeMs: median(fromRecords.map(({ nativeMs }) => nativeMs)),
      readMs: median(fromRecords.map(({ readMs }) => readMs)),
      tableMs: median(fromRecords.map(({ tableMs }) => tableMs)),
      exportMs: median(fromRecords.map(({ exportMs }) => exportMs)),
      overNative: over(fromRecords),
    },
    ...(theirs.length > 0 && { pythonMs: median(theirs) }),
  };
}

const folder = await mkdtemp(join(tmpdir(), "flywheel-telco-"));
try {
  using python = await startPeer("telco_churn.py");
  const isSameLibrary = python?.hello["version"] === library.version;
  if (!isSameLibrary)
    console.log(`Python's XGBoost is ${python?.hello["version"] ?? "absent"}, ours ${library.version}`);
  const data = readData();
  const parity: Parity[] = [];
  for (const setting of settings) {
    const found = await compare(data, setting, isSameLibrary ? python : undefined, folder);
    console.log(JSON.stringify(found));
    parity.push(found);
  }
  const costs = await cost(python, folder);
  console.log(JSON.stringify(costs));
  const target = { toPython: 1e-6, onnxToLibrary: 1e-5, overNative: 0.05 };
  const isWithin = ({ toPython, onnxToLibrary }: Parity): boolean =>
    toPython !== undefined && toPython <= target.toPython && onnxToLibrary <= target.onnxToLibrary;
  const { fromArrays, fromRecordsToFiles } = costs;
  const isCheap = Math.max(fromArrays.overNative, fromRecordsToFiles.overNative) <= target.overNative;
  const met = parity.every(isWithin) && isCheap;
  console.log(JSON.stringify({ bar: "telco-churn", figures: { ...native, parity, cost: costs }, target, met }));
} finally {
  await rm(folder, { recursive: true });
}
