/**
 * @file `TensorProto` to and from tensors. ONNX lets elements sit in `raw_data` or in one of five typed fields,
 * depending on the element type; we read them all and write `raw_data`.
 */

import { FlywheelError } from "../errors.ts";
import { type ExternalFiles, type ExternalReference, externalBytes, externalReference } from "./external-data.ts";
import {
  bytesOfTensor,
  type DataType,
  dataTypeCodes,
  elementCount,
  elementSizeBytes,
  type NumericType,
  type Tensor,
  tensor,
  tensorFromBytes,
} from "./tensor.ts";

/** A protobuf int64: a number going in, a `Long` coming out. */
export type Int64Wire = number | bigint | { toString(): string };

export type TensorMessage = {
  dims: Int64Wire[];
  dataType: number;
  name?: string;
  floatData?: number[];
  int32Data?: number[];
  stringData?: Uint8Array[];
  int64Data?: Int64Wire[];
  rawData?: Uint8Array;
  doubleData?: number[];
  uint64Data?: Int64Wire[];
  externalData?: { key: string; value: string }[];
  dataLocation?: number;
};

const names = new Map<number, DataType>(
  (Object.keys(dataTypeCodes) as DataType[]).map((name) => [dataTypeCodes[name], name]), // keys of a const object
);

/** As a number: exact to 2^53, beyond which only "to the end" markers live. */
export function numberOfInt64(value: Int64Wire): number {
  return typeof value === "number" ? value : Number(value.toString());
}

/** @throws FlywheelError `onnx_unsupported_feature` for element types without a typed array (complex, float8, int4). */
export function dataTypeOf(code: number, where: string): DataType {
  const name = names.get(code);
  if (name !== undefined) return name;
  throw new FlywheelError("onnx_unsupported_feature", `"${where}" has element type ${code}, which is not supported`, {
    hint: `supported: ${[...names.values()].join(", ")}`,
  });
}

/** Where the tensor's bytes lie if not in the message. @throws FlywheelError `onnx_external_data` */
export function referenceOf(message: TensorMessage): ExternalReference | undefined {
  const isOutside = message.dataLocation === 1 || (message.externalData?.length ?? 0) > 0;
  return isOutside ? externalReference(message.externalData ?? [], message.name ?? "") : undefined;
}

export function readTensor(message: TensorMessage, external: ExternalFiles): Tensor {
  const where = message.name ?? "";
  const dtype = dataTypeOf(message.dataType, where);
  const dims = message.dims.map(numberOfInt64);
  const whole = withOutsideBytes(message, { dtype, dims, external });
  try {
    return readElements(whole, dtype, dims);
  } catch (cause) {
    throw new FlywheelError("onnx_corrupt", `tensor "${where}" has the wrong amount of data for [${dims.join(", ")}]`, {
      cause,
    });
  }
}

type Outside = { readonly dtype: DataType; readonly dims: readonly number[]; readonly external: ExternalFiles };

function withOutsideBytes(message: TensorMessage, { dtype, dims, external: files }: Outside): TensorMessage {
  const reference = referenceOf(message);
  if (!reference) return message;
  const where = message.name ?? "";
  if (dtype === "string") {
    throw new FlywheelError("onnx_unsupported_feature", `text tensor "${where}" is stored in another file`, {
      hint: "ONNX keeps texts inside the model: export it again",
    });
  }
  const sizeBytes = elementCount(dims) * elementSizeBytes(dtype);
  return { ...message, rawData: externalBytes(reference, { files, sizeBytes, where }) };
}

export function writeTensor(name: string, value: Tensor): TensorMessage {
  const head = { name, dims: [...value.dims], dataType: dataTypeCodes[value.dtype] };
  if (value.dtype !== "string") return { ...head, rawData: bytesOfTensor(value) };
  return { ...head, stringData: value.data.map((each) => new TextEncoder().encode(each)) };
}

function readElements(message: TensorMessage, dtype: DataType, dims: readonly number[]): Tensor {
  if (dtype === "string") {
    return tensor(
      dtype,
      dims,
      (message.stringData ?? []).map((each) => new TextDecoder().decode(each)),
    );
  }
  const raw = message.rawData;
  if (elementCount(dims) === 0) return tensorFromBytes(dtype, dims, new Uint8Array());
  if (raw?.byteLength) return tensorFromBytes(dtype, dims, raw);
  return typedElements(message, dtype, dims);
}

function typedElements(message: TensorMessage, dtype: NumericType, dims: readonly number[]): Tensor {
  const signed = (message.int64Data ?? []).map((each) => BigInt(each.toString()));
  const unsigned = (message.uint64Data ?? []).map((each) => BigInt(each.toString()));
  const small = message.int32Data ?? [];
  switch (dtype) {
    case "float32":
      return tensor(dtype, dims, Float32Array.from(message.floatData ?? []));
    case "float64":
      return tensor(dtype, dims, Float64Array.from(message.doubleData ?? []));
    case "int64":
      return tensor(dtype, dims, BigInt64Array.from(signed));
    case "uint64":
      return tensor(dtype, dims, BigUint64Array.from(unsigned));
    case "uint32":
      return tensor(dtype, dims, Uint32Array.from(unsigned, Number));
    case "int32":
      return tensor(dtype, dims, Int32Array.from(small));
    case "int16":
      return tensor(dtype, dims, Int16Array.from(small));
    case "int8":
      return tensor(dtype, dims, Int8Array.from(small));
    case "uint8":
    case "bool":
      return tensor(dtype, dims, Uint8Array.from(small));
    case "uint16":
    case "float16":
    case "bfloat16":
      return tensor(dtype, dims, Uint16Array.from(small));
    default:
      return dtype satisfies never;
  }
}
