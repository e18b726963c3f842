/**
 * @file First values of a network's parameters, as timm draws them for these networks: convolutions normal with variance
 * 2 / fan-out (He et al. 2015, fan-out of one group), linear layers uniform within 1 / √outputs, norms at identity.
 */

import { createRng, fork, type Rng, type Seed } from "../../math/random.ts";
import { elementCount, floats, type Tensor } from "../../onnx/tensor.ts";
import type { Initialise } from "./layers.ts";

/** Each parameter has a stream of its own, by name: adding a layer changes no other layer's values. */
export function seededInitialiser(seed: Seed): Initialise {
  return ({ name, kind, dims, groups }): Tensor => {
    const rng = createRng(fork(seed, "initialise", name));
    switch (kind) {
      case "conv":
        return drawn(dims, normal(rng, Math.sqrt((2 * groups) / ((dims[0] ?? 1) * (dims[2] ?? 1) * (dims[3] ?? 1)))));
      case "linear":
        return drawn(dims, uniform(rng, 1 / Math.sqrt(dims[0] ?? 1)));
      case "norm-scale":
      case "norm-variance":
        return drawn(dims, () => 1);
      case "bias":
      case "norm-shift":
      case "norm-mean":
        return drawn(dims, () => 0);
      default:
        return kind satisfies never;
    }
  };
}

function drawn(dims: readonly number[], draw: () => number): Tensor {
  return floats(Float32Array.from({ length: elementCount(dims) }, draw), dims);
}

const normal = (rng: Rng, deviation: number) => () => rng.normal() * deviation;
const uniform = (rng: Rng, bound: number) => () => (2 * rng.next() - 1) * bound;
