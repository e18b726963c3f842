/** @file A gate that lets work through while its weight fits: bounds the memory of work that is done at once. */

export type Gate = {
  /** Runs `work` once there is room, first come first served. What is heavier than the gate runs alone. */
  run<T>(weight: number, work: () => Promise<T>): Promise<T>;
};

export function createGate(capacity: number): Gate {
  let free = capacity;
  const waiting: { readonly weight: number; readonly start: () => void }[] = [];
  const admit = (): void => {
    while (waiting[0] !== undefined && waiting[0].weight <= free) {
      const { weight, start } = waiting.shift()!;
      free -= weight;
      start();
    }
  };
  return {
    async run(given, work) {
      const weight = Math.min(given, capacity);
      await new Promise<void>((start) => {
        waiting.push({ weight, start });
        admit();
      });
      try {
        return await work();
      } finally {
        free += weight;
        admit();
      }
    },
  };
}
