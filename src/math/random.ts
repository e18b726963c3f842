/**
 * @file Explicit randomness. A seed is forked by purpose, so that adding a draw in one place never shifts another.
 *
 * Generator: sfc32 (Chris Doty-Humphrey, PractRand), 128-bit state, seeded through cyrb128-style mixing. Not for secrets.
 */

/** A stream of draws. Stateful: pass it down, never share it between concurrent consumers. */
export type Rng = {
  /** Uniform in [0, 1), 32 bits of resolution. */
  next(): number;
  /** Uniform integer in [0, `bound`). @throws RangeError unless `bound` is an integer in [1, 2^32]. */
  integer(bound: number): number;
  /** Standard normal (Box–Muller; uses two draws). */
  normal(): number;
};

export type Seed = number | string;

/** A new stream. The same seed gives the same stream on every machine. */
export function createRng(seed: Seed): Rng {
  let [a, b, c, d] = mix(String(seed));
  const draw = (): number => {
    const sum = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let warmUp = 0; warmUp < 12; warmUp++) draw();
  const next = () => draw() / 0x1_0000_0000;
  return {
    next,
    integer(bound) {
      if (!Number.isInteger(bound) || bound < 1 || bound > 0x1_0000_0000) {
        throw new RangeError(`integer bound must be an integer in [1, 2^32], got ${bound}`);
      }
      return Math.floor(next() * bound);
    },
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}

/** The seed of an independent stream for one purpose: `fork(seed, "split")`. */
export function fork(seed: Seed, ...purpose: readonly (string | number)[]): string {
  return [seed, ...purpose].join("/");
}

/** A shuffled copy (Fisher–Yates). */
export function shuffle<T>(items: readonly T[], rng: Rng): T[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = rng.integer(last + 1);
    [shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!];
  }
  return shuffled;
}

/** 128 bits from a string (bryc's cyrb128, public domain). */
function mix(text: string): [number, number, number, number] {
  let [h1, h2, h3, h4] = [1779033703, 3144134277, 1013904242, 2773480762];
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    h1 = h2 ^ Math.imul(h1 ^ code, 597399067);
    h2 = h3 ^ Math.imul(h2 ^ code, 2869860233);
    h3 = h4 ^ Math.imul(h3 ^ code, 951274213);
    h4 = h1 ^ Math.imul(h4 ^ code, 2716044179);
  }
  h1 = Math.imul(h3 ^ (h1 >>> 18), 597399067);
  h2 = Math.imul(h4 ^ (h2 >>> 22), 2869860233);
  h3 = Math.imul(h1 ^ (h3 >>> 17), 951274213);
  h4 = Math.imul(h2 ^ (h4 >>> 19), 2716044179);
  return [h1 ^ h2 ^ h3 ^ h4, h2 ^ h1, h3 ^ h1, h4 ^ h1];
}
