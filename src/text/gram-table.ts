/**
 * @file N-grams by their hashes: open addressing with linear probing, four numbers to a slot, so that a look-up touches one
 * line of the processor's cache, and at most half full.
 */

const SLOT_BITS = 2;
const SLOT = 2 ** SLOT_BITS;
const LOW = 0;
const HIGH = 1;
/** Number of the n-gram plus 1; 0 marks a free slot. */
const NUMBER = 2;
/** Free for whoever counts: found together with the rest. */
const MARK = 3;
const SMALLEST = 1024;
/** N-grams whose slots are read at once: few enough to stay in the cache until they are looked up. */
const AHEAD = 128;

export class GramTable {
  size = 0;
  /** `[capacity, 4]` */
  #slots: Int32Array;
  #mask: number;
  // biome-ignore lint/correctness/noUnusedPrivateClassMembers: without it, reads that nothing waits for are optimised away
  #seen = 0;

  constructor(expected = 0) {
    const capacity = capacityFor(expected);
    this.#slots = new Int32Array(capacity * SLOT);
    this.#mask = capacity - 1;
  }

  /** Gives the n-gram the next number unless it has one already. */
  add(low: number, high: number): number {
    let slot = this.#slotOf(low, high);
    const slots = this.#slots;
    if (slots[slot + NUMBER] !== 0) return slots[slot + NUMBER]! - 1;
    if (2 * (this.size + 1) * SLOT > slots.length) {
      this.#grow();
      slot = this.#slotOf(low, high);
    }
    this.#place(slot, low, high, this.size);
    return this.size++;
  }

  /**
   * Counts the n-grams of one text that are known: from entry `start` on, `numbers` receives each of them once, in order
   * of appearance, and `counts` how often it occurs. Returns where they end. A mark is `base` plus the entry: `base` plus
   * `start` must not fall from one call to the next, except after `forgetMarks`.
   */
  tally({ low, high, count }: Grams, { numbers, counts, start, base }: Tally): number {
    // The hottest loop of serving: all that it touches is a local, and `#slotOf` is written out.
    const slots = this.#slots;
    const places = this.#mask;
    const wrap = slots.length - 1;
    const firstMark = base + start;
    let end = start;
    for (let from = 0; from < count; from += AHEAD) {
      const to = Math.min(from + AHEAD, count);
      this.#fetch(low, from, to);
      for (let gram = from; gram < to; gram++) {
        const gramLow = low[gram]!;
        const gramHigh = high[gram]!;
        let slot = (gramLow & places) << SLOT_BITS;
        let number = slots[slot + NUMBER]!;
        while (number !== 0 && (slots[slot + LOW] !== gramLow || slots[slot + HIGH] !== gramHigh)) {
          slot = (slot + SLOT) & wrap;
          number = slots[slot + NUMBER]!;
        }
        if (number === 0) continue;
        const mark = slots[slot + MARK]!;
        if (mark > firstMark) counts[mark - base - 1]! += 1;
        else {
          numbers[end] = number - 1;
          counts[end++] = 1;
          slots[slot + MARK] = base + end;
        }
      }
    }
    return end;
  }

  forEach(visit: (low: number, high: number, number: number) => void): void {
    const slots = this.#slots;
    for (let slot = 0; slot < slots.length; slot += SLOT) {
      if (slots[slot + NUMBER] !== 0) visit(slots[slot + LOW]!, slots[slot + HIGH]!, slots[slot + NUMBER]! - 1);
    }
  }

  forgetMarks(): void {
    for (let slot = 0; slot < this.#slots.length; slot += SLOT) this.#slots[slot + MARK] = 0;
  }

  /**
   * Reads the slots at which the look-ups of n-grams `[first, end)` begin. A large table lies outside the processor's
   * caches and a look-up waits for its slot; here no read waits for another, so that many are under way at once.
   */
  #fetch(low: Int32Array, first: number, end: number): void {
    const [slots, mask] = [this.#slots, this.#mask];
    let seen = 0;
    for (let gram = first; gram < end; gram++) seen |= slots[(low[gram]! & mask) * SLOT]!;
    this.#seen = seen;
  }

  #slotOf(low: number, high: number): number {
    const slots = this.#slots;
    let at = low & this.#mask;
    for (;;) {
      const slot = at * SLOT;
      if (slots[slot + NUMBER] === 0 || (slots[slot + LOW] === low && slots[slot + HIGH] === high)) return slot;
      at = (at + 1) & this.#mask;
    }
  }

  #place(slot: number, low: number, high: number, number: number): void {
    this.#slots[slot + LOW] = low;
    this.#slots[slot + HIGH] = high;
    this.#slots[slot + NUMBER] = number + 1;
  }

  #grow(): void {
    const old = this.#slots;
    const capacity = (2 * old.length) / SLOT;
    this.#slots = new Int32Array(capacity * SLOT);
    this.#mask = capacity - 1;
    for (let from = 0; from < old.length; from += SLOT) {
      if (old[from + NUMBER] === 0) continue;
      const [low, high] = [old[from + LOW]!, old[from + HIGH]!];
      this.#place(this.#slotOf(low, high), low, high, old[from + NUMBER]! - 1);
    }
  }
}

/** `NgramReader` is one. */
export type Grams = { readonly low: Int32Array; readonly high: Int32Array; readonly count: number };

export type Tally = {
  readonly numbers: Int32Array;
  readonly counts: Float32Array;
  readonly start: number;
  readonly base: number;
};

function capacityFor(expected: number): number {
  let capacity = SMALLEST;
  while (capacity < 2 * expected) capacity *= 2;
  return capacity;
}
