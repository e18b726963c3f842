/**
 * @file When two texts, or two records, are the same: the hash of what they say, whatever their white space, the form of
 * their characters and the order of their fields. Duplicates then never straddle splits and are never paid for twice
 * (SCIENCE D3).
 */

import { createHash } from "node:crypto";

/** Unicode's compatibility form (NFKC), runs of white space as one blank, none at the ends. Case is kept: it may mean something. */
export function normaliseText(text: string): string {
  return text.toWellFormed().normalize("NFKC").replace(/\s+/gu, " ").trim();
}

/** 64 hex digits. */
export function identityOfText(text: string): string {
  return createHash("sha256")
    .update(`text\n${normaliseText(text)}`)
    .digest("hex");
}

export type Fields = Readonly<Record<string, string | number | boolean | null>>;

/** 64 hex digits. A field that is null is a field that is not there; −0 is 0. */
export function identityOfRecord(fields: Fields): string {
  return createHash("sha256")
    .update(`record\n${canonicalJson(fields)}`)
    .digest("hex");
}

/** The fields sorted by name, values normalised, missing ones left out. */
function canonicalJson(fields: Fields): string {
  const present = Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => [normaliseText(name), typeof value === "string" ? normaliseText(value) : value] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(present);
}
