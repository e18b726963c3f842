/** @file The few nearest of many, and which rows of each class to keep for looking among. */

/** Keeps `nearest` rising, and no longer than `most`, as it takes in a distance. */
export function keepNearest(nearest: number[], distance: number, most: number): void {
  if (nearest.length === most && distance >= nearest[most - 1]!) return;
  const place = nearest.findIndex((other) => other > distance);
  nearest.splice(place < 0 ? nearest.length : place, 0, distance);
  if (nearest.length > most) nearest.pop();
}

export type RowsByClass = {
  /** Class after class, each in the order given. */
  readonly rows: readonly number[];
  /** Rows of class c are [classStarts[c], classStarts[c + 1]). `[classes + 1]` */
  readonly classStarts: Int32Array;
};

/** The first `most` rows of each class. @param classIndices `[n]`, in [0, `classes`) */
export function firstOfEachClass(classIndices: ArrayLike<number>, classes: number, most: number): RowsByClass {
  const kept = Array.from({ length: classes }, (): number[] => []);
  for (let row = 0; row < classIndices.length; row++) {
    const own = kept[classIndices[row]!]!;
    if (own.length < most) own.push(row);
  }
  const classStarts = new Int32Array(classes + 1);
  for (const [c, own] of kept.entries()) classStarts[c + 1] = classStarts[c]! + own.length;
  return { rows: kept.flat(), classStarts };
}

/** @throws RangeError unless `classStarts` rises from 0 to `rows` */
export function checkClassStarts(classStarts: Int32Array, rows: number): void {
  const isRising = classStarts.every((start, c) => (c === 0 ? start === 0 : start >= classStarts[c - 1]!));
  if (!isRising || classStarts.at(-1) !== rows) throw new RangeError("the classes do not hold their rows");
}
