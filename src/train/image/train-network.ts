/**
 * @file From a starting network and rows to a trained one: photos decoded once, head on frozen features, then the whole.
 *
 * Out-of-fold logits come from five heads on penultimate features, each fitted without a fold. With a pretrained backbone
 * the features are those from *before* it was unfrozen: nothing in them has seen any row, so these logits are out of fold
 * in full (of the probe, which is weaker than the student that serves). A network from scratch has no such features: the
 * backbone has seen every row and only the head is out of fold, which flatters; good enough to rank suspicious labels by,
 * not to measure with; so does a model of ours that is trained further. Calibrate and certify rows measure.
 */

import { join } from "node:path";
import type { Clock, Progress } from "../../contracts.ts";
import { foldBatchNormalisation } from "../../onnx/fold-batch-normalisation.ts";
import type { Model } from "../../onnx/model.ts";
import { withParameters } from "../../onnx/parameters.ts";
import { cutAt } from "../../onnx/surgery.ts";
import { floats } from "../../onnx/tensor.ts";
import type { BlobStore } from "../../store/contract.ts";
import { collectNeighbours, rowsToKeep, writeNeighbours } from "../feature-neighbours.ts";
import { meanLogLoss } from "../mean-log-loss.ts";
import { neighboursFile } from "../neighbours-file.ts";
import type { EpochRecord } from "../network/checkpoint.ts";
import type { TrainingRow, TrainingSet } from "../training-rows.ts";
import { fit } from "./fit.ts";
import { chooseHead, type Head, type HeadData, outOfFoldOnly, startingHead } from "./head.ts";
import { writePhotoFile } from "./photo-file.ts";
import type { Recipe } from "./recipe.ts";
import { runOverPhotos } from "./run-over-photos.ts";
import type { StartingNetwork } from "./starting-network.ts";
import { unfrozenParameters } from "./unfrozen-parameters.ts";

