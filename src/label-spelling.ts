/**
 * @file Which label a spelling means. What was declared is compared first as it stands, then ever more loosely; a looser
 * comparison never joins two labels, and drops nothing that carries meaning: signs, digits, currency, percent, and, in
 * scripts other than Latin, Greek and Cyrillic, marks (a vowel, a voicing, a tone).
 */

import type { LabelValue } from "./records.ts";

/** A label and the other spellings that mean it. */
export type Spelled = { readonly value: LabelValue; readonly synonyms: readonly string[] };

export type SpellingReader = (given: string) => LabelValue | undefined;

/** Two labels that cannot be told apart by anyone. */
export type SpellingClash = { readonly spelling: string; readonly labels: readonly [LabelValue, LabelValue] };

/** NFC without outer white space: what two spellings have in common that are the same to a reader. */
export const plainSpelling = (text: string): string => text.normalize("NFC").trim();

/** The first two labels that share a spelling, or undefined. */
export function findClash(labels: readonly Spelled[]): SpellingClash | undefined {
  const seen = new Map<string, LabelValue>();
  for (const [spelling, value] of pairsOf(labels, plainSpelling)) {
    const other = seen.get(spelling);
    if (other !== undefined && other !== value) return { spelling, labels: [other, value] };
    seen.set(spelling, value);
  }
  return undefined;
}

/** Case, width and white space. */
const caseless = (text: string): string =>
  withoutWidth(plainSpelling(text))
    .toLowerCase()
    .replaceAll("ß", "ss")
    .replaceAll("ς", "σ")
    // The capital of ı is I as well: KIZ may be kız or kiz.
    .replaceAll("ı", "i")
    .replace(/\s+/g, " ")
    .trim();

/**
 * The spelling without what is form alone: case, quotes, emphasis, brackets, full stops, and which of hyphen, underscore,
 * slash or space joins two words. Falls back to the text itself.
 */
export function foldLabel(text: string): string {
  const bare = unwrapped(caseless(text));
  const folded = joinedBySpaces(bare);
  return folded || bare || text;
}

/** `1.0` and `1` are one number: a float column writes every whole number so. Undefined where it is none. */
function asNumber(text: string): string | undefined {
  const folded = foldLabel(text);
  if (!/^[+-]?\d+(\.\d+)?$/.test(folded)) return undefined;
  const [whole, fraction = ""] = folded.split(".");
  const kept = withoutTrailingZeros(fraction);
  const number = kept === "" ? whole! : `${whole}.${kept}`;
  return number === "-0" ? "0" : number;
}

type Level = (text: string) => string | undefined;

const levels: readonly Level[] = [plainSpelling, caseless, foldLabel, asNumber];

/** Undefined where a spelling means none of the labels, or could mean two. */
export function createSpellingReader(labels: readonly Spelled[]): SpellingReader {
  const exact = new Map(labels.map(({ value }) => [value as string, value]));
  const maps = levels.map((level) => indexBy(labels, level));
  const accents = indexAccents(labels);
  return (given) => {
    const label = exact.get(given);
    if (label !== undefined) return label;
    for (const [index, level] of levels.entries()) {
      const key = level(given);
      const found = key === undefined ? undefined : maps[index]!.get(key);
      if (found !== undefined) return only(found);
    }
    return only(accents(given));
  };
}

const only = (labels: ReadonlySet<LabelValue>): LabelValue | undefined =>
  labels.size === 1 ? labels.values().next().value : undefined;

type Index = ReadonlyMap<string, ReadonlySet<LabelValue>>;

function indexBy(labels: readonly Spelled[], level: Level): Index {
  const index = new Map<string, Set<LabelValue>>();
  for (const [key, value] of pairsOf(labels, level)) index.set(key, (index.get(key) ?? new Set()).add(value));
  return index;
}

function pairsOf(labels: readonly Spelled[], level: Level): readonly (readonly [string, LabelValue])[] {
  return labels.flatMap(({ value, synonyms }) =>
    [value, ...synonyms].flatMap((spelling) => {
      const key = level(spelling);
      return key === undefined ? [] : [[key, value] as const];
    }),
  );
}

