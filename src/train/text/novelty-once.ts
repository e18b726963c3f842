/** @file Novelty that comes with the logits: whoever asks for it has just asked for those, so that a text is read once for both. */

import type { Student, StudentInput } from "../../contracts.ts";

/** @param novelties what `predictLogits` found of each input that it was given */
export function noveltyOnce(
  predictLogits: Student["predictLogits"],
  novelties: WeakMap<StudentInput, number>,
): NonNullable<Student["novelty"]> {
  return async (batch, signal) => {
    await predictLogits(
      batch.filter((input) => !novelties.has(input)),
      signal,
    );
    return Float32Array.from(batch, (input) => novelties.get(input)!);
  };
}
