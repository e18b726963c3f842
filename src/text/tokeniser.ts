/**
 * @file From a text to the token ids that an encoder reads, as its own `tokenizer.json` says. The models are Hugging Face's own
 * JavaScript; what comes before them, where that differs from the original, is ours (`normalisers.ts`, `pre-tokenisers.ts`). Held
 * against the original in `tokeniser.test.ts` and, kind by kind, in `tokeniser-golden.test.ts`.
 */

import { Tokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { FlywheelError, messageOf } from "../errors.ts";
import { openNormaliser } from "./normalisers.ts";
import { openPreTokeniser } from "./pre-tokenisers.ts";

export type Tokeniser = {
  /** Entries of the vocabulary, added tokens included: every id is smaller. */
  readonly size: number;
  /** What stands for what no token spells; absent of vocabularies that spell everything. */
  readonly unknownId: number | undefined;
  /** Characters of a token, the median of the vocabulary. */
  readonly medianTokenLength: number;
  /** Ids of a text, with what encloses it (`[CLS]` … `[SEP]`). At most `maxTokens`: the end of a longer text is left out. */
  encode(text: string, maxTokens: number): readonly number[];
  /** Ids of the text alone. */
  encodePlain(text: string): readonly number[];
};

/** What is read of it here; the library reads the rest. It reads other models too, and gives no ids where it knows no word. */
const TokenizerJson = z.looseObject({
  model: z.looseObject({ type: z.enum(["WordPiece", "BPE", "Unigram"]), unk_token: z.string().nullish() }),
  normalizer: z.unknown(),
  pre_tokenizer: z.unknown(),
});
type TokenizerJson = z.output<typeof TokenizerJson>;

/**
 * @param json `tokenizer.json`, parsed
 * @throws FlywheelError `tokenizer_unreadable`
 */
export function openTokeniser(json: unknown, source: string): Tokeniser {
  const { tokenizer, unknown } = open(json, source);
  const ids = tokenizer.get_vocab(true);
  const plain = (text: string): readonly number[] => tokenizer.encode(text, { add_special_tokens: false }).ids;
  // The text's tokens lie between those that enclose it; what is cut is cut before these.
  const [before, after] = enclosing(tokenizer);
  return {
    size: Math.max(-1, ...ids.values()) + 1,
    unknownId: unknown == null ? undefined : ids.get(unknown),
    medianTokenLength: median([...ids.keys()].map((token) => [...token].length)),
    encode(text, maxTokens) {
      const room = Math.max(0, maxTokens - before.length - after.length);
      return [...before, ...startOf(text, room, plain), ...after];
    },
    encodePlain: plain,
  };
}

/** Characters of a token, roughly: what is read of a text at first for each token wanted. */
const USUAL_LENGTH = 16;
/** A cut through a word changes the tokens of that word alone; longer words than this are unknown as a whole. */
const LONGEST_WORD = 128;

/** The first `count` tokens of a text, without reading all of a book for them. */
function startOf(text: string, count: number, plain: (text: string) => readonly number[]): readonly number[] {
  for (let length = USUAL_LENGTH * (count + LONGEST_WORD); length < text.length; length *= 2) {
    const ids = plain(text.slice(0, length));
    if (ids.length >= count + LONGEST_WORD) return ids.slice(0, count);
  }
  return plain(text).slice(0, count);
}

function open(
  json: unknown,
  source: string,
): { readonly tokenizer: Tokenizer; readonly unknown?: string | null | undefined } {
  try {
    const parsed = TokenizerJson.parse(json);
    return { tokenizer: tokenizerOf(parsed), unknown: parsed.model.unk_token };
  } catch (cause) {
    throw new FlywheelError("tokenizer_unreadable", `${source} is no tokenizer that can be used: ${messageOf(cause)}`, {
      hint: "give the tokenizer.json that lies beside the encoder's weights (a fast tokenizer's; vocab.txt is not enough)",
      cause,
    });
  }
}

function tokenizerOf({ normalizer, pre_tokenizer, ...json }: TokenizerJson): Tokenizer {
  const tokenizer = new Tokenizer(
    { ...json, normalizer: normalizer == null ? null : asReplacement(normalizer), pre_tokenizer: null },
    {},
  );
  if (pre_tokenizer == null) return tokenizer;
  const split = openPreTokeniser(pre_tokenizer);
  tokenizer.pre_tokenizer = (text: string, { section_index }: { readonly section_index: number }) =>
    split(text, section_index === 0);
  return tokenizer;
}

/**
 * The library normalises added tokens while it is built, so that a normaliser of ours has to be there before: the whole text,
 * replaced by what we make of it.
 */
function asReplacement(normalizer: unknown) {
  return { type: "Replace", pattern: { Regex: "[\\s\\S]+" }, content: openNormaliser(normalizer) };
}

/** The ids before and after the text. */
function enclosing(tokenizer: Tokenizer): readonly [readonly number[], readonly number[]] {
  const probe = "a";
  const bare: readonly number[] = tokenizer.encode(probe, { add_special_tokens: false }).ids;
  const whole: readonly number[] = tokenizer.encode(probe).ids;
  const start = whole.findIndex((_, at) => bare.every((id, index) => whole[at + index] === id));
  return [whole.slice(0, start), whole.slice(start + bare.length)];
}

/** The upper of two middle ones, truncated as the reference does. */
function median(lengths: number[]): number {
  lengths.sort((a, b) => a - b);
  const middle = Math.floor(lengths.length / 2);
  if (lengths.length % 2 === 1) return lengths[middle] ?? 0;
  return Math.floor(((lengths[middle - 1] ?? 0) + (lengths[middle] ?? 0)) / 2);
}
