/**
 * @file Two recipes of fine-tuning, told apart on train photos alone: `node scripts/grocery-folds.ts [CHANGES] [FOLDS]`, where
 * CHANGES are fields of `Recipe` as JSON (`'{"epochs":18}'`; none: the recipe as it is) and FOLDS are `0,1,2,3` or some of them.
 *
 * The test photos of `grocery` were taken in other shops, and folds that part pictures of one crate say nothing of that: a
 * probe on frozen features is right on nearly all of them. So each variety's photos are clustered by what the frozen network
 * sees in them (complete linkage, cosine distance), and whole clusters are held out. The probe is printed beside: it shows how
 * far a fold is from the others.
 *
 * One fold is some 257 photos and one seed: differences of a few points on one of them are noise.
 */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { systemClock } from "../src/clock.ts";
import { proportionEstimate } from "../src/math/estimate.ts";
import { argmaxRows } from "../src/math/softmax.ts";
import { cutAt } from "../src/onnx/surgery.ts";
import { blobId, rowId } from "../src/records.ts";
import { classesOf, defineTask } from "../src/task.ts";
import { writePhotoFile } from "../src/train/image/photo-file.ts";
import type { Recipe } from "../src/train/image/recipe.ts";
import { recipeFor } from "../src/train/image/recipe.ts";
import { runOverPhotos } from "../src/train/image/run-over-photos.ts";
import { startingNetwork } from "../src/train/image/starting-network.ts";
import { trainNetwork } from "../src/train/image/train-network.ts";
import { meanLogLoss } from "../src/train/mean-log-loss.ts";
import type { TrainingRow } from "../src/train/training-rows.ts";

const FOLDS = 4;
const CLUSTERS_OF_VARIETY = 6;
const threads = availableParallelism();
const seed = "folds";

const [changesText = "{}", foldsText = "0,1,2,3"] = process.argv.slice(2);
const changes: Partial<Recipe> = JSON.parse(changesText);

const shared = process.env["FLYWHEEL_SHARED"] ?? join(import.meta.dirname, "../../shared");
const data = join(shared, "data/grocery");
type Photo = { readonly file: string; readonly label: string; readonly variety: string };
const photos = parse<Photo>(await readFile(join(data, "gold.csv")), { columns: true }).filter(({ file }) =>
  file.startsWith("train/"),
);

const task = defineTask({
  name: "grocery",
  input: "image",
  instructions: "Which fruit or vegetable does the photo show?",
  output: { kind: "choice", choices: [...new Set(photos.map(({ label }) => label))].sort() },
  teacher: { model: "compatible/none", baseUrl: "http://localhost" },
  student: {
    trainer: "onnx",
    weights: join(shared, "models/mobilenet-v2-1.0-224.onnx"),
    normalisation: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  },
});
const classes = classesOf(task);
const network = await startingNetwork({ student: task.student, classes, seed, clock: systemClock });
const { preprocessing } = network;
const recipe: Recipe = { ...recipeFor(task.student, network), ...changes };
const unused = () => Promise.reject(new Error("photos are only read"));
const blobs = { get: (id: string) => readFile(join(data, id)), put: unused, path: (id: string) => join(data, id) };

const rows = photos.map(({ file, label }): TrainingRow => {
  const classIndex = classes.indexOf(label);
  const target = Float32Array.from(classes, (_, index) => (index === classIndex ? 1 : 0));
  const input = { kind: "image", blob: blobId(file), width: 224, height: 224, mediaType: "image/jpeg" } as const;
  return { id: rowId(file), input, target, classIndex, weight: 1 };
});

/** Of the starting network: unit length, each feature standardised before. */
function unitFeatures(features: Float32Array): readonly Float64Array[] {
  const width = features.length / rows.length;
  const columns = Array.from({ length: width }, (_, column) => {
    const values = Float64Array.from(rows, (_, row) => features[row * width + column]!);
    const mean = values.reduce((sum, value) => sum + value, 0) / rows.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows.length) || 1;
    return values.map((value) => (value - mean) / deviation);
  });
  return rows.map((_, row) => {
    const own = Float64Array.from(columns, (column) => column[row]!);
    const norm = Math.hypot(...own);
    return own.map((value) => value / norm);
  });
}

