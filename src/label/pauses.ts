/** @file Pauses that the provider asked for, and the time that was not spent in them. */

export type Pauses = {
  ask(durationMs: number, nowMs: number): void;
  untilMs(): number;
  /** Time outside pauses, ms, from an origin of its own: only differences mean anything. */
  activeMs(nowMs: number): number;
};

export function createPauses(): Pauses {
  let [until, total] = [0, 0];
  return {
    ask(durationMs, nowMs) {
      const asked = nowMs + durationMs;
      if (asked <= until) return;
      total += asked - Math.max(nowMs, until);
      until = asked;
    },
    untilMs: () => until,
    activeMs: (nowMs) => nowMs - total + Math.max(0, until - nowMs),
  };
}
