/** @file An architecture's table becomes an ONNX graph: `images` → `features` → `logits`. */

import { FlywheelError } from "../../errors.ts";
import { createGraphBuilder, type GraphBuilder } from "../../onnx/builder.ts";
import type { Model } from "../../onnx/model.ts";
import { type Architecture, ArchitectureName, type Block, roundWidth } from "./architecture.ts";
import { addBlock } from "./blocks.ts";
import { activate, convolution, type FeatureMap, type Initialise, linear, normalise, type Scope } from "./layers.ts";
import { mobilenetV2 } from "./mobilenet-v2.ts";
import { mobilenetV3Small } from "./mobilenet-v3-small.ts";
import { mobilenetV4ConvSmall } from "./mobilenet-v4-conv-small.ts";

const architectures: Readonly<Record<ArchitectureName, Architecture>> = {
  "mobilenet-v2": mobilenetV2,
  "mobilenet-v3-small": mobilenetV3Small,
  "mobilenet-v4-conv-small": mobilenetV4ConvSmall,
};

/** Name of the graph's `[N, width]` value that the last layer reads. */
export const featuresName = "features";

/** Whether an initialiser of a network holds learned weights (PyTorch: a parameter). */
export const isParameterName = (name: string): boolean => /\.(weight|bias)$/.test(name);

/** Whether an initialiser of a network holds batch norm's running statistics (PyTorch: a buffer). */
export const isStatisticName = (name: string): boolean => /\.running_(mean|var)$/.test(name);

export type NetworkOptions = {
  readonly classes: number;
  /** Multiplies every width but the classes; widths round to multiples of 8. Default 1. */
  readonly widthMultiplier?: number;
  /**
   * How many of the network's halvings of resolution are left out, first ones first. All five turn 224² into 7²; a 64²
   * photograph would end as 2², so small inputs learn better with 1 (twice the work per side). No parameter changes
   * shape: pretrained weights still fit. Default: `keptResolution(imageSize)`.
   */
  readonly skippedStrides?: number;
  readonly initialise: Initialise;
};

/**
 * The forward graph with batch norm: input `images` `[N, 3, H, W]` (any side), output `logits` `[N, classes]`; the
 * penultimate `[N, width]` is the value `features`.
 */
export function buildNetwork(architecture: Architecture, options: NetworkOptions): Model {
  const graph = createGraphBuilder(architecture.name);
  const scope = { graph, initialise: options.initialise, strideOf: skipping(options.skippedStrides ?? 0) };
  const scaled = (width: number) => roundWidth(width * (options.widthMultiplier ?? 1));
  const images = { value: graph.input("images", "float32", ["N", 3, "H", "W"]), width: 3 };
  const stem = addStem(scope, architecture, images, scaled(architecture.stemWidth));
  const body = addStages(scope, architecture, stem, scaled);
  const features = addHead(scope, architecture, body, headWidth(architecture, options.widthMultiplier ?? 1));
  graph.output("logits", linear(scope, "classifier", features, options.classes), "float32", ["N", options.classes]);
  return graph.build();
}

/** @throws FlywheelError `unknown_trainer` */
export function architectureOf(name: string): Architecture {
  const known = ArchitectureName.find((each) => each === name);
  if (known) return architectures[known];
  throw new FlywheelError("unknown_trainer", `no network is called "${name}"`, {
    hint: `use one of ${ArchitectureName.join(", ")}, or "onnx" with a model file in \`weights\``,
  });
}

/** A stride function that answers 1 for the first `count` halvings. */
function skipping(count: number): Scope["strideOf"] {
  let left = count;
  return (wanted) => {
    if (wanted === 1 || left === 0) return wanted;
    left -= 1;
    return 1;
  };
}

function addStem(scope: Scope, { activation }: Architecture, images: FeatureMap, width: number): FeatureMap {
  const filtered = convolution(scope, "conv_stem", images, { width, kernel: 3, stride: 2 });
  return activate(scope, activation, normalise(scope, "bn1", filtered));
}

function addStages(
  scope: Scope,
  architecture: Architecture,
  stem: FeatureMap,
  scaled: (width: number) => number,
): FeatureMap {
  let map = stem;
  architecture.stages.forEach((stage, stageIndex) => {
    stage.flatMap(repetitions).forEach((spec, index) => {
      const { activation = architecture.activation, stride } = spec;
      const block = { spec, activation, stride, width: scaled(spec.width) };
      map = addBlock(scope, `blocks.${stageIndex}.${index}`, map, block);
    });
  });
  return map;
}

function repetitions(spec: Block): readonly Block[] {
  return Array.from({ length: spec.repeat ?? 1 }, (_, index) => (index === 0 ? spec : { ...spec, stride: 1 }));
}

function addHead(scope: Scope, architecture: Architecture, body: FeatureMap, width: number): FeatureMap {
  const { head, activation } = architecture;
  const conv = (input: FeatureMap, bias: boolean) => convolution(scope, "conv_head", input, { width, kernel: 1, bias });
  switch (head.kind) {
    case "norm-pool":
      return flatten(
        scope.graph,
        pool(scope.graph, activate(scope, activation, normalise(scope, "bn2", conv(body, false)))),
      );
    case "pool-bias":
      return flatten(scope.graph, activate(scope, activation, conv(pool(scope.graph, body), true)));
    case "pool-norm":
      return flatten(
        scope.graph,
        activate(scope, activation, normalise(scope, "norm_head", conv(pool(scope.graph, body), false))),
      );
    default:
      return head.kind satisfies never;
  }
}

/** MobileNetV2 never narrows its last layer (timm: `max(1280, …)`); the others' is fixed. */
function headWidth({ head }: Architecture, multiplier: number): number {
  return head.kind === "norm-pool" ? Math.max(head.width, roundWidth(head.width * multiplier)) : head.width;
}

function pool(graph: GraphBuilder, { value, width }: FeatureMap): FeatureMap {
  return { value: graph.op("GlobalAveragePool", [value]), width };
}

function flatten(graph: GraphBuilder, { value, width }: FeatureMap): FeatureMap {
  return { value: graph.op("Flatten", [value], { axis: 1 }, { name: featuresName }), width };
}
