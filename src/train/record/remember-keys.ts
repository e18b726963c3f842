/** @file Records mostly come with the same names in the same order: what follows from a name is worked out once. */

/**
 * What a name stands for, looked up anew only where another name stood at that place in the record before: a look-up for
 * each value would be most of the time that reading takes.
 */
export function rememberKeys<T>(lookUp: (name: string) => T): (place: number, name: string) => T {
  const names: string[] = [];
  const found: T[] = [];
  return (place, name) => {
    if (names[place] !== name) {
      names[place] = name;
      found[place] = lookUp(name);
    }
    return found[place]!;
  };
}
