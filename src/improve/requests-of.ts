/** @file Requests, counted. By itself, for `status` needs no statistics, and those take long to load. */

import type { TrafficTally } from "../store/contract.ts";

export const requestsOf = (tallies: readonly TrafficTally[]): number =>
  tallies.reduce((sum, { requests }) => sum + requests, 0);
