/**
 * @file How a tokenizer splits a text into what its model reads one by one, by the rules of Hugging Face's Rust library: in its
 * JavaScript library a letter that is not ASCII is none to `Whitespace`, a byte order mark is white, and of a split's behaviours only
 * two are there.
 */

import { ByteLevelPreTokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { compile, Pattern } from "./normalisers.ts";

/** `isFirst`: whether the text begins with this part, and no added token before it. */
export type PreTokeniser = (text: string, isFirst: boolean) => readonly string[];

const behaviours = ["Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"] as const;
type Behaviour = (typeof behaviours)[number];
const Behaviour = z.enum(behaviours);

/** Words are Rust's `\w`; JavaScript's are ASCII. */
const byWord =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;
/** What BERT calls punctuation: Unicode's, and all of ASCII that is no letter, digit or space. */
const punctuation = /[\p{P}!-/:-@[-`{-~]/gu;
const byBert = /[^\p{White_Space}\p{P}!-/:-@[-`{-~]+|[\p{P}!-/:-@[-`{-~]/gu;

const matching =
  (pattern: RegExp): PreTokeniser =>
  (text) =>
    text.match(pattern) ?? [];

const read = {
  Whitespace: () => matching(byWord),
  WhitespaceSplit: () => matching(/\P{White_Space}+/gu),
  BertPreTokenizer: () => matching(byBert),
  Punctuation(config) {
    const { behavior } = z.object({ behavior: Behaviour.default("Isolated") }).parse(config);
    return (text) => split(text, { pattern: punctuation, behaviour: behavior });
  },
  Digits(config) {
    const { individual_digits } = z.object({ individual_digits: z.boolean().default(false) }).parse(config);
    const behaviour = individual_digits ? "Isolated" : "Contiguous";
    return (text) => split(text, { pattern: /\p{N}/gu, behaviour });
  },
  Split(config) {
    const given = z.object({ pattern: Pattern, behavior: Behaviour, invert: z.boolean().default(false) }).parse(config);
    const how = { pattern: compile(given.pattern), behaviour: given.behavior, isInverted: given.invert };
    return (text) => split(text, how);
  },
  CharDelimiterSplit(config) {
    const { delimiter } = z.object({ delimiter: z.string() }).parse(config);
    const how = { pattern: compile({ String: delimiter }), behaviour: "Removed" } as const;
    return (text) => split(text, how);
  },
  ByteLevel: (config) => byteLevel(ByteLevel.parse(config)),
  Metaspace: (config) => metaspace(Metaspace.parse(config)),
  Sequence(config) {
    const parts = z
      .object({ pretokenizers: z.array(z.unknown()) })
      .parse(config)
      .pretokenizers.map(openPreTokeniser);
    const next = (pieces: readonly string[], part: PreTokeniser, isFirst: boolean) =>
      pieces.flatMap((piece, index) => part(piece, isFirst && index === 0));
    return (text, isFirst) => parts.reduce((pieces, part) => next(pieces, part, isFirst), [text] as readonly string[]);
  },
} satisfies Readonly<Record<string, (config: unknown) => PreTokeniser>>;

/** @throws Error naming the kind that is not read */
export function openPreTokeniser(config: unknown): PreTokeniser {
  const { type } = z.looseObject({ type: z.string() }).parse(config);
  const open = new Map<string, (config: unknown) => PreTokeniser>(Object.entries(read)).get(type);
  if (open) return open(config);
  throw new Error(`its pre-tokenizer "${type}" is not read; these are: ${Object.keys(read).join(", ")}`);
}

type How = { readonly pattern: RegExp; readonly behaviour: Behaviour; readonly isInverted?: boolean };
type Piece = { readonly text: string; readonly isDelimiter: boolean };

/** `split` of Rust's `NormalizedString`: what the pattern finds are delimiters, or, inverted, all else. */
function split(text: string, { pattern, behaviour, isInverted = false }: How): readonly string[] {
  const pieces = piecesOf(text, pattern).map((piece) => ({ ...piece, isDelimiter: piece.isDelimiter !== isInverted }));
  switch (behaviour) {
    case "Removed":
      return pieces.filter(({ isDelimiter }) => !isDelimiter).map((piece) => piece.text);
    case "Isolated":
      return pieces.map((piece) => piece.text);
    case "Contiguous":
      return joined(pieces, (piece, before) => piece.isDelimiter === before.isDelimiter);
    case "MergedWithPrevious":
      return joined(pieces, (piece, before) => piece.isDelimiter && !before.isDelimiter);
    case "MergedWithNext":
      return joined(pieces, (piece, before) => before.isDelimiter && !piece.isDelimiter);
    default:
      return behaviour satisfies never;
  }
}

function piecesOf(text: string, pattern: RegExp): readonly Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    if (found === "") continue;
    if (index > end) pieces.push({ text: text.slice(end, index), isDelimiter: false });
    pieces.push({ text: found, isDelimiter: true });
    end = index + found.length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end), isDelimiter: false });
  return pieces;
}

function joined(pieces: readonly Piece[], belongs: (piece: Piece, before: Piece) => boolean): readonly string[] {
  const texts: string[] = [];
  for (const [index, piece] of pieces.entries()) {
    const before = pieces[index - 1];
    if (before && belongs(piece, before)) texts.push(texts.pop() + piece.text);
    else texts.push(piece.text);
  }
  return texts;
}

const ByteLevel = z.object({ add_prefix_space: z.boolean().default(true), use_regex: z.boolean().default(true) });

function byteLevel({ add_prefix_space, use_regex }: z.output<typeof ByteLevel>): PreTokeniser {
  const bytes = new ByteLevelPreTokenizer({ add_prefix_space: false, use_regex: false });
  return (given) => {
    const text = add_prefix_space && !given.startsWith(" ") ? ` ${given}` : given;
    const pieces = use_regex ? wordsOfGpt2(text) : [text];
    return pieces.flatMap((piece) => bytes.pre_tokenize_text(piece));
  };
}

/** Its own pattern, `…|\s+(?!\S)|\s+`: of several spaces before a word the last goes with the word, or stands alone. */
function wordsOfGpt2(text: string): readonly string[] {
  const pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+/gu;
  const words: string[] = [];
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const [word] = found;
    const isCut = /^\p{White_Space}\p{White_Space}/u.test(word) && pattern.lastIndex < text.length;
    if (isCut) pattern.lastIndex -= 1;
    words.push(isCut ? word.slice(0, -1) : word);
  }
  return words;
}

const Metaspace = z.object({
  replacement: z.string().default("▁"),
  /** Of files before `prepend_scheme`. */
  add_prefix_space: z.boolean().optional(),
  prepend_scheme: z.enum(["always", "first", "never"]).optional(),
  split: z.boolean().default(true),
});

function metaspace({
  replacement,
  add_prefix_space,
  prepend_scheme,
  split: isSplit,
}: z.output<typeof Metaspace>): PreTokeniser {
  const scheme = prepend_scheme ?? (add_prefix_space === false ? "never" : "always");
  const how = { pattern: compile({ String: replacement }), behaviour: "MergedWithNext" } as const;
  return (given, isFirst) => {
    const text = given.replaceAll(" ", () => replacement);
    const isPrefixed = (scheme === "always" || (scheme === "first" && isFirst)) && !text.startsWith(replacement);
    const whole = isPrefixed ? replacement + text : text;
    return isSplit ? split(whole, how) : [whole];
  };
}
