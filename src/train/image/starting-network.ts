/**
 * @file The network that training starts from, whatever it is: one of ours from scratch or with pretrained weights, or any
 * ONNX file under a new head. From here on they are all the same: images in, features, a linear head, logits.
 */

import { basename } from "node:path";
import { z } from "zod";
import { FlywheelError, messageOf } from "../../errors.ts";
import type { Seed } from "../../math/random.ts";
import { foldBatchNormalisation } from "../../onnx/fold-batch-normalisation.ts";
import { type Model, onlyInput } from "../../onnx/model.ts";
import { readOnnxFile } from "../../onnx/onnx-file.ts";
import { headParameters, withClassifierHead } from "../../onnx/surgery.ts";
import type { ImagePreprocessing, LabelValue } from "../../records.ts";
import type { StudentOptions } from "../../task.ts";
import type { HubOptions } from "../hub.ts";
import { architectureOf, buildNetwork, featuresName } from "./build-network.ts";
import { withImageInput } from "./image-input.ts";
import { seededInitialiser } from "./initialise.ts";
import { applyWeights, readWeights, resolveWeights, sha256OfWeights } from "./weights.ts";

export type StartingNetwork = {
  /** For the model card: `mobilenet-v3-small`, `onnx:mobilenet-v2-1.0-224`. */
  readonly trainer: string;
  /** `images` `[N, 3, size, size]` → `logits` `[N, classes]`. */
  readonly model: Model;
  /** Names of the head's parameters, `[classes, width]` and `[classes]`. */
  readonly head: { readonly weight: string; readonly bias: string };
  /** The value `[N, width]` that the head reads. */
  readonly features: string;
  readonly isPretrained: boolean;
  /** A model that was trained here for the same classes: it goes on with the head that it has. */
  readonly isOurs: boolean;
  readonly preprocessing: ImagePreprocessing;
  /** The identity of the weights that it starts from (`sha256OfWeights`). */
  readonly weightsSha256?: string | undefined;
};

export type StartOptions = HubOptions & {
  readonly student: StudentOptions;
  readonly classes: readonly LabelValue[];
  readonly seed: Seed;
};

/** Of ImageNet; what timm's and torchvision's weights were trained with, and as good as any from scratch. */
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** Where the task leaves the choice to us: the cheapest to run of those that are good enough. */
const usualTrainer = "mobilenet-v3-small";

/** Side of the input where the task does not say: what the pretrained networks were made for. */
const usualSize = 224;

/**
 * How the student's network is cut to small photographs: strides left out so that the last map keeps some extent. Each costs
 * four times the work; at 64 pixels (a last map of 2×2) more epochs buy more than a larger map.
 */
export function skippedStridesFor(imageSize: number): number {
  if (imageSize <= 32) return 2;
  return imageSize <= 48 ? 1 : 0;
}

/**
 * @throws FlywheelError `unknown_trainer`, `weights_…` (see `resolveWeights`, `applyWeights`), `unknown_preprocessing`,
 *   `student_bad_option`, and what reading an ONNX file throws
 */
export async function startingNetwork(options: StartOptions): Promise<StartingNetwork> {
  return options.student.trainer === "onnx" ? await fromOnnxFile(options) : await fromArchitecture(options);
}

async function fromArchitecture(options: StartOptions): Promise<StartingNetwork> {
  const { student, classes, seed } = options;
  const { imageSize = usualSize } = student;
  const trainer = student.trainer === "auto" ? usualTrainer : student.trainer;
  const architecture = architectureOf(trainer);
  const weights = student.weights === "imagenet" ? architecture.imagenet : student.weights;
  const skippedStrides = weights === undefined ? skippedStridesFor(imageSize) : 0;
  const fresh = buildNetwork(architecture, {
    classes: classes.length,
    skippedStrides,
    initialise: seededInitialiser(seed),
  });
  const path = weights === undefined ? undefined : await resolveWeights(weights, options);
  // Pretrained statistics stay as they are, so they can disappear into the convolutions before training.
  const model = path === undefined ? fresh : foldBatchNormalisation(applyWeights(fresh, await readWeights(path)));
  return {
    trainer,
    model: withImageInput(model, imageSize),
    head: { weight: "classifier.weight", bias: "classifier.bias" },
    features: featuresName,
    isPretrained: path !== undefined,
    isOurs: false,
    preprocessing: preprocessingOf(imageSize, student.normalisation ?? imagenet),
    weightsSha256: path === undefined ? undefined : await sha256OfWeights(path),
  };
}

