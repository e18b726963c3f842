/**
 * @file What the public doors of `math/` refuse. Inside, everything is trusted: a NaN that got past here is a bug of ours.
 */

/** @throws RangeError unless `value` lies in the open interval (0, 1) */
export function checkOpenShare(name: string, value: number): void {
  if (!(value > 0 && value < 1)) throw new RangeError(`${name} must lie in (0, 1), got ${value}`);
}

/** @throws RangeError unless `value` lies in [0, 1] */
export function checkShare(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} must lie in [0, 1], got ${value}`);
}

/** @throws RangeError unless `value` is an integer ≥ `least` */
export function checkCount(name: string, value: number, least = 0): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${name} must be an integer of at least ${least}, got ${value}`);
  }
}

/** @throws RangeError unless both are counts and `successes` ≤ `trials` */
export function checkSuccesses(successes: number, trials: number): void {
  checkCount("trials", trials);
  checkCount("successes", successes);
  if (successes > trials) throw new RangeError(`successes (${successes}) exceed trials (${trials})`);
}

/** @throws RangeError unless `values` holds exactly `length` elements */
export function checkLength(name: string, values: ArrayLike<number>, length: number): void {
  if (values.length !== length) throw new RangeError(`${name} must have ${length} elements, has ${values.length}`);
}

/** @throws RangeError naming the first element that is NaN or infinite */
export function checkFinite(name: string, values: ArrayLike<number>): void {
  for (let index = 0; index < values.length; index++) {
    if (!Number.isFinite(values[index])) throw new RangeError(`${name}[${index}] is ${values[index]}, must be finite`);
  }
}

/** @throws RangeError naming the first element outside [0, 1] */
export function checkShares(name: string, values: ArrayLike<number>): void {
  for (let index = 0; index < values.length; index++) checkShare(`${name}[${index}]`, values[index]!);
}

/** @throws RangeError naming the first element that is no class index in [0, `k`) */
export function checkClasses(name: string, values: ArrayLike<number>, k: number): void {
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (!Number.isInteger(value) || value < 0 || value >= k) {
      throw new RangeError(`${name}[${index}] must be a class index in [0, ${k}), got ${value}`);
    }
  }
}
