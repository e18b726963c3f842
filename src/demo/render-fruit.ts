/**
 * @file Photo-like fruit, rendered by code: the data of the demonstration. Nothing is loaded; a photo follows from its seed
 * and its number alone. Apple, mushroom, orange, pear and sweet pepper, in any pose and light, in company, behind things,
 * out of focus; some apples and pears differ by little.
 */

import { createRng, fork, type Seed } from "../math/random.ts";
import { pick } from "./fruit/colour.ts";
import { compose, FruitLabel } from "./fruit/compose.ts";
import { develop } from "./fruit/lens.ts";
import { expose } from "./fruit/shade.ts";

export { FruitLabel };

export type FruitPhoto = {
  /** `[side, side, 3]`, 8-bit sRGB. */
  readonly rgb: Uint8Array;
  readonly side: number;
  readonly label: FruitLabel;
};

/**
 * The photo with this number. The scene does not depend on `side`, only its resolution does.
 * @param side pixels, 16 to 512
 */
export function renderFruit({ seed, index, side }: { seed: Seed; index: number; side: number }): FruitPhoto {
  if (!Number.isInteger(side) || side < 16 || side > 512) {
    throw new RangeError(`a photo's side is 16 to 512 pixels, got ${side}`);
  }
  const rng = rngOf(seed, index);
  const label = pick(FruitLabel, rng);
  const { scene, lens } = compose(label, rng);
  return { rgb: develop(expose(scene, side), lens, rng), side, label };
}

/** The label of the photo with this number, without rendering it. */
export function fruitLabel({ seed, index }: { seed: Seed; index: number }): FruitLabel {
  return pick(FruitLabel, rngOf(seed, index));
}

const rngOf = (seed: Seed, index: number) => createRng(fork(seed, "fruit", index));
