/**
 * @file Whether the numbers of a column only count the rows: they rise from row to row, or fill their range more evenly than values
 * that something in the world gives. Values are added in the order of the file, in constant memory.
 */

export type Sequence = {
  /** In the order of the file. NaN is missing. */
  add(value: number): void;
  verdict(): SequenceVerdict;
};

export type SequenceVerdict = {
  /** Nearly every step goes the same way. */
  readonly isSorted: boolean;
  /** Whole numbers, nearly all different. */
  readonly isNumbering: boolean;
  /** Whole numbers that occur more evenly than chance would have it: a numbering that was shuffled, or starts again. */
  readonly isEven: boolean;
  /** As far as they were counted. */
  readonly distinct: number;
  readonly n: number;
};

/** Steps that must be seen; of so many values sorted by chance there is one order in 10^18. */
const MIN_STEPS = 20;
const SAME_WAY = 0.98;
/** Clocks of several writers jitter: means of so many rows do not. */
const BLOCK = 16;
const MOST_DIFFERENT = 0.9;
/** Standard deviations; 6 are one column in a billion. */
const EVENNESS = 6;
const MAX_KEPT = 4_096;

export function createSequence(): Sequence {
  const [steps, blocks] = [createSteps(), createSteps()];
  const counts = createLattice();
  let [n, isWhole, sum, inBlock] = [0, true, 0, 0];
  return {
    add(value) {
      if (Number.isNaN(value)) return;
      n++;
      steps.add(value);
      isWhole &&= Number.isInteger(value);
      if (isWhole) counts.add(value);
      sum += value;
      if (++inBlock < BLOCK) return;
      blocks.add(sum / BLOCK);
      [sum, inBlock] = [0, 0];
    },
    verdict() {
      const distinct = counts.distinct();
      return {
        isSorted: steps.isSorted() || blocks.isSorted(),
        isNumbering: isWhole && counts.isExact() && distinct >= MOST_DIFFERENT * counts.kept(),
        isEven: isWhole && counts.evenness() < -EVENNESS,
        distinct: isWhole ? distinct : steps.turns(),
        n,
      };
    },
  };
}

function createSteps() {
  let [up, down] = [0, 0];
  let last: number | undefined;
  return {
    add(value: number) {
      if (last !== undefined && value > last) up++;
      if (last !== undefined && value < last) down++;
      last = value;
    },
    isSorted: () => up + down >= MIN_STEPS && Math.max(up, down) >= SAME_WAY * (up + down),
    turns: () => up + down + 1,
  };
}

/** How often each number occurs; of too many different ones those on a lattice that is halved until they fit. */
function createLattice() {
  const counts = new Map<number, number>();
  let [modulus, least, most] = [1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const kept = () => counts.values().reduce((sum, count) => sum + count, 0);
  const thin = () => {
    modulus *= 2;
    for (const value of counts.keys()) if (value % modulus !== 0) counts.delete(value);
  };
  return {
    add(value: number) {
      [least, most] = [Math.min(least, value), Math.max(most, value)];
      if (value % modulus !== 0) return;
      counts.set(value, (counts.get(value) ?? 0) + 1);
      while (counts.size > MAX_KEPT && modulus < 2 ** 40) thin();
    },
    kept,
    distinct: () => counts.size,
    isExact: () => counts.size <= MAX_KEPT,
    /**
     * Index of dispersion over the cells of the range, as a normal deviate: 0 for uniform draws, positive for anything that heaps,
     * far below 0 for a numbering.
     */
    evenness() {
      const n = kept();
      const cells = Math.floor((most - least) / modulus) + 1;
      if (n < MIN_STEPS || !(cells > 1) || !Number.isSafeInteger(most - least)) return 0;
      const squares = counts.values().reduce((sum, count) => sum + count * count, 0);
      const dispersion = ((squares * cells) / n - n) / (cells - 1);
      return (dispersion - 1) * Math.sqrt((cells - 1) / 2);
    },
  };
}
