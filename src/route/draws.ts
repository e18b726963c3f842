/**
 * @file The random numbers of a request: a hash of seed and request id. So replicas agree without talking, a run repeats,
 * and whoever sends a request cannot choose its draw (the server makes the ids).
 */

import { hash } from "node:crypto";
import type { Seed } from "../math/random.ts";

/** Worked out when first asked for: where nothing is audited, nobody asks. Independent and uniform in [0, 1), 48 bits each. */
export type Draws = {
  /** Decides whether the request belongs to the uniform stream. */
  readonly uniform: number;
  /** Decides whether a confident answer is audited. */
  readonly audit: number;
};

const SIZE_BYTES = 6;

export function drawsOf(seed: Seed, requestId: string): Draws {
  let digest: Buffer | undefined;
  const at = (offset: number): number => {
    digest ??= hash("sha256", `route/${seed}/${requestId}`, "buffer");
    return digest.readUIntBE(offset, SIZE_BYTES) / 2 ** (8 * SIZE_BYTES);
  };
  return {
    get uniform() {
      return at(0);
    },
    get audit() {
      return at(SIZE_BYTES);
    },
  };
}