async function fromOnnxFile(options: StartOptions): Promise<StartingNetwork> {
  const { student } = options;
  if (student.weights === undefined) {
    throw new FlywheelError("student_bad_option", 'trainer "onnx" has no `weights`', {
      hint: "give the path of an .onnx classifier or backbone, or a hub name that ends in .onnx",
    });
  }
  const path = await resolveWeights(student.weights, options);
  const file = await readModelFile(path);
  const size = student.imageSize ?? declaredSize(file) ?? usualSize;
  const model = foldBatchNormalisation(withImageInput(file, size));
  const isOurs = file.metadata["flywheel.labels"] === JSON.stringify(options.classes);
  return {
    trainer: isOurs ? ownTrainer(file) : `onnx:${basename(path, ".onnx")}`,
    ...(isOurs ? withOwnHead(model) : await withNewHead(model, options)),
    isPretrained: true,
    isOurs,
    preprocessing: preprocessingOf(size, student.normalisation ?? declaredNormalisation(file, path)),
    weightsSha256: await sha256OfWeights(path),
  };
}

/** What a model of ours was before it went on. */
const ownTrainer = ({ metadata }: Model): string =>
  z.string().parse(JSON.parse(metadata["flywheel.trainer"] ?? "null"));

type Headed = Pick<StartingNetwork, "model" | "head" | "features">;

async function withNewHead(model: Model, { classes, seed }: StartOptions): Promise<Headed> {
  const headed = await withClassifierHead(model, { classes: classes.length, seed });
  const [weight, bias] = headParameters;
  return { model: headed, head: { weight, bias }, features: readerOf(headed, weight) };
}

/** Every model that training writes ends in one linear layer. */
function withOwnHead(model: Model): Headed {
  const [features = "", weight = "", bias = ""] =
    model.graph.nodes.findLast(({ opType }) => opType === "Gemm")?.inputs ?? [];
  return { model, head: { weight, bias }, features };
}

async function readModelFile(path: string): Promise<Model> {
  try {
    return await readOnnxFile(path);
  } catch (cause) {
    if (FlywheelError.isInstance(cause)) throw cause;
    throw new FlywheelError("weights_not_found", `cannot read ${path}: ${messageOf(cause)}`, {
      hint: "check `weights` in the task's student options; relative paths start at the workspace",
      cause,
    });
  }
}

/** What the layer with this weight reads. */
function readerOf({ graph }: Model, weight: string): string {
  const layer = graph.nodes.find((node) => node.inputs[1] === weight);
  if (layer) return layer.inputs[0]!;
  throw new FlywheelError("onnx_unknown_name", `no layer of "${graph.name}" has the weight "${weight}"`);
}

function preprocessingOf(size: number, { mean, std }: Pick<ImagePreprocessing, "mean" | "std">): ImagePreprocessing {
  return { size, resize: size, mean, std };
}

// ── what a file says of itself ──────────────────────────────────────────────────────────────────────────────────────

/** The side that an ONNX file fixes for its input. */
function declaredSize(model: Model): number | undefined {
  const side = onlyInput(model).dims?.[3];
  return typeof side === "number" ? side : undefined;
}

const Normalisation = z.object({
  mean: z.tuple([z.number(), z.number(), z.number()]),
  std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
});

/** From our own metadata, or Ultralytics' (pixels divided by 255 and nothing else). */
function declaredNormalisation({ metadata }: Model, path: string): Pick<ImagePreprocessing, "mean" | "std"> {
  const ours = metadata["flywheel.preprocessing"];
  if (ours !== undefined) return Normalisation.parse(JSON.parse(ours));
  if (metadata["names"] !== undefined && metadata["imgsz"] !== undefined) return { mean: [0, 0, 0], std: [1, 1, 1] };
  throw new FlywheelError("unknown_preprocessing", `${path} does not say how its pixels are to be normalised`, {
    hint:
      "set student.normalisation: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } for networks from PyTorch, " +
      "{ mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } for those from TensorFlow, as a rule",
  });
}
