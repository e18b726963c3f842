/**
 * @file Surgery on models that others trained: cut a classifier off its backbone, give it a new head, split it so that
 * frozen features can be computed once. Works on any ONNX file, from its structure alone.
 */

import { FlywheelError } from "../errors.ts";
import { createRng, fork, type Seed } from "../math/random.ts";
import { createGraphBuilder, type Value } from "./builder.ts";
import { foldConstants } from "./fold-constants.ts";
import { inferPorts, withSizes } from "./infer-types.ts";
import { type Dimension, type Model, type Node, onlyOutput, producersOf } from "./model.ts";
import { prune } from "./prune.ts";
import type { Port } from "./session.ts";
import { floats } from "./tensor.ts";
import { upgrade } from "./upgrade.ts";

/** Between a classifier's last weights and its output; they change no argmax. */
const trailing: ReadonlySet<string> = new Set(["Softmax", "LogSoftmax", "Identity", "Cast", "Dropout"]);
const flatteners: ReadonlySet<string> = new Set(["Flatten", "Reshape", "Squeeze"]);

/**
 * The value a new head should read: what the last linear layer reads, or the pooled features of a backbone without one.
 */
export function featureTensor(model: Model): string {
  const producers = producersOf(model.graph);
  let name = onlyOutput(model).name;
  let isFlattened = false;
  for (;;) {
    const node = producers.get(name);
    if (!node || !(trailing.has(node.opType) || flatteners.has(node.opType))) break;
    isFlattened ||= flatteners.has(node.opType);
    name = node.inputs[0]!;
  }
  return classifierInput(producers, name, isFlattened) ?? name;
}

/** What the linear layer that makes `name` reads; `undefined` if no linear layer makes it. */
function classifierInput(producers: ReadonlyMap<string, Node>, name: string, isFlattened: boolean): string | undefined {
  const node = producers.get(name);
  if (node?.opType === "Gemm" || node?.opType === "MatMul") return node.inputs[0];
  // A 1×1 convolution is a classifier only when its output is then flattened; otherwise it is part of the backbone.
  if (node?.opType === "Conv" && isFlattened) return node.inputs[0];
  if (node?.opType !== "Add") return undefined;
  return node.inputs.map((each) => producers.get(each)).find((each) => each?.opType === "MatMul")?.inputs[0];
}

/** The part of a model up to one of its values, which becomes its only output. @throws FlywheelError `onnx_unknown_name` */
export function cutAt(model: Model, name: string): Model {
  checkValue(model, name);
  const outputs = [{ name, dtype: undefined, dims: undefined }];
  return { ...model, graph: { ...prune(model.graph, [name], true), outputs } };
}

function checkValue(model: Model, name: string): void {
  const { nodes, inputs } = model.graph;
  const names = [...inputs.map((input) => input.name), ...nodes.flatMap((node) => node.outputs)];
  if (names.includes(name)) return;
  throw new FlywheelError("onnx_unknown_name", `the model has no value "${name}"`, {
    hint: `the last ones are: ${names.slice(-10).join(", ")}`,
  });
}

/** A network with a second output. */
export type Wider = { readonly network: Model; readonly features: string };

/**
 * The network with what its last layer reads as a further output. Only in memory, so that its file keeps the one output that
 * other programs expect; where it is not fetched, it costs nothing.
 */
export function withFeatures(network: Model): Wider {
  const features = featureTensor(network);
  const outputs = [...network.graph.outputs, { name: features, dtype: undefined, dims: undefined }];
  return { network: { ...network, graph: { ...network.graph, outputs } }, features };
}

export type HeadOptions = {
  /** K, at least 2. */
  readonly classes: number;
  readonly seed: Seed;
  /** The value to put the head on. Default: `featureTensor(model)`. */
  readonly at?: string;
  /** Rate of dropout before the linear layer, in training. Default 0. */
  readonly dropout?: number;
};

/** Names of a new head's parameters. */
export const headParameters = ["head.weight", "head.bias"] as const;

/**
 * The backbone under a new, untrained linear head: global average pooling if the features are still maps, dropout, and
 * a linear layer to `[N, K]` logits. Weights are uniform in ±1/√C (PyTorch's default), the bias 0.
 * @throws FlywheelError `onnx_unknown_name`, `onnx_bad_option`, `onnx_unknown_shape` when the number of features is open
 */
