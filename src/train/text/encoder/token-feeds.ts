/** @file Token ids as the inputs of an encoder. */

import type { ValueInfo } from "../../../onnx/model.ts";
import type { Tensor } from "../../../onnx/tensor.ts";

export const maskName = "attention_mask";

/**
 * By input name, each `[rows, length]`: shorter texts are filled up with tokens that the mask takes out.
 * @param ports the encoder's inputs, of int64 or int32
 */
export function tokenFeeds(
  ports: readonly Pick<ValueInfo, "name" | "dtype">[],
  texts: readonly (readonly number[])[],
  length: number,
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(ports.map((port) => [port.name, feedOf(port, texts, length)]));
}

function feedOf(
  { name, dtype }: Pick<ValueInfo, "name" | "dtype">,
  texts: readonly (readonly number[])[],
  length: number,
): Tensor {
  const values = new Int32Array(texts.length * length);
  for (const [row, ids] of texts.entries()) {
    if (name === "input_ids") values.set(ids, row * length);
    else if (name === maskName) values.fill(1, row * length, row * length + ids.length);
  }
  const dims = [texts.length, length];
  if (dtype === "int32") return { dtype, dims, data: values };
  return { dtype: "int64", dims, data: BigInt64Array.from(values, BigInt) };
}
