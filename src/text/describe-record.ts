/** @file A record as a person reads it. */

import type { Fields } from "./identity.ts";

/** `tenure: 56 · Contract: Two year`; what is missing is left out. */
export function describeRecord(fields: Fields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${value}`)
    .join(" · ");
}
