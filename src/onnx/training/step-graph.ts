/**
 * @file One training step as one ONNX graph: forward, loss, backward, gradient clipping, optimiser. Everything that
 * changes between steps is an input, everything the next step needs is an output.
 */

import { FlywheelError } from "../../errors.ts";
import { createGraphBuilder, type GraphBuilder, type Value } from "../builder.ts";
import { differentiate } from "../differentiate.ts";
import { lower } from "../lower/lower.ts";
import type { Target } from "../lower/lowering.ts";
import { type Model, onlyOutput } from "../model.ts";
import type { MutableTypes } from "../rules/rule.ts";
import { chunksOf, type Layout } from "./layout.ts";
import { appendLoss, type Loss } from "./loss.ts";
import { appendUpdate, momentCount, type Optimiser, type StepScalars } from "./optimiser.ts";
import type { Prepared } from "./prepare.ts";

/** Names of the step graph's own inputs and outputs. */
export const ports = {
  targets: "flywheel/targets",
  shares: "flywheel/shares",
  parameters: (chunk: number): string => `flywheel/parameters/${chunk}`,
  decayMask: (chunk: number): string => `flywheel/decay_mask/${chunk}`,
  rates: (chunk: number): string => `flywheel/rates/${chunk}`,
  moment: (index: number, chunk: number): string => `flywheel/moment/${index}/${chunk}`,
  scalar: (name: string): string => `flywheel/${name}`,
  loss: "flywheel/loss",
  logits: "flywheel/logits",
  gradientNorm: "flywheel/gradient_norm",
  newParameters: (chunk: number): string => `flywheel/new_parameters/${chunk}`,
  newMoment: (index: number, chunk: number): string => `flywheel/new_moment/${index}/${chunk}`,
  newStatistics: "flywheel/new_statistics",
} as const;

export type StepGraphOptions = {
  readonly prepared: Prepared;
  readonly parameters: Layout;
  readonly statistics: Layout;
  readonly loss: Loss;
  readonly optimiser: Optimiser;
  /** Largest allowed L2 norm of the whole gradient; `undefined` leaves it alone. */
  readonly clipNorm: number | undefined;
  /** Whether parameters have learning rates of their own, which are then fed. */
  readonly hasRates: boolean;
  readonly target: Target;
};

/** Protects the division by the gradient's norm; PyTorch's value. */
const normEpsilon = 1e-6;

/** Rows and classes of the logits. @throws FlywheelError `onnx_unexpected_interface` unless they are `[N, K]`. */
export function logitsShape({ model, types }: Prepared): readonly [number, number] {
  const { name } = onlyOutput(model);
  const dims = types.get(name)?.dims ?? [];
  const [rows, classes] = dims;
  if (dims.length === 2 && rows !== undefined && classes !== undefined) return [rows, classes];
  throw new FlywheelError("onnx_unexpected_interface", `output "${name}" has dims [${dims}], expected logits [N, K]`, {
    hint: "flatten the logits, and strip a trailing Softmax (withClassifierHead does both)",
  });
}

export function buildStepGraph(options: StepGraphOptions): Model {
  const { prepared, parameters, statistics, target } = options;
  const { graph } = prepared.model;
  const variable = new Set([...parameters.slots, ...statistics.slots].map((slot) => slot.name));
  const initialisers = new Map([...graph.initialisers].filter(([name]) => !variable.has(name)));
  const g = createGraphBuilder("training_step", { from: { ...graph, initialisers } });
  for (const { name, dims } of [...parameters.slots, ...statistics.slots]) g.input(name, "float32", dims);
  const types = new Map(prepared.types);
  const gradients = appendBackward(g, options, types);
  const flat = chunksOf(parameters).map(({ slots }) =>
    concatenated(
      g,
      slots.map(({ name }) => gradientOf(name, gradients)),
    ),
  );
  appendOptimiser(g, options, clipped(g, flat, options.clipNorm));
  appendStatistics(g, options);
  return lower(g.build(), { types, target });
}

