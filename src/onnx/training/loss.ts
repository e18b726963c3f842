/**
 * @file Softmax cross-entropy with soft targets and row weights, value and gradient. The gradient is written down rather
 * than differentiated: p − t is shorter, and exact where the loss itself saturates.
 */

import { FlywheelError } from "../../errors.ts";
import type { GraphBuilder, Value } from "../builder.ts";

export type Loss = {
  readonly kind: "softmax-cross-entropy";
  /** ε in [0, 1): targets become (1 − ε) t + ε / K (Szegedy et al. 2016). Default 0. */
  readonly labelSmoothing?: number;
};

type LossTerms = {
  readonly g: GraphBuilder;
  /** `[N, K]` */
  readonly logits: Value;
  /** `[N, K]`, each row a distribution. */
  readonly targets: Value;
  /** `[N, 1]`, summing to 1: the share of each row in the mean. */
  readonly shares: Value;
  readonly classes: number;
};

/** @throws FlywheelError `onnx_bad_option` */
export function checkLoss({ labelSmoothing = 0 }: Loss): void {
  if (labelSmoothing >= 0 && labelSmoothing < 1) return;
  throw new FlywheelError("onnx_bad_option", `labelSmoothing must be in [0, 1), got ${labelSmoothing}`);
}

/** `loss`: scalar, nats, weighted mean over rows; lower is better. `gradient`: `[N, K]`, of the loss by the logits. */
export function appendLoss({ labelSmoothing = 0 }: Loss, terms: LossTerms): { loss: Value; gradient: Value } {
  const { g, logits, shares } = terms;
  const targets = smoothed(labelSmoothing, terms);
  const logProbabilities = g.op("LogSoftmax", [logits], { axis: -1 });
  const weighted = g.op("Mul", [g.op("Mul", [targets, logProbabilities]), shares]);
  const loss = g.op("Neg", [g.op("ReduceSum", [weighted, g.shape([0, 1])], { keepdims: 0 })]);
  const difference = g.op("Sub", [g.op("Exp", [logProbabilities]), targets]);
  return { loss, gradient: g.op("Mul", [difference, shares]) };
}

function smoothed(epsilon: number, { g, targets, classes }: LossTerms): Value {
  if (epsilon === 0) return targets;
  return g.op("Add", [g.op("Mul", [targets, g.scalar(1 - epsilon)]), g.scalar(epsilon / classes)]);
}
