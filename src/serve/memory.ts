/** @file What was made of a JSON value, for when the same value comes again: the last few, by what they say. */

export type Memory<T> = {
  recall(given: unknown): T | undefined;
  /** @returns `made` */
  remember(given: unknown, made: T): T;
};

const MAX_ENTRIES = 64;
/** Longer ones are seldom the same, and hold memory. */
const MAX_CHARACTERS = 32_768;

/** For values that were read from JSON, so that what says the same is the same. */
export function createMemory<T>(): Memory<T> {
  const known = new Map<string, T>();
  return {
    recall: (given) => (known.size === 0 ? undefined : known.get(JSON.stringify(given) ?? "")),
    remember(given, made) {
      const key = JSON.stringify(given);
      if (key.length > MAX_CHARACTERS) return made;
      if (known.size >= MAX_ENTRIES) known.delete(known.keys().next().value!);
      known.set(key, made);
      return made;
    },
  };
}