/** Adds the types of gradients to `types`. */
function appendBackward(g: GraphBuilder, options: StepGraphOptions, types: MutableTypes): Map<string, Value> {
  const { prepared, parameters, loss } = options;
  const { graph } = prepared.model;
  const [rows, classes] = logitsShape(prepared);
  const logits = { name: onlyOutput(prepared.model).name };
  const targets = g.input(ports.targets, "float32", [rows, classes]);
  const shares = g.input(ports.shares, "float32", [rows, 1]);
  const { loss: value, gradient } = appendLoss(loss, { g, logits, targets, shares, classes });
  g.output(ports.loss, value);
  g.output(ports.logits, logits);
  const withRespectTo = parameters.slots.map((slot) => slot.name);
  const seeds = new Map([[logits.name, gradient]]);
  return differentiate({ builder: g, graph, types, seeds, withRespectTo });
}

function gradientOf(name: string, gradients: ReadonlyMap<string, Value>): Value {
  const gradient = gradients.get(name);
  if (gradient) return gradient;
  throw new FlywheelError("onnx_parameter_unused", `parameter "${name}" does not influence the output`, {
    hint: "leave it out of the trainable parameters",
  });
}

function concatenated(g: GraphBuilder, values: readonly Value[]): Value {
  const flat = values.map((value) => g.op("Reshape", [value, g.shape([-1])]));
  return flat.length === 1 ? flat[0]! : g.op("Concat", flat, { axis: 0 });
}

/** Each g · min(1, limit / (‖g‖ + ε)), the norm being that of all of them together. */
function clipped(g: GraphBuilder, gradients: readonly Value[], limit: number | undefined): readonly Value[] {
  const norms = gradients.map((gradient) => g.op("ReduceL2", [gradient], { keepdims: 1 }));
  const norm = g.op("ReduceL2", [concatenated(g, norms)], { keepdims: 0 });
  g.output(ports.gradientNorm, norm);
  if (limit === undefined) return gradients;
  const ratio = g.op("Div", [g.scalar(limit), g.op("Add", [norm, g.scalar(normEpsilon)])]);
  const factor = g.op("Min", [ratio, g.scalar(1)]);
  return gradients.map((gradient) => g.op("Mul", [gradient, factor]));
}

function appendOptimiser(g: GraphBuilder, options: StepGraphOptions, gradients: readonly Value[]): void {
  const { optimiser, parameters, hasRates } = options;
  const scalar = (name: keyof StepScalars): Value => g.input(ports.scalar(name), "float32", []);
  const scalars = {
    learningRate: scalar("learningRate"),
    rootCorrection: scalar("rootCorrection"),
    decay: scalar("decay"),
  };
  const indices = Array.from({ length: momentCount(optimiser) }, (_, index) => index);
  for (const [chunk, { length }] of chunksOf(parameters).entries()) {
    const vector = (name: string): Value => g.input(name, "float32", [length]);
    const names = {
      parameters: ports.newParameters(chunk),
      moments: indices.map((index) => ports.newMoment(index, chunk)),
    };
    const update = appendUpdate(optimiser, {
      g,
      gradient: gradients[chunk]!,
      parameters: vector(ports.parameters(chunk)),
      moments: indices.map((index) => vector(ports.moment(index, chunk))),
      decayMask: vector(ports.decayMask(chunk)),
      rates: hasRates ? vector(ports.rates(chunk)) : undefined,
      scalars,
      names,
    });
    g.output(names.parameters, update.parameters);
    for (const [index, moment] of update.moments.entries()) g.output(names.moments[index]!, moment);
  }
}

function appendStatistics(g: GraphBuilder, { prepared }: StepGraphOptions): void {
  const updated = prepared.statistics.map((each) => ({ name: each.updated }));
  if (updated.length > 0) g.output(ports.newStatistics, concatenated(g, updated));
}
