/**
 * @file Exponential moving average of the weights over steps: what is served is steadier than the last step's weights
 * (Polyak & Juditsky 1992; the warm-up of the rate is TensorFlow's, `min(decay, (1 + t) / (10 + t))`).
 */

import type { Safetensors } from "../onnx/safetensors.ts";
import type { TensorOf } from "../onnx/tensor.ts";

type Weights = ReadonlyMap<string, TensorOf<"float32">>;

export type Average = {
  /** Takes the weights after one more step into account. */
  update(weights: Weights, step: number): void;
  values(): Map<string, TensorOf<"float32">>;
  state(): Safetensors;
};

/** Starts from the weights before the first step, or from a saved `state()`. */
export function createAverage(decay: number, start: Weights | Safetensors["tensors"]): Average {
  const averages = new Map(
    [...start].flatMap(([name, value]) =>
      value.dtype === "float32" ? [[name, { ...value, data: value.data.slice() }]] : [],
    ),
  );
  return {
    update(weights, step) {
      const share = 1 - Math.min(decay, (1 + step) / (10 + step));
      for (const [name, { data }] of weights) blend(averages.get(name)!.data, data, share);
    },
    values: () => averages,
    state: () => ({ tensors: averages, metadata: {} }),
  };
}

function blend(average: Float32Array, fresh: Float32Array, share: number): void {
  for (let index = 0; index < average.length; index++) average[index]! += share * (fresh[index]! - average[index]!);
}
