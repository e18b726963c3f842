/**
 * @file When two texts, or two records, are the same: the hash of what they say, whatever their white space, the form of
 * their characters and the order of their fields. Duplicates then never straddle splits and are never paid for twice
 * (SCIENCE D3).
 */

import { hash } from "node:crypto";

/** Unicode's compatibility form (NFKC), runs of white space as one blank, none at the ends. Case is kept: it may mean something. */
export function normaliseText(text: string): string {
  const composed = beyondAscii.test(text) ? text.toWellFormed().normalize("NFKC") : text;
  return (unevenSpace.test(composed) ? composed.replace(/\s+/gu, " ") : composed).trim();
}

const beyondAscii = /[^\0-\x7f]/;
/** White space that is more or other than one blank. */
const unevenSpace = /\s\s|[^\S ]/u;

/** 64 hex digits. */
export function identityOfText(text: string): string {
  return hash("sha256", `text\n${normaliseText(text)}`);
}

export type Fields = Readonly<Record<string, string | number | boolean | null>>;

/** 64 hex digits. A field that is null is a field that is not there; −0 is 0. */
export function identityOfRecord(fields: Fields): string {
  return hash("sha256", `record\n${canonicalJson(fields)}`);
}

/** The fields sorted by name, values normalised, missing ones left out. */
function canonicalJson(fields: Fields): string {
  const present = Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => [normaliseText(name), typeof value === "string" ? normaliseText(value) : value] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(present);
}
