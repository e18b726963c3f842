/**
 * @file Which part of a pretrained network is fine-tuned: the layers at a sixteenth of the input's resolution and below,
 * and everything after them. The early layers see edges and colours, which hold for any photograph; they have few
 * parameters and, at high resolution, most of the work.
 */

import { inferTypes } from "../../onnx/infer-types.ts";
import type { Model } from "../../onnx/model.ts";
import { parameterNames } from "../../onnx/parameters.ts";

const UNFROZEN_STRIDE = 16;

/** `forward`: `images` `[N, 3, size, size]` → logits. In order of use. */
export async function unfrozenParameters(forward: Model, size: number): Promise<readonly string[]> {
  const types = await inferTypes(forward, { N: 1 });
  const { nodes } = forward.graph;
  // By what a layer reads: the one that halves the resolution for the last time before still sees the finer map.
  const first = nodes.findIndex(({ opType, inputs }) => {
    const side = types.get(inputs[0] ?? "")?.dims[3];
    return opType === "Conv" && side !== undefined && side <= size / UNFROZEN_STRIDE;
  });
  const tail = { ...forward, graph: { ...forward.graph, nodes: nodes.slice(Math.max(0, first)) } };
  return parameterNames(tail);
}