export async function withClassifierHead(model: Model, options: HeadOptions): Promise<Model> {
  const { classes, seed, dropout = 0 } = options;
  if (!Number.isInteger(classes) || classes < 2 || !(dropout >= 0 && dropout < 1)) {
    throw new FlywheelError(
      "onnx_bad_option",
      `a head needs 2 or more classes and a dropout rate in [0, 1), got ${classes}, ${dropout}`,
    );
  }
  const backbone = cutAt(upgrade(model), options.at ?? featureTensor(upgrade(model)));
  const features = await featurePort(backbone);
  const g = createGraphBuilder(backbone.graph.name, { from: backbone.graph });
  const flat = flattened(g, features);
  const kept = dropout === 0 ? flat : g.op("Dropout", [flat, g.scalar(dropout)]);
  const size = channelsOf(features);
  const weight = g.parameter(headParameters[0], uniform([classes, size], 1 / Math.sqrt(size), fork(seed, "head")));
  const bias = g.parameter(headParameters[1], floats(new Float32Array(classes)));
  g.output("logits", g.linear(kept, weight, bias), "float32", ["N", classes]);
  const built = g.build({ metadata: model.metadata });
  return { ...built, opsets: { ...backbone.opsets, ...built.opsets, "": backbone.opsets[""]! } };
}

async function featurePort(backbone: Model): Promise<Port> {
  const ports = await inferPorts(backbone);
  const port = portOf(backbone, ports);
  return isSized(port) || !backbone.graph.inputs.every(isSized) ? port : await sizedPort(backbone);
}

const portOf = (backbone: Model, ports: readonly Port[]): Port =>
  ports.find((port) => port.name === onlyOutput(backbone).name)!;

/** All but the batch. */
const isSized = ({ dims }: { readonly dims: Port["dims"] | undefined }): boolean =>
  dims?.slice(1).every((size) => typeof size === "number") ?? false;

/** Where the network computes its shapes from the batch's: for a batch of one. */
async function sizedPort(backbone: Model): Promise<Port> {
  const inputs = backbone.graph.inputs.map((each) => ({ ...each, dims: each.dims && [1, ...each.dims.slice(1)] }));
  const bound = withSizes({ ...backbone, graph: { ...backbone.graph, inputs } }, {});
  const folded = await foldConstants(bound, (name) => backbone.graph.initialisers.get(name)?.dtype === "float32");
  const port = portOf(folded, await inferPorts(folded));
  return { ...port, dims: ["N", ...port.dims.slice(1)] };
}

function channelsOf({ name, dims }: Port): number {
  const channels = dims[1];
  if (typeof channels === "number") return channels;
  throw new FlywheelError("onnx_unknown_shape", `the number of features of "${name}" is not known (dims ${dims})`, {
    hint: "cut where the model has features of a fixed number, [N, C] or [N, C, H, W]",
  });
}

function flattened(g: ReturnType<typeof createGraphBuilder>, { name, dims }: Port): Value {
  if (dims.length === 2) return { name };
  const isPooled = dims.slice(2).every((size) => size === 1);
  return g.op("Flatten", [isPooled ? { name } : g.op("GlobalAveragePool", [{ name }])]);
}

function uniform(dims: readonly number[], bound: number, seed: Seed) {
  const rng = createRng(seed);
  const size = dims.reduce((product, dim) => product * dim, 1);
  return floats(
    Float32Array.from({ length: size }, () => (2 * rng.next() - 1) * bound),
    dims,
  );
}

export type Split = {
  /** From the inputs to the cut: run it once per row and keep the result. */
  readonly frozen: Model;
  /** From the cut, as its only input, to the outputs. */
  readonly trainable: Model;
};

/**
 * Splits a model at one of its values.
 * @throws FlywheelError `onnx_unknown_name`; `onnx_bad_cut` when something beyond the cut also reads values before it
 */
export async function splitAt(model: Model, name: string): Promise<Split> {
  const frozen = cutAt(model, name);
  const port = await featurePort(frozen);
  const dims: readonly Dimension[] = ["N", ...port.dims.slice(1)];
  const { graph } = model;
  const before = new Set([
    ...frozen.graph.nodes.flatMap((node) => node.outputs),
    ...graph.inputs.map((each) => each.name),
  ]);
  const nodes = graph.nodes.filter((node) => !node.outputs.some((output) => before.has(output)));
  const crossing = nodes.flatMap((node) => node.inputs).find((input) => input !== name && before.has(input));
  if (crossing !== undefined) {
    throw new FlywheelError("onnx_bad_cut", `beyond "${name}" the model still reads "${crossing}" from before it`, {
      hint: "cut where everything passes through one value: after a block, not inside one",
    });
  }
  const tail = { ...graph, nodes, inputs: [{ name, dtype: port.dtype, dims }] };
  const outputs = graph.outputs.map((output) => output.name);
  return { frozen, trainable: { ...model, graph: prune(tail, outputs) } };
}
