/**
 * @file Training rows that a student measures inputs against (`Student.novelty`), as a safetensors file of its folder. Networks
 * and trees keep different things in it; what is common to reading them is here.
 */

import type { NumericTensor, Safetensors } from "../onnx/safetensors.ts";
import type { NumericType, TensorOf } from "../onnx/tensor.ts";

/** Absent of models of earlier versions: these take every input for familiar. */
export const neighboursFile = "neighbours.safetensors";

type Wanted<T extends NumericType> = {
  readonly name: string;
  readonly dtype: T;
  /** Undefined where any size will do. */
  readonly dims: readonly (number | undefined)[];
};

/** @throws RangeError where there is no such tensor of this type and shape */
export function tensorIn<T extends NumericType>(
  { tensors }: Safetensors,
  { name, dtype, dims }: Wanted<T>,
): Extract<NumericTensor, TensorOf<T>> {
  const found = tensors.get(name);
  const isWanted = (tensor: NumericTensor | undefined): tensor is Extract<NumericTensor, TensorOf<T>> =>
    tensor?.dtype === dtype &&
    tensor.dims.length === dims.length &&
    dims.every((dim, axis) => dim === undefined || dim === tensor.dims[axis]);
  if (isWanted(found)) return found;
  const is = found ? `${found.dtype} [${found.dims}]` : "absent";
  throw new RangeError(`${neighboursFile}: "${name}" is ${is}, not ${dtype} [${dims.map((dim) => dim ?? "N")}]`);
}
