/**
 * @file The safetensors format: eight bytes of header length, a JSON header, then the tensors' bytes. Read strictly,
 * as the reference reader does: the header is bounded, the tensors must tile the buffer without gaps or overlaps.
 *
 * Format: https://github.com/huggingface/safetensors (Apache-2.0). Our own reader because the format is sixty lines and
 * weights come from strangers: each check below is one that a hostile file would otherwise pass.
 */

import { FlywheelError, messageOf } from "../errors.ts";
import {
  bytesOfTensor,
  elementCount,
  elementSizeBytes,
  type NumericType,
  type Tensor,
  tensorFromBytes,
} from "./tensor.ts";

/** The reference implementation's limit. */
const maxHeaderBytes = 100_000_000;

const typeNames: Readonly<Record<NumericType, string>> = {
  float32: "F32",
  uint8: "U8",
  int8: "I8",
  uint16: "U16",
  int16: "I16",
  int32: "I32",
  int64: "I64",
  bool: "BOOL",
  float16: "F16",
  float64: "F64",
  uint32: "U32",
  uint64: "U64",
  bfloat16: "BF16",
};
const typesByName = new Map(Object.entries(typeNames).map(([dtype, name]) => [name, dtype as NumericType]));

export type NumericTensor = Exclude<Tensor, { readonly dtype: "string" }>;

export type Safetensors = {
  readonly tensors: ReadonlyMap<string, NumericTensor>;
  readonly metadata: Readonly<Record<string, string>>;
};

type Entry = {
  readonly name: string;
  readonly dtype: NumericType;
  readonly dims: readonly number[];
  readonly begin: number;
  readonly end: number;
};

/**
 * Parses a whole `.safetensors` file; tensor data is copied out of `bytes`.
 * @throws FlywheelError `safetensors_corrupt` naming what is wrong and in which tensor.
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  const headerSizeBytes = readHeaderSize(bytes);
  const header = parseHeader(bytes.subarray(8, 8 + headerSizeBytes));
  const { __metadata__: metadata = {}, ...described } = header;
  const entries = Object.entries(described).map(([name, value]) => parseEntry(name, value));
  const body = bytes.subarray(8 + headerSizeBytes);
  checkTiling(entries, body.byteLength);
  const tensors = entries.map(({ name, dtype, dims, begin, end }): [string, NumericTensor] => [
    name,
    tensorFromBytes(dtype, dims, body.subarray(begin, end)) as NumericTensor, // `dtype` is never "string"
  ]);
  return { tensors: new Map(tensors), metadata: parseMetadata(metadata) };
}

/** The bytes of a `.safetensors` file: tensors widest type first, then by name, as the reference writer lays them out. */
export function writeSafetensors({ tensors, metadata }: Safetensors): Uint8Array {
  const ordered = [...tensors].sort(([a, left], [b, right]) => {
    return elementSizeBytes(right.dtype) - elementSizeBytes(left.dtype) || (a < b ? -1 : 1);
  });
  const header: Record<string, unknown> = Object.keys(metadata).length ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const [name, value] of ordered) {
    const end = offset + value.data.byteLength;
    header[name] = { dtype: typeNames[value.dtype], shape: value.dims, data_offsets: [offset, end] };
    offset = end;
  }
  return join(
    header,
    ordered.map(([, value]) => bytesOfTensor(value)),
    offset,
  );
}

function join(header: object, parts: readonly Uint8Array[], bodySizeBytes: number): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.byteLength / 8) * 8; // the format aligns the body to eight bytes with spaces
  const file = new Uint8Array(8 + padded + bodySizeBytes).fill(0x20, 8, 8 + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(json, 8);
  let offset = 8 + padded;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.byteLength;
  }
  return file;
}

function corrupt(message: string, cause?: unknown): FlywheelError {
  return new FlywheelError("safetensors_corrupt", `not a valid safetensors file: ${message}`, {
    hint: "fetch the file again and compare its hash",
    cause,
  });
}

function readHeaderSize(bytes: Uint8Array): number {
  if (bytes.byteLength < 8) throw corrupt(`${bytes.byteLength} bytes are too few`);
  const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (size > maxHeaderBytes) throw corrupt(`its header claims ${size} bytes, more than the format allows`);
  if (size > bytes.byteLength - 8) throw corrupt(`its header claims ${size} bytes, ${bytes.byteLength - 8} are left`);
  return size;
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (isRecord(parsed)) return parsed;
  } catch (cause) {
    throw corrupt(`its header is not JSON: ${messageOf(cause)}`, cause);
  }
  throw corrupt("its header is not an object");
}

function parseEntry(name: string, value: unknown): Entry {
  const { dtype: typeName, shape, data_offsets: offsets } = isRecord(value) ? value : {};
  const dtype = typeof typeName === "string" ? typesByName.get(typeName) : undefined;
  if (dtype === undefined) throw corrupt(`tensor "${name}" has unsupported dtype ${JSON.stringify(typeName)}`);
  if (!isSizes(shape)) throw corrupt(`tensor "${name}" has shape ${JSON.stringify(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2) throw corrupt(`tensor "${name}" has bad data_offsets`);
  const [begin = 0, end = 0] = offsets;
  const sizeBytes = elementCount(shape) * elementSizeBytes(dtype);
  if (end - begin !== sizeBytes) throw corrupt(`tensor "${name}" needs ${sizeBytes} bytes and has ${end - begin}`);
  return { name, dtype, dims: shape, begin, end };
}

/** Tensors in order of offset must follow one another exactly and end with the file. */
function checkTiling(entries: readonly Entry[], bodySizeBytes: number): void {
  let offset = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== offset) throw corrupt(`tensor "${name}" starts at ${begin}, where ${offset} was expected`);
    offset = end;
  }
  if (offset !== bodySizeBytes) throw corrupt(`its tensors end at byte ${offset} of ${bodySizeBytes}`);
}

function parseMetadata(value: unknown): Readonly<Record<string, string>> {
  const isStrings = isRecord(value) && Object.values(value).every((each) => typeof each === "string");
  if (!isStrings) throw corrupt("its __metadata__ is not an object of strings");
  return value as Record<string, string>; // checked just above
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && each >= 0);
}