/** Accents that one of the two leaves out, as keyboards do. Two spellings that both have accents are two words: má, mà. */
function indexAccents(labels: readonly Spelled[]): (given: string) => ReadonlySet<LabelValue> {
  const declared = Map.groupBy(pairsOf(labels, foldLabel), ([folded]) => withoutAccents(folded));
  return (given) => {
    const folded = foldLabel(given);
    const bare = withoutAccents(folded);
    const meant = (declared.get(bare) ?? []).filter(([spelling]) => folded === bare || spelling === bare);
    return new Set(meant.map(([, value]) => value));
  };
}

/**
 * Marks of Latin and Greek letters; of Cyrillic ones stress and the dots of ё alone, since й and ї are letters of their own.
 */
function withoutAccents(text: string): string {
  return text
    .normalize("NFD")
    .replace(/([\p{Script=Latin}\p{Script=Greek}])\p{M}+/gu, "$1")
    .replace(/(\p{Script=Cyrillic})[\u0300\u0301]+/gu, "$1")
    .replaceAll("е\u0308", "е")
    .normalize("NFC");
}

/**
 * Full-width and half-width forms, ligatures, and what has no width or no meaning at all: marks of direction, the stroke that makes
 * Arabic words longer, whether a sign is drawn as an emoji. Joiners stay, which mean something in Persian and Hindi, and so do
 * superscripts: 10² is not 102.
 */
const withoutWidth = (text: string): string =>
  text
    .replace(/[\ufb00-\ufb06\uff01-\uffef]+/gu, (forms) => forms.normalize("NFKC"))
    .replace(/[\u00ad\u061c\u0640\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]|\ufe0e|\ufe0f/gu, "")
    .replace(/[\u2212\ufe63]/gu, "-");

function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  return digits.slice(0, end);
}

const PAIRS = ['""', "''", "``", "“”", "‘’", "„“", "«»", "»«", "「」", "**", "__", "()", "[]", "{}"];

/** Quotes, emphasis and brackets around the whole. A number in round brackets stays: bookkeepers write -1 so. */
function unwrapped(text: string): string {
  const inner = text.slice(1, -1);
  const isWrapped = text.length > 2 && PAIRS.includes(`${text[0]}${text.at(-1)}`);
  if (!isWrapped || (text[0] === "(" && /^[\d\p{Sc}]/u.test(inner))) return text;
  return unwrapped(inner.trim());
}

const WORD = /[\p{L}\p{M}\p{N}]/u;
const DIGIT = /\p{Nd}/u;
/** Punctuation that says something, besides all symbols. */
const MEANINGFUL = /[&*%‰‱٪#@?!]/u;

/** White space for punctuation that only joins or ends words. */
function joinedBySpaces(text: string): string {
  const characters = [...withoutEnd(withoutBullet(text))];
  const kept = characters.map((character, index) =>
    keptCharacter(character, characters[index - 1] ?? "", characters[index + 1] ?? ""),
  );
  return kept.join("").replace(/\s+/g, " ").trim();
}

function keptCharacter(character: string, before: string, after: string): string {
  if (!/\p{P}/u.test(character) || MEANINGFUL.test(character)) return character;
  if (/\p{Pd}/u.test(character)) return isJoiner(before, after) ? " " : "-";
  if (character === "(" && before === "" && /[\d\p{Sc}]/u.test(after)) return character;
  if (/[.,:/'’]/u.test(character) && DIGIT.test(after) && !/\p{L}/u.test(before)) return character;
  return " ";
}

/** Between two words a dash joins; between two digits, before a word and after one it is a range, a sign or a grade. */
const isJoiner = (before: string, after: string): boolean =>
  WORD.test(before) && WORD.test(after)
    ? !(DIGIT.test(before) && DIGIT.test(after))
    : /\s/.test(before) && !DIGIT.test(after);

/** `- billing`, but not `- 1`. */
const withoutBullet = (text: string): string => (/^[-–—•·]\s+[^\s\d]/u.test(text) ? text.slice(1) : text);

function withoutEnd(text: string): string {
  let end = text.length;
  while (end > 1 && ".,;:!…。！".includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}
