import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type NumericTensor, readSafetensors, writeSafetensors } from "./safetensors.ts";
import { floats, tensor } from "./tensor.ts";

const anyTensor: fc.Arbitrary<NumericTensor> = fc.oneof(
  fc.float32Array({ maxLength: 8 }).map((data) => floats(data, [1, data.length])),
  fc.uint16Array({ maxLength: 8 }).map((data) => tensor("bfloat16", [data.length], data)),
  fc.bigInt64Array({ maxLength: 8 }).map((data) => tensor("int64", [data.length, 1], data)),
  fc.uint8Array({ maxLength: 8 }).map((data) => tensor("bool", [data.length], data)),
);
const names = fc.string({ maxLength: 10 }).filter((name) => !name.startsWith("__"));

/** A file from a literal header and a body of so many bytes. */
function file(header: unknown, bodySizeBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + bodySizeBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const entry = (begin: number, end: number, shape: unknown = [(end - begin) / 4], dtype = "F32") => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe("safetensors", () => {
  test("what is written is read back", () => {
    const anyFile = fc.record({
      tensors: fc.dictionary(names, anyTensor).map((record) => new Map(Object.entries(record))),
      metadata: fc.dictionary(names, fc.string()).map((record) => ({ ...record })),
    });
    fc.assert(
      fc.property(anyFile, (contents) => {
        expect(readSafetensors(writeSafetensors(contents))).toEqual(contents);
      }),
    );
  });

  test("any truncation is refused", () => {
    const bytes = writeSafetensors({ tensors: new Map([["w", floats([1, 2, 3])]]), metadata: {} });
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readSafetensors(bytes.subarray(0, length))).toThrow(/not a valid safetensors file/);
    }
  });

  test.each([
    [
      "a header longer than the format allows",
      Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 255]),
      /header claims/,
    ],
    ["a header that is not JSON", file("{nope"), /not JSON/],
    ["a header that is a list", file([]), /not an object/],
    ["an unknown dtype", file({ a: entry(0, 4, [1], "F7") }, 4), /unsupported dtype/],
    ["a negative dimension", file({ a: entry(0, 4, [-1]) }, 4), /has shape/],
    ["a shape that disagrees with its bytes", file({ a: entry(0, 4, [2]) }, 4), /needs 8 bytes/],
    ["a shape whose product overflows", file({ a: entry(0, 4, [2 ** 40, 2 ** 40]) }, 4), /needs/],
    ["overlapping tensors", file({ a: entry(0, 8), b: entry(4, 12) }, 12), /starts at 4, where 8/],
    ["a gap between tensors", file({ a: entry(0, 4), b: entry(8, 12) }, 12), /starts at 8, where 4/],
    ["bytes that belong to nobody", file({ a: entry(0, 4) }, 9), /end at byte 4 of 9/],
    ["tensors beyond the file", file({ a: entry(0, 8) }, 4), /end at byte 8 of 4/],
    ["metadata that is not strings", file({ __metadata__: { a: 1 } }), /__metadata__/],
  ])("%s is refused", (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(message);
  });
});
