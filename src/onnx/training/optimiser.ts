/**
 * @file Optimisers as graph nodes. All parameters are one flat vector, so an update is a handful of long vector
 * operations instead of a handful for each of a hundred tensors.
 */

import { FlywheelError } from "../../errors.ts";
import type { GraphBuilder, Value } from "../builder.ts";

export type SgdOptions = {
  readonly kind: "sgd";
  /** In [0, 1). Default 0.9. */
  readonly momentum?: number;
  /** Nesterov's look-ahead (Sutskever et al. 2013, as PyTorch writes it). Default false. */
  readonly nesterov?: boolean;
  /** Added to the gradient of decayed parameters. Default 0. */
  readonly weightDecay?: number;
};

export type AdamWOptions = {
  readonly kind: "adamw";
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8: protects the division by the root of the second moment. */
  readonly epsilon?: number;
  /** Decoupled (Loshchilov & Hutter 2019): scales decayed parameters by 1 − learning rate · decay. Default 0.01. */
  readonly weightDecay?: number;
};

export type Optimiser = SgdOptions | AdamWOptions;

/** Scalars that change at every step; computed in float64, because 1 − β₂ᵗ loses four digits in float32. */
export type StepScalars = { readonly learningRate: number; readonly rootCorrection: number; readonly decay: number };

type Terms = {
  readonly g: GraphBuilder;
  /** `[P]`, clipped. */
  readonly gradient: Value;
  /** `[P]` */
  readonly parameters: Value;
  /** `[P]` each. */
  readonly moments: readonly Value[];
  /** `[P]`: how much of the weight decay applies to each. */
  readonly decayMask: Value;
  /** `[P]`: each parameter's share of the learning rate; `undefined`: all have the whole. */
  readonly rates: Value | undefined;
  readonly scalars: Readonly<Record<keyof StepScalars, Value>>;
  /** Names of what the update makes: written where they are wanted, no copy is made of them. */
  readonly names: { readonly parameters: string; readonly moments: readonly string[] };
};

export type Update = { readonly parameters: Value; readonly moments: readonly Value[] };

/** How many state vectors of the parameters' length an optimiser keeps. */
export const momentCount = (optimiser: Optimiser): number => (optimiser.kind === "sgd" ? 1 : 2);

/** @throws FlywheelError `onnx_bad_option` naming the option that is out of range. */
export function checkOptimiser(optimiser: Optimiser): void {
  const { kind, nesterov: _, ...numbers } = { nesterov: false, ...optimiser };
  for (const [name, value] of Object.entries(numbers)) {
    const isRate = name === "momentum" || name.startsWith("beta");
    if (typeof value === "number" && value >= 0 && (!isRate || value < 1)) continue;
    throw new FlywheelError(
      "onnx_bad_option",
      `${kind}: ${name} must be ${isRate ? "in [0, 1)" : "at least 0"}, got ${value}`,
    );
  }
}

/** The scalars of step `step` (counted from 1). */
export function stepScalars(optimiser: Optimiser, step: number, learningRate: number): StepScalars {
  if (optimiser.kind === "sgd") {
    return { learningRate, rootCorrection: 1, decay: optimiser.weightDecay ?? 0 };
  }
  const { beta1 = 0.9, beta2 = 0.999, weightDecay = 0.01 } = optimiser;
  return {
    learningRate: learningRate / (1 - beta1 ** step),
    rootCorrection: 1 / Math.sqrt(1 - beta2 ** step),
    decay: learningRate * weightDecay,
  };
}

/** Appends one update. */
export function appendUpdate(optimiser: Optimiser, terms: Terms): Update {
  return optimiser.kind === "sgd" ? sgd(optimiser, terms) : adamW(optimiser, terms);
}

/** g ← g + λw; v ← μv + g; w ← w − η(v, or g + μv with Nesterov). */
function sgd({ momentum = 0.9, nesterov = false }: SgdOptions, terms: Terms): Update {
  const { g, parameters, names } = terms;
  const decayed = g.op("Add", [terms.gradient, g.op("Mul", [parameters, decayVector(terms)])]);
  const kept = g.op("Mul", [terms.moments[0], g.scalar(momentum)]);
  const velocity = g.op("Add", [kept, decayed], {}, called(names.moments[0]));
  const direction = nesterov ? g.op("Add", [decayed, g.op("Mul", [velocity, g.scalar(momentum)])]) : velocity;
  const moved = g.op("Sub", [parameters, g.op("Mul", [direction, rateOf(terms)])], {}, called(names.parameters));
  return { parameters: moved, moments: [velocity] };
}

/** w ← w(1 − ηλ); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; w ← w − η/(1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε). */
function adamW({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamWOptions, terms: Terms): Update {
  const { g, gradient, parameters, moments, scalars, names } = terms;
  const blend = (index: number, beta: number, fresh: Value): Value => {
    const both = [g.op("Mul", [moments[index], g.scalar(beta)]), g.op("Mul", [fresh, g.scalar(1 - beta)])];
    return g.op("Add", both, {}, called(names.moments[index]));
  };
  const first = blend(0, beta1, gradient);
  const second = blend(1, beta2, g.op("Mul", [gradient, gradient]));
  const root = g.op("Mul", [g.op("Sqrt", [second]), scalars.rootCorrection]);
  const direction = g.op("Div", [first, g.op("Add", [root, g.scalar(epsilon)])]);
  const shrunk = g.op("Sub", [parameters, g.op("Mul", [parameters, decayVector(terms)])]);
  const moved = g.op("Sub", [shrunk, g.op("Mul", [direction, rateOf(terms)])], {}, called(names.parameters));
  return { parameters: moved, moments: [first, second] };
}

const called = (name: string | undefined): { name?: string } => (name === undefined ? {} : { name });

function decayVector({ g, decayMask, scalars }: Terms): Value {
  return g.op("Mul", [decayMask, scalars.decay]);
}

/** A scalar, or `[P]`. */
function rateOf({ g, rates, scalars }: Terms): Value {
  return rates ? g.op("Mul", [rates, scalars.learningRate]) : scalars.learningRate;
}
