/** @file The real clock; everything else receives one as an argument. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "./contracts.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (durationMs, signal) => sleep(durationMs, undefined, signal ? { signal } : {}),
};