export type TrainNetworkOptions = {
  readonly network: StartingNetwork;
  readonly set: TrainingSet;
  /** Calibrate rows for early stopping; none: every epoch runs. */
  readonly validation: readonly TrainingRow[];
  readonly recipe: Recipe;
  readonly trainsBackbone: boolean;
  readonly blobs: BlobStore;
  /** Where photos and checkpoint live until training is over. */
  readonly workFolder: string;
  readonly threads: number;
  readonly seed: string;
  readonly clock: Clock;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type TrainedNetwork = {
  /** Ready to serve: batch norm folded into the convolutions. */
  readonly model: Model;
  readonly history: readonly EpochRecord[];
  /** `[rows, classes]`, in the order of the training set. */
  readonly outOfFold: Float32Array;
  /** Heads on the same frozen features, by fold; none where the backbone is trained. */
  readonly members: readonly Head[];
  /** Training photos as the trained network sees them, for `Student.novelty`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
};

export async function trainNetwork(options: TrainNetworkOptions): Promise<TrainedNetwork> {
  await writePhotos(options, options.set.rows, trainPhotos);
  return options.network.isPretrained ? await fromPretrained(options) : await fromScratch(options);
}

const trainPhotos = "train-photos.bin";
const validationPhotos = "validation-photos.bin";

async function fromPretrained(options: TrainNetworkOptions): Promise<TrainedNetwork> {
  const { network, trainsBackbone } = options;
  const data = await featuresOf(network.model, options);
  if (!trainsBackbone) {
    const { head, outOfFold, members } = await chooseHead(data, options);
    return { model: withHead(network, head), history: [], outOfFold, members, files: neighboursAmong(data) };
  }
  const start = network.isOurs ? network.model : withHead(network, await startingHead(data, options));
  const { model, history } = await fitOn(start, options);
  const files = await neighboursUnder(model, data, options);
  return { model, history, outOfFold: await outOfFoldOnly(data, options), members: [], files };
}

async function fromScratch(options: TrainNetworkOptions): Promise<TrainedNetwork> {
  const { model: trained, history } = await fitOn(options.network.model, options);
  const model = foldBatchNormalisation(trained);
  const data = await featuresOf(model, options);
  const outOfFold = await outOfFoldOnly(data, options);
  return { model, history, outOfFold, members: [], files: neighboursAmong(data) };
}

/** Of features that the trained network itself has made of every training row. */
function neighboursAmong(data: HeadData): TrainedNetwork["files"] {
  const { rows, classStarts } = kept(data);
  const { features, width } = data;
  const own = new Float32Array(rows.length * width);
  for (const [at, row] of rows.entries()) own.set(features.subarray(row * width, (row + 1) * width), at * width);
  return neighbourFiles(own, classStarts);
}

/** Training has moved the features: the photos to keep are shown to the network once more. */
async function neighboursUnder(
  model: Model,
  data: HeadData,
  options: TrainNetworkOptions,
): Promise<TrainedNetwork["files"]> {
  const { rows: indices, classStarts } = kept(data);
  const backbone = cutAt(model, options.network.features);
  const features = await runOver(backbone, options, { photos: trainPhotos, indices, stage: "neighbours" });
  return neighbourFiles(features, classStarts);
}

const kept = ({ rows, classes, width }: HeadData) =>
  rowsToKeep({ classIndices: Int32Array.from(rows, ({ classIndex }) => classIndex), classes }, width);

const neighbourFiles = (features: Float32Array, classStarts: Int32Array): TrainedNetwork["files"] =>
  new Map([[neighboursFile, writeNeighbours(collectNeighbours(features, classStarts))]]);

/** What the backbone makes of every training row. */
async function featuresOf(model: Model, options: TrainNetworkOptions): Promise<HeadData> {
  const { network, set } = options;
  const backbone = cutAt(model, network.features);
  const features = await runOver(backbone, options, {
    photos: trainPhotos,
    indices: places(set.rows),
    stage: "features",
  });
  return { features, width: features.length / set.rows.length, classes: set.classes.length, rows: set.rows };
}

function withHead({ model, head }: StartingNetwork, { weights, bias }: Head): Model {
  const classes = bias.length;
  const values = new Map([
    [head.weight, floats(weights, [classes, weights.length / classes])],
    [head.bias, floats(bias)],
  ]);
  return withParameters(model, values);
}

async function fitOn(forward: Model, options: TrainNetworkOptions) {
  const { network, set, recipe, validation, workFolder } = options;
  if (validation.length > 0) await writePhotos(options, validation, validationPhotos);
  return await fit({
    ...options,
    forward,
    parameters: isBorrowed(network) ? await unfrozenParameters(forward, network.preprocessing.size) : undefined,
    rows: set.rows,
    photosPath: join(workFolder, trainPhotos),
    preprocessing: network.preprocessing,
    recipe,
    checkpointPath: join(workFolder, "checkpoint.safetensors"),
    validate: validation.length > 0 ? (model) => validationLoss(model, options) : undefined,
  });
}

/** Trained by others, on other pictures: its early layers stay as they are. A network of ours is trained in full. */
const isBorrowed = ({ isPretrained, isOurs }: StartingNetwork): boolean => isPretrained && !isOurs;

async function validationLoss(model: Model, options: TrainNetworkOptions): Promise<number> {
  const { validation: rows, set } = options;
  const served = foldBatchNormalisation(model);
  const indices = places(rows);
  const logits = await runOver(served, options, { photos: validationPhotos, indices, stage: "validate" });
  return meanLogLoss({ rows, classes: set.classes.length }, logits);
}

const places = (rows: readonly TrainingRow[]): readonly number[] => [...rows.keys()];

type Run = { readonly photos: string; readonly indices: readonly number[]; readonly stage: string };

function runOver(model: Model, options: TrainNetworkOptions, { photos, indices, stage }: Run): Promise<Float32Array> {
  const { network, workFolder, threads, progress, signal } = options;
  const { preprocessing } = network;
  return runOverPhotos({
    model,
    photosPath: join(workFolder, photos),
    indices,
    preprocessing,
    threads,
    stage,
    progress,
    signal,
  });
}

function writePhotos(options: TrainNetworkOptions, rows: readonly TrainingRow[], name: string): Promise<void> {
  const { network, blobs, workFolder, threads, progress, signal } = options;
  const { preprocessing } = network;
  return writePhotoFile({
    path: join(workFolder, name),
    rows: rows.flatMap(({ id, input }) => (input.kind === "image" ? [{ id, blob: input.blob }] : [])),
    blobs,
    preprocessing,
    concurrency: 2 * threads,
    progress,
    signal,
  });
}
