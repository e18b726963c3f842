/** @file Records mostly come with the same names in the same order: what follows from the names is worked out once. */

/**
 * What each name stands for, looked up anew only when a record's names are not those of the one before: nearly all are, and
 * a look-up for each value would be most of the time that reading takes.
 */
export function rememberKeys<T>(lookUp: (name: string) => T): (names: readonly string[]) => readonly T[] {
  let names: readonly string[] = [];
  let found: readonly T[] = [];
  return (given) => {
    if (!isSame(given, names)) {
      names = given;
      found = given.map(lookUp);
    }
    return found;
  };
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false;
  return true;
}
