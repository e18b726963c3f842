/**
 * @file From the graph that serves to the graph that trains: dropout gets a mask that is fed, batch normalisation works
 * either on frozen statistics or on the batch's own.
 */

import { attributesFrom } from "../attributes.ts";
import { createGraphBuilder, type GraphBuilder, type Value } from "../builder.ts";
import { withConstantsAsInitialisers } from "../constants.ts";
import { foldConstants } from "../fold-constants.ts";
import { type Bindings, inferTypes, type Types, withSizes } from "../infer-types.ts";
import { floatAttribute, type Graph, type Model, type Node } from "../model.ts";
import { elementCount, numbersOf } from "../tensor.ts";
import { upgrade } from "../upgrade.ts";

/** Whether batch normalisation uses the running statistics or the batch's (and updates the running ones). */
export type BatchNormalisation = "frozen" | "batch";

/** A mask that the caller feeds: 0 with probability `rate`, else 1 / (1 − rate). */
export type DropoutMask = { readonly name: string; readonly dims: readonly number[]; readonly rate: number };

/** A running statistic, and the graph value that replaces it after the step. */
export type Statistic = { readonly name: string; readonly updated: string };

export type Prepared = {
  readonly model: Model;
  readonly types: Types;
  readonly dropouts: readonly DropoutMask[];
  readonly statistics: readonly Statistic[];
};

export type PrepareOptions = {
  /** Initialisers that will be trained. */
  readonly parameters: readonly string[];
  readonly batchSize: number;
  /** Sizes of symbolic dimensions other than the batch. */
  readonly sizes?: Bindings;
  readonly batchNormalisation: BatchNormalisation;
};

/** The forward graph as training runs it, for batches of exactly `batchSize` rows. */
export async function prepareForTraining(forward: Model, options: PrepareOptions): Promise<Prepared> {
  const bound = bindSizes(withConstantsAsInitialisers(upgrade(forward)), options);
  const variable = new Set(options.parameters);
  const folded = await foldConstants(bound, (name) => variable.has(name));
  const rewritten = rewrite(folded, await inferTypes(folded, {}), options);
  return { ...rewritten, types: await inferTypes(rewritten.model, {}) };
}

/** The first dimension of every input becomes the batch size, further symbols what `sizes` says. */
function bindSizes(model: Model, { batchSize, sizes = {} }: PrepareOptions): Model {
  const bound = withSizes(model, sizes);
  const inputs = bound.graph.inputs.map((input) => ({
    ...input,
    dims: input.dims && [batchSize, ...input.dims.slice(1)],
  }));
  return { ...bound, graph: { ...bound.graph, inputs } };
}

/** ONNX's own default. */
const defaultDropoutRate = 0.5;

type Rewriting = {
  readonly g: GraphBuilder;
  readonly graph: Graph;
  readonly types: Types;
  readonly options: PrepareOptions;
  readonly dropouts: DropoutMask[];
  readonly statistics: Statistic[];
};

function rewrite(model: Model, types: Types, options: PrepareOptions): Omit<Prepared, "types"> {
  const { graph } = model;
  const reserved = graph.nodes.flatMap((node) => node.outputs);
  const g = createGraphBuilder(graph.name, { from: { ...graph, nodes: [] }, reserved });
  const r: Rewriting = { g, graph, types, options, dropouts: [], statistics: [] };
  for (const node of graph.nodes) rewriteNode(r, node);
  for (const { name } of graph.outputs) g.output(name, { name });
  const built = g.build({ metadata: model.metadata, producer: model.producer });
  return {
    model: { ...built, opsets: { ...model.opsets, ...built.opsets } },
    dropouts: r.dropouts,
    statistics: r.statistics,
  };
}

function rewriteNode(r: Rewriting, node: Node): void {
  const isBatch = r.options.batchNormalisation === "batch";
  if (node.opType === "Dropout") rewriteDropout(r, node);
  else if (node.opType === "BatchNormalization" && isBatch) rewriteBatchNormalisation(r, node);
  else r.g.node(node);
}

/** y = x · mask. As a fed input the mask is reproducible from the seed and the step, which the runtime's own is not. */
function rewriteDropout(r: Rewriting, node: Node): void {
  const [x, ratio = ""] = node.inputs;
  const [y] = node.outputs;
  const constant = r.graph.initialisers.get(ratio);
  const rate = constant ? numbersOf(constant)[0]! : defaultDropoutRate;
  const { dims } = r.types.get(y!)!;
  const plain = { ...node, outputs: [y!], attributes: {} };
  if (rate === 0) {
    r.g.node({ ...plain, opType: "Identity", inputs: [x!] });
    return;
  }
  const mask = r.g.input(`flywheel/dropout/${r.dropouts.length}`, "float32", dims);
  r.dropouts.push({ name: mask.name, dims, rate });
  r.g.node({ ...plain, opType: "Mul", inputs: [x!, mask.name] });
}

/**
 * With momentum 0 the operator's second and third outputs are the batch's own mean and (population) variance. Running
 * statistics blend them in, the variance with Bessel's correction, as PyTorch does. The operator is not shown the running
 * statistics themselves: ONNX Runtime 1.30 writes its outputs over those two inputs, even where they are fed arrays.
 */
function rewriteBatchNormalisation(r: Rewriting, node: Node): void {
  const [y] = node.outputs;
  const [x, scale, bias, mean, variance] = node.inputs;
  const { dims } = r.types.get(x!)!;
  const disposable = (name: string): string => r.g.op("Mul", [{ name }, r.g.scalar(0)]).name;
  const inputs = [x!, scale!, bias!, disposable(mean!), disposable(variance!)];
  const count = elementCount(dims) / dims[1]!;
  const keep = floatAttribute(node, "momentum", 0.9);
  const [batchMean, batchVariance] = [`${y}/mean`, `${y}/variance`];
  const attributes = { ...node.attributes, ...attributesFrom({ training_mode: 1, momentum: 0 }) };
  r.g.node({ ...node, inputs, outputs: [y!, batchMean, batchVariance], attributes });
  blend(r, mean!, keep, { name: batchMean, weight: 1 - keep });
  blend(r, variance!, keep, { name: batchVariance, weight: ((1 - keep) * count) / Math.max(count - 1, 1) });
}

function blend(
  { g, statistics }: Rewriting,
  name: string,
  keep: number,
  fresh: { name: string; weight: number },
): void {
  const scaled = g.op("Mul", [{ name: fresh.name }, g.scalar(fresh.weight)]);
  const updated: Value = g.op("Add", [g.op("Mul", [{ name }, g.scalar(keep)]), scaled]);
  statistics.push({ name, updated: updated.name });
}
