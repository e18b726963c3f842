/** @file How an encoder is fine-tuned: what the task asks for, and what experience says where it does not. */

import type { StudentOptions } from "../../../task.ts";
import type { Schedule } from "../../network/fit-network.ts";

export type EncoderRecipe = Schedule & {
  /** Absent: as many as `rowsOfStep` says. */
  readonly batchSize?: number | undefined;
  /** The head's learning rate, as a multiple of the encoder's. */
  readonly headRate: number;
  readonly optimiser: "adamw" | "sgd";
  readonly weightDecay: number;
  readonly labelSmoothing: number;
  readonly clipNorm: number;
};

const usual = {
  epochs: 4,
  learningRate: 2e-4,
  headRate: 10,
  warmUp: 0.1,
  optimiser: "adamw",
  weightDecay: 0.01,
  labelSmoothing: 0.05,
  clipNorm: 1,
} as const;

/** Plain SGD takes steps of another size. */
const sgdFactor = 100;

export function recipeFor(student: StudentOptions): EncoderRecipe {
  const optimiser = student.optimiser ?? usual.optimiser;
  const epochs = student.epochs ?? usual.epochs;
  return {
    ...usual,
    epochs,
    optimiser,
    batchSize: student.batchSize,
    learningRate: student.learningRate ?? usual.learningRate * (optimiser === "sgd" ? sgdFactor : 1),
    weightDecay: student.weightDecay ?? usual.weightDecay,
    labelSmoothing: student.labelSmoothing ?? usual.labelSmoothing,
    patience: Math.max(2, Math.ceil(epochs / 4)),
  };
}

const USUAL_ROWS = 32;
/** Of a step, filled up: what a step needs of memory grows with them. */
const TOKENS_AT_ONCE = 2048;

/** Rows of a step where the task does not say. @param longest padded length, tokens */
export const rowsOfStep = (longest: number): number =>
  Math.max(1, Math.min(USUAL_ROWS, Math.floor(TOKENS_AT_ONCE / longest)));
