/**
 * @file All parameters in one flat vector: where each lies. The tensors that the graph reads are views of it, so an
 * update writes one array and copies nothing.
 */

import { elementCount, floats, type TensorOf } from "../tensor.ts";

export type Slot = { readonly name: string; readonly dims: readonly number[]; readonly offset: number };

export type Layout = {
  readonly slots: readonly Slot[];
  /** Elements in all. */
  readonly length: number;
};

/** Slots in the given order, without gaps. */
export function layoutOf(entries: readonly { readonly name: string; readonly dims: readonly number[] }[]): Layout {
  let length = 0;
  const slots = entries.map(({ name, dims }) => {
    const slot = { name, dims, offset: length };
    length += elementCount(dims);
    return slot;
  });
  return { slots, length };
}

/** Views of `flat`, by name. */
export function views(layout: Layout, flat: Float32Array): Record<string, TensorOf<"float32">> {
  return Object.fromEntries(layout.slots.map((slot) => [slot.name, view(slot, flat)]));
}

function view({ dims, offset }: Slot, flat: Float32Array): TensorOf<"float32"> {
  return floats(flat.subarray(offset, offset + elementCount(dims)), dims);
}

/** A new flat vector filled from tensors by name. */
export function flatten(layout: Layout, values: ReadonlyMap<string, TensorOf<"float32">>): Float32Array {
  const flat = new Float32Array(layout.length);
  for (const { name, offset } of layout.slots) flat.set(values.get(name)!.data, offset);
  return flat;
}

/** A part of a flat vector that is updated by itself. */
export type Chunk = Layout & { readonly offset: number };

/**
 * Numbers in a chunk of several slots: 1 MB. An update makes a dozen passes over its vectors, which should find them in the
 * cache and not in memory: of 10.6 million parameters together they took a third of a step, as chunks a tenth.
 */
const CHUNK = 2 ** 18;

/** Neighbouring slots together as long as they are small; a large one alone. */
export function chunksOf({ slots }: Layout): readonly Chunk[] {
  const chunks: Chunk[] = [];
  for (const slot of slots) {
    const length = elementCount(slot.dims);
    const last = chunks.at(-1);
    if (last && last.length + length <= CHUNK) {
      chunks[chunks.length - 1] = { ...last, slots: [...last.slots, slot], length: last.length + length };
    } else {
      chunks.push({ slots: [slot], offset: slot.offset, length });
    }
  }
  return chunks;
}

/** A chunk's part of `flat`: a view. */
export function part({ offset, length }: Chunk, flat: Float32Array): TensorOf<"float32"> {
  return floats(flat.subarray(offset, offset + length));
}