/** Merges the two nearest until `count` are left; two clusters are as far apart as their farthest members. */
function clustersOf(members: readonly number[], features: readonly Float64Array[], count: number): number[][] {
  const distance = (a: number, b: number) =>
    1 - features[a]!.reduce((sum, value, index) => sum + value * features[b]![index]!, 0);
  const between = members.map((a) => members.map((b) => (a === b ? Number.POSITIVE_INFINITY : distance(a, b))));
  const clusters = members.map((member) => [member]);
  while (clusters.length > count) {
    let [left, right] = [0, 1];
    between.forEach((line, a) => {
      line.forEach((value, b) => {
        if (a < b && value < between[left]![right]!) [left, right] = [a, b];
      });
    });
    clusters[left]!.push(...clusters[right]!);
    between.forEach((line, other) => {
      const farther = other === left ? Number.POSITIVE_INFINITY : Math.max(line[left]!, line[right]!);
      line[left] = farther;
      between[left]![other] = farther;
    });
    clusters.splice(right, 1);
    between.splice(right, 1);
    for (const line of between) line.splice(right, 1);
  }
  return clusters;
}

/** Each variety's clusters, largest first, to the fold that has fewest of its photos, then fewest of all. */
function foldsOf(features: readonly Float64Array[]): Int32Array {
  const folds = new Int32Array(rows.length);
  const total = new Array<number>(FOLDS).fill(0);
  for (const members of Map.groupBy(rows.keys(), (row) => photos[row]!.variety).values()) {
    const own = new Array<number>(FOLDS).fill(0);
    const clusters = clustersOf(members, features, CLUSTERS_OF_VARIETY).sort((a, b) => b.length - a.length);
    for (const cluster of clusters) {
      const order = [...own.keys()].sort((a, b) => own[a]! - own[b]! || total[a]! - total[b]!);
      const fold = order[0]!;
      for (const row of cluster) folds[row] = fold;
      own[fold]! += cluster.length;
      total[fold]! += cluster.length;
    }
  }
  return folds;
}

/** @param logits `[held, classes]` */
function described(held: readonly number[], logits: Float32Array): string {
  const predicted = argmaxRows(logits, classes.length);
  const right = held.filter((row, position) => predicted[position] === rows[row]!.classIndex).length;
  const { value, low, high, n } = proportionEstimate(right, held.length);
  const [share, from, to] = [value, low, high].map((each) => `${(100 * each).toFixed(1)} %`);
  const loss = meanLogLoss({ rows: held.map((row) => rows[row]!), classes: classes.length }, logits);
  return `${share} right [${from}, ${to}], n ${n}; log loss ${loss.toFixed(3)}`;
}

const workFolder = await mkdtemp(join(tmpdir(), "flywheel-folds-"));
try {
  const photosPath = join(workFolder, "all-photos.bin");
  const over = (model: typeof network.model, indices: readonly number[]) =>
    runOverPhotos({ model, photosPath, indices, preprocessing, threads, stage: "run" });
  const all = rows.map(({ id }, row) => ({ id, blob: blobId(photos[row]!.file) }));
  await writePhotoFile({ path: photosPath, rows: all, blobs, preprocessing, concurrency: 2 * threads });
  const folds = foldsOf(unitFeatures(await over(cutAt(network.model, network.features), [...rows.keys()])));
  for (const fold of foldsText.split(",").map(Number)) {
    const set = { rows: rows.filter((_, row) => folds[row] !== fold), classes, hash: "" };
    const held = [...rows.keys()].filter((row) => folds[row] === fold);
    const common = { network, set, recipe, blobs, threads, seed, clock: systemClock, validation: [] };
    for (const trainsBackbone of [false, true]) {
      const started = performance.now();
      const { model } = await trainNetwork({ ...common, trainsBackbone, workFolder: join(workFolder, `fold-${fold}`) });
      const seconds = Math.round((performance.now() - started) / 1000);
      const what = trainsBackbone ? "fine-tuned" : "probe";
      console.log(`fold ${fold}, ${what}: ${described(held, await over(model, held))}; ${seconds} s`);
    }
  }
} finally {
  await rm(workFolder, { recursive: true });
}
