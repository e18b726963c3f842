import fc from "fast-check";
import { expect, test } from "vitest";
import { isUbj, parseUbj, type Ubj } from "./ubjson.ts";

const marker = (text: string): Buffer => Buffer.from(text, "latin1");

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(9, "L");
  bytes.writeBigInt64BE(BigInt(value), 1);
  return bytes;
}

const text = (value: string): Buffer => Buffer.concat([int64(Buffer.byteLength(value)), Buffer.from(value)]);

/** As XGBoost writes it. */
function ubjOf(value: Ubj): Buffer {
  if (value === null) return marker("Z");
  if (typeof value === "boolean") return marker(value ? "T" : "F");
  if (typeof value === "string") return Buffer.concat([marker("S"), text(value)]);
  if (typeof value === "number") return int64(value);
  if (value instanceof Float32Array) {
    const data = Buffer.alloc(4 * value.length);
    value.forEach((each, index) => void data.writeFloatBE(each, 4 * index));
    return Buffer.concat([marker("[$d#"), int64(value.length), data]);
  }
  if (value instanceof Int32Array) {
    const data = Buffer.alloc(4 * value.length);
    value.forEach((each, index) => void data.writeInt32BE(each, 4 * index));
    return Buffer.concat([marker("[$l#"), int64(value.length), data]);
  }
  if (value instanceof Uint8Array) return Buffer.concat([marker("[$U#"), int64(value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([marker("[#"), int64(value.length), ...value.map(ubjOf)]);
  const entries = Object.entries(value).flatMap(([name, each]) => [text(name), ubjOf(each as Ubj)]);
  return Buffer.concat([marker("{"), ...entries, marker("}")]);
}

const { value: anything } = fc.letrec<{ value: Ubj }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: "grapheme" }),
    fc.float32Array(),
    fc.int32Array(),
    fc.uint8Array(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ minLength: 1 }).filter((name) => name !== "__proto__"),
      tie("value"),
      { noNullPrototype: true },
    ),
  ),
}));

test("what is written is read", () => {
  fc.assert(
    fc.property(anything, (value) => {
      expect(parseUbj(ubjOf(value))).toEqual(value);
    }),
  );
});

test("what breaks off, or is anything else, is refused and never read past its end", () => {
  const given = fc.oneof(
    fc.tuple(anything, fc.nat()).map(([value, at]) => {
      const whole = ubjOf({ model: value });
      return whole.subarray(0, at % whole.length);
    }),
    fc.uint8Array(),
  );
  fc.assert(
    fc.property(given, (bytes) => {
      try {
        parseUbj(bytes);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "xgboost_bad_model" });
      }
    }),
  );
  expect(() => parseUbj(Buffer.alloc(1000, "["))).toThrow(expect.objectContaining({ code: "xgboost_bad_model" }));
});

test("is told from JSON by its second byte", () => {
  expect(isUbj(ubjOf({ learner: {} }))).toBe(true);
  expect(isUbj(Buffer.from('{"learner": {}}'))).toBe(false);
  expect(isUbj(Buffer.from(' { "learner": {} }'))).toBe(false);
  expect(isUbj(new Uint8Array(0))).toBe(false);
});
