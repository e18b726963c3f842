/**
 * @file Tensors in memory: a typed array, row-major, with its element type and dimensions. The currency of this folder:
 * initialisers, feeds, fetches and safetensors entries are all of this one shape.
 */

import { FlywheelError } from "../errors.ts";

/** Element types that have a typed array, with the code ONNX gives them (`TensorProto.DataType`). */
export const dataTypeCodes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;

export type DataType = keyof typeof dataTypeCodes;

/** The array that holds each element type. `float16` and `bfloat16` are raw bits; `bool` is 0 or 1. */
export type TensorDataMap = {
  readonly float32: Float32Array;
  readonly uint8: Uint8Array;
  readonly int8: Int8Array;
  readonly uint16: Uint16Array;
  readonly int16: Int16Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly string: readonly string[];
  readonly bool: Uint8Array;
  readonly float16: Uint16Array;
  readonly float64: Float64Array;
  readonly uint32: Uint32Array;
  readonly uint64: BigUint64Array;
  readonly bfloat16: Uint16Array;
};

/** `data` is row-major with `product(dims)` elements; a scalar has `dims` `[]`. */
export type Tensor = {
  readonly [T in DataType]: { readonly dtype: T; readonly dims: readonly number[]; readonly data: TensorDataMap[T] };
}[DataType];

export type TensorOf<T extends DataType> = Extract<Tensor, { readonly dtype: T }>;

/** Numeric element types: everything but `string`. */
export type NumericType = Exclude<DataType, "string">;

type ArrayConstructor = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): TensorDataMap[NumericType];
};

const arrays: Readonly<Record<NumericType, ArrayConstructor>> = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  float16: Uint16Array,
  float64: Float64Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bfloat16: Uint16Array,
};

/** Number of elements; 1 for `[]`. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Bytes of one element. */
export function elementSizeBytes(dtype: NumericType): number {
  return arrays[dtype].BYTES_PER_ELEMENT;
}

/**
 * A tensor over `data` (not copied).
 * @throws FlywheelError `tensor_shape_mismatch` unless `data.length` is the product of `dims`.
 */
export function tensor<T extends DataType>(dtype: T, dims: readonly number[], data: TensorDataMap[T]): TensorOf<T> {
  if (data.length !== elementCount(dims) || !dims.every((dim) => Number.isInteger(dim) && dim >= 0)) {
    throw new FlywheelError("tensor_shape_mismatch", `${data.length} elements do not fill dims [${dims.join(", ")}]`);
  }
  return { dtype, dims: [...dims], data } as unknown as TensorOf<T>; // one of the union's members by construction: T fixes both fields
}

/** A float32 tensor; `dims` defaults to a vector. */
export function floats(data: Float32Array | readonly number[], dims?: readonly number[]): TensorOf<"float32"> {
  const array = data instanceof Float32Array ? data : Float32Array.from(data);
  return tensor("float32", dims ?? [array.length], array);
}

/** An int64 tensor from whole numbers; `dims` defaults to a vector. */
export function integers(data: readonly number[], dims?: readonly number[]): TensorOf<"int64"> {
  return tensor("int64", dims ?? [data.length], BigInt64Array.from(data, toInt64));
}

/**
 * A tensor from little-endian bytes, which are copied (a slice of a file is rarely aligned).
 * @throws FlywheelError `tensor_shape_mismatch` when the byte count is not that of `dims`.
 */
export function tensorFromBytes<T extends NumericType>(
  dtype: T,
  dims: readonly number[],
  bytes: Uint8Array,
): TensorOf<T> {
  const length = elementCount(dims);
  if (bytes.byteLength !== length * elementSizeBytes(dtype)) {
    throw new FlywheelError(
      "tensor_shape_mismatch",
      `${bytes.byteLength} bytes do not fill a ${dtype} tensor of dims [${dims.join(", ")}]`,
    );
  }
  const copy = new Uint8Array(bytes).buffer;
  return tensor(dtype, dims, new arrays[dtype](copy, 0, length) as TensorDataMap[T]);
}

/** The little-endian bytes of a numeric tensor: a view, not a copy. */
export function bytesOfTensor(value: Exclude<Tensor, { readonly dtype: "string" }>): Uint8Array {
  return new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength);
}

/** The elements as numbers. int64 beyond 2^53 loses its low bits, which no shape, axis or index needs. */
export function numbersOf(value: Tensor): number[] {
  return Array.from<number | bigint | string, number>(value.data, Number);
}

/** Saturating conversion: `2 ** 63` is how exporters say "to the end" in a `Slice`. */
function toInt64(value: number): bigint {
  if (value >= 2 ** 63) return 2n ** 63n - 1n;
  return value < -(2 ** 63) ? -(2n ** 63n) : BigInt(value);
}
