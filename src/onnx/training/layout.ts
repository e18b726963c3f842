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
