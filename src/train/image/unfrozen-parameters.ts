/**
 * @file Which part of a pretrained network is fine-tuned: the layers at a sixteenth of the input's resolution and below,
 * and everything after them. The early layers see edges and colours, which hold for any photograph; they have few
 * parameters and, at high resolution, most of the work.
 */

import { foldConstants } from "../../onnx/fold-constants.ts";
import { inferTypes, type Types, withSizes } from "../../onnx/infer-types.ts";
import type { Model } from "../../onnx/model.ts";
import { parameterNames } from "../../onnx/parameters.ts";

const UNFROZEN_STRIDE = 16;

/** `forward`: `images` `[N, 3, size, size]` → logits. In order of use. */
export async function unfrozenParameters(forward: Model, size: number): Promise<readonly string[]> {
  const types = await typesOfOne(forward);
  const { nodes } = forward.graph;
  // By what a layer reads: the one that halves the resolution for the last time before still sees the finer map.
  const first = nodes.findIndex(({ opType, inputs }) => {
    const side = types.get(inputs[0] ?? "")?.dims[3];
    return opType === "Conv" && side !== undefined && side <= size / UNFROZEN_STRIDE;
  });
  return parameterNames(forward, nodes.slice(Math.max(0, first)));
}

/** For a batch of one. Networks that compute shapes from the batch's have sizes only once those are folded. */
async function typesOfOne(forward: Model): Promise<Types> {
  const { initialisers } = forward.graph;
  const isWeight = (name: string): boolean => initialisers.get(name)?.dtype === "float32";
  return await inferTypes(await foldConstants(withSizes(forward, { N: 1 }), isWeight), {});
}
