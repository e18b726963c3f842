/**
 * @file What one step reads and the next one writes: parameters, optimiser moments, running statistics, as flat arrays. How
 * they enter and leave the step graph, and how they become a checkpoint.
 */

import { FlywheelError } from "../../errors.ts";
import { parameterOf } from "../parameters.ts";
import type { NumericTensor, Safetensors } from "../safetensors.ts";
import type { Feeds } from "../session.ts";
import { floats, type TensorOf } from "../tensor.ts";
import { chunksOf, flatten, type Layout, part, views } from "./layout.ts";
import { momentCount, type Optimiser } from "./optimiser.ts";
import type { Prepared } from "./prepare.ts";
import { ports } from "./step-graph.ts";

/** What the flat arrays hold. */
export type StateShape = {
  readonly parameters: Layout;
  readonly statistics: Layout;
  readonly optimiser: Optimiser;
};

export type State = {
  readonly parameters: Float32Array;
  readonly moments: readonly Float32Array[];
  readonly statistics: Float32Array;
};

/** All zeros. */
export function blankState({ parameters, statistics, optimiser }: StateShape): State {
  return {
    parameters: new Float32Array(parameters.length),
    moments: Array.from({ length: momentCount(optimiser) }, () => new Float32Array(parameters.length)),
    statistics: new Float32Array(statistics.length),
  };
}

/** The model's own values, no momentum. */
export function initialState(shape: StateShape, { model }: Prepared): State {
  const values = (layout: Layout) =>
    flatten(layout, new Map(layout.slots.map(({ name }) => [name, parameterOf(model, name)])));
  return { ...blankState(shape), parameters: values(shape.parameters), statistics: values(shape.statistics) };
}

/** Copies of all parameters and statistics, by name. */
export function valuesOf(shape: StateShape, { parameters, statistics }: State): Map<string, TensorOf<"float32">> {
  const named = { ...views(shape.parameters, parameters.slice()), ...views(shape.statistics, statistics.slice()) };
  return new Map(Object.entries(named));
}

export function stateFeeds({ parameters, statistics }: StateShape, state: State): Feeds {
  return {
    ...views(parameters, state.parameters),
    ...views(statistics, state.statistics),
    ...inChunks(parameters, ports.parameters, state.parameters),
    ...momentsInChunks(parameters, ports.moment, state),
  };
}

/** Arrays for the step's results. */
export function stateFetches({ parameters, statistics }: StateShape, state: State): Feeds {
  return {
    ...inChunks(parameters, ports.newParameters, state.parameters),
    ...momentsInChunks(parameters, ports.newMoment, state),
    ...(statistics.length > 0 ? { [ports.newStatistics]: floats(state.statistics) } : {}),
  };
}

/** Views of a flat vector, one a chunk. */
export function inChunks(layout: Layout, nameOf: (chunk: number) => string, flat: Float32Array): Feeds {
  return Object.fromEntries(chunksOf(layout).map((chunk, index) => [nameOf(index), part(chunk, flat)]));
}

type MomentName = (index: number, chunk: number) => string;

function momentsInChunks(layout: Layout, nameOf: MomentName, { moments }: State): Feeds {
  return Object.assign(
    {},
    ...moments.map((moment, index) => inChunks(layout, (chunk) => nameOf(index, chunk), moment)),
  );
}

export function checkpointOf(shape: StateShape, state: State, steps: number): Safetensors {
  const vectors: [string, NumericTensor][] = [
    ["parameters", floats(state.parameters.slice())],
    ["statistics", floats(state.statistics.slice())],
    ...state.moments.map((moment, index): [string, NumericTensor] => [`moment.${index}`, floats(moment.slice())]),
  ];
  return { tensors: new Map(vectors), metadata: { steps: String(steps), layout: signature(shape) } };
}

/** @throws FlywheelError `onnx_checkpoint_mismatch` unless the checkpoint is one of this shape, and whole. */
export function stateFrom(shape: StateShape, { tensors, metadata }: Safetensors): { state: State; steps: number } {
  const steps = Number(metadata["steps"]);
  if (metadata["layout"] !== signature(shape) || !Number.isInteger(steps)) throw mismatch("model or optimiser");
  const blank = blankState(shape);
  const like = (name: string, { length }: Float32Array): Float32Array => {
    const found = tensors.get(name);
    if (found?.dtype !== "float32" || found.data.length !== length) throw mismatch(`size of "${name}"`);
    return found.data.slice();
  };
  const state = {
    parameters: like("parameters", blank.parameters),
    moments: blank.moments.map((moment, index) => like(`moment.${index}`, moment)),
    statistics: like("statistics", blank.statistics),
  };
  return { state, steps };
}

/** Says which tensors the flat arrays hold. */
function signature({ parameters, statistics, optimiser }: StateShape): string {
  const described = [parameters, statistics].map(({ slots }) => slots.map(({ name, dims }) => [name, dims]));
  return JSON.stringify([optimiser.kind, ...described]);
}

function mismatch(what: string): FlywheelError {
  return new FlywheelError("onnx_checkpoint_mismatch", `the checkpoint was written with another ${what}`, {
    hint: "start afresh, or restore with the options that wrote it",
  });
}
