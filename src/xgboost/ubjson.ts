/**
 * @file Universal Binary JSON, as XGBoost writes it (UBJ, big-endian): what is an object, a list or a text in its JSON is
 * one here, and lists of numbers are typed arrays. A tenth of the time that the same model takes as text.
 *
 * Source: Draft 12 of the specification; `UBJReader` in src/common/json.cc of XGBoost.
 */

import { FlywheelError } from "../errors.ts";

export type UbjNumbers = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;
export type Ubj = null | boolean | number | string | UbjNumbers | readonly Ubj[] | { readonly [name: string]: Ubj };

/** Whether `bytes` begin as UBJ: an object whose first key has its length before it, where JSON has a quote. */
export const isUbj = (bytes: Uint8Array): boolean =>
  bytes[0] === code("{") && [..."iUIlL"].some((marker) => bytes[1] === code(marker));

/** @throws FlywheelError `xgboost_bad_model` naming the byte */
export function parseUbj(bytes: Uint8Array): Ubj {
  const reader = new UbjReader(bytes);
  try {
    return reader.value();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new FlywheelError(
      "xgboost_bad_model",
      `not a model in UBJ: it breaks off or is damaged at byte ${reader.at}`,
      {
        hint: "copy or save the model again",
        cause,
      },
    );
  }
}

function code(character: string): number {
  return character.charCodeAt(0);
}

const decoder = new TextDecoder();

/** Levels; a model has eight. Damaged bytes must not exhaust the stack. */
const DEEPEST = 64;

class UbjReader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(marker = this.#marker()): Ubj {
    switch (marker) {
      case "{":
        return this.#nested(() => this.#object());
      case "[":
        return this.#nested(() => this.#list());
      case "S":
        return this.#text();
      case "C":
        return String.fromCharCode(this.#view.getUint8(this.at++));
      case "T":
        return true;
      case "F":
        return false;
      case "Z":
        return null;
      default:
        return this.#number(marker);
    }
  }

  #marker(): string {
    return String.fromCharCode(this.#view.getUint8(this.at++));
  }

  #nested(read: () => Ubj): Ubj {
    if (++this.#depth > DEEPEST) throw new RangeError("too deep");
    const value = read();
    this.#depth--;
    return value;
  }

  #number(marker: string): number {
    const from = this.at;
    const size = sizes[marker];
    if (size === undefined) throw new RangeError(`no value begins with "${marker}"`);
    this.at += size;
    switch (marker) {
      case "i":
        return this.#view.getInt8(from);
      case "U":
        return this.#view.getUint8(from);
      case "I":
        return this.#view.getInt16(from);
      case "l":
        return this.#view.getInt32(from);
      case "L":
        return Number(this.#view.getBigInt64(from));
      case "d":
        return this.#view.getFloat32(from);
      default:
        return this.#view.getFloat64(from);
    }
  }

  /** Of what follows; never more than there are bytes left. */
  #length(): number {
    const length = this.#number(this.#marker());
    if (length >= 0 && length <= this.#bytes.length - this.at) return length;
    throw new RangeError(`a length of ${length}`);
  }

  #text(): string {
    const length = this.#length();
    const from = this.at;
    this.at += length;
    return decoder.decode(this.#bytes.subarray(from, this.at));
  }

  #object(): Ubj {
    const entries: [string, Ubj][] = [];
    while (!this.#take("}")) entries.push([this.#text(), this.value()]);
    return Object.fromEntries(entries);
  }

  /** `[$type#count…` is of one type, `[#count…` of a known length, `[…]` of neither. */
  #list(): Ubj {
    const type = this.#take("$") ? this.#marker() : undefined;
    const count = this.#take("#") ? this.#length() : undefined;
    if (type !== undefined && count !== undefined) return this.#numbers(type, count);
    const list: Ubj[] = [];
    if (count === undefined) while (!this.#take("]")) list.push(this.value());
    else while (list.length < count) list.push(this.value());
    return list;
  }

  #numbers(type: string, count: number): UbjNumbers {
    const from = this.at;
    this.at += count * (sizes[type] ?? 1);
    if (this.at > this.#bytes.length) throw new RangeError(`${count} numbers`);
    return listAt(type, { view: this.#view, from, count });
  }

  #take(character: string): boolean {
    if (this.#view.getUint8(this.at) !== code(character)) return false;
    this.at++;
    return true;
  }
}

const sizes: Readonly<Record<string, number>> = { i: 1, U: 1, I: 2, l: 4, L: 8, d: 4, D: 8 };

type Place = { readonly view: DataView; readonly from: number; readonly count: number };

/** A loop of its own for the types that make up a model: a look-up for each number would be most of the time. */
function listAt(type: string, { view, from, count }: Place): UbjNumbers {
  switch (type) {
    case "i":
      return new Int8Array(view.buffer.slice(view.byteOffset + from, view.byteOffset + from + count));
    case "U":
      return new Uint8Array(view.buffer.slice(view.byteOffset + from, view.byteOffset + from + count));
    case "I":
      return filled(new Int16Array(count), (index) => view.getInt16(from + 2 * index));
    case "l": {
      const list = new Int32Array(count);
      for (let index = 0; index < count; index++) list[index] = view.getInt32(from + 4 * index);
      return list;
    }
    case "L": // there are fewer than 2^53 of anything
      return filled(new Float64Array(count), (index) => Number(view.getBigInt64(from + 8 * index)));
    case "d": {
      const list = new Float32Array(count);
      for (let index = 0; index < count; index++) list[index] = view.getFloat32(from + 4 * index);
      return list;
    }
    case "D":
      return filled(new Float64Array(count), (index) => view.getFloat64(from + 8 * index));
    default:
      throw new RangeError(`no number begins with "${type}"`);
  }
}

function filled<A extends Int16Array | Float64Array>(list: A, numberAt: (index: number) => number): A {
  for (let index = 0; index < list.length; index++) list[index] = numberAt(index);
  return list;
}
