/**
 * @file What a code point is to the tokeniser.
 *
 * Letters, digits and `_` make words, as `\w` does. Beyond what `\w` does (it loses all of these, or glues them together):
 * combining marks and joiners carry a word on, so that Hindi or Persian words stay whole; every ideograph and kana is a
 * word of its own, since Chinese and Japanese set no spaces; so is every emoji; what is invisible (soft hyphens,
 * direction marks, variation selectors) is dropped; control characters, NUL among them, separate words as white space does.
 */

export const characterClass = {
  space: 1,
  word: 2,
  /** Carries a word on, never begins one. */
  mark: 3,
  ideograph: 4,
  emoji: 5,
  other: 6,
  dropped: 7,
} as const;
export type CharacterClass = (typeof characterClass)[keyof typeof characterClass];

export const zeroWidthJoiner = 0x200d;
const zeroWidthNonJoiner = 0x200c;

const isSpace = /[\s\p{Cc}\u200b]/u;
/** Tags spell the flags of regions after a black flag (UTS 51). */
const isTag = /[\u{e0020}-\u{e007f}]/u;
const isInvisible = /\p{Default_Ignorable_Code_Point}/u;
const isEmoji = /\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}/u;
const isIdeograph = /\p{Script_Extensions=Han}|\p{Script_Extensions=Hiragana}|\p{Script_Extensions=Katakana}/u;
const isWord = /[\p{L}\p{N}_]/u;
const isLetter = /\p{L}/u;
const isMark = /\p{M}/u;

/** 0: not asked for yet. The pages of a table of every code point are only claimed as they are touched. */
const known = new Uint8Array(0x110000);

/** The class of a code point in [0, 0x10ffff]. */
export function classOf(codePoint: number): CharacterClass {
  const remembered = known[codePoint]!;
  if (remembered !== 0) return remembered as CharacterClass;
  const found = classify(codePoint);
  known[codePoint] = found;
  return found;
}

function classify(codePoint: number): CharacterClass {
  const character = String.fromCodePoint(codePoint);
  if (isSpace.test(character)) return characterClass.space;
  if (codePoint === zeroWidthJoiner || codePoint === zeroWidthNonJoiner) return characterClass.mark;
  if (isTag.test(character)) return characterClass.mark;
  if (isInvisible.test(character)) return characterClass.dropped;
  if (isEmoji.test(character)) return characterClass.emoji;
  if (isLetter.test(character) && isIdeograph.test(character)) return characterClass.ideograph;
  if (isWord.test(character)) return characterClass.word;
  return isMark.test(character) ? characterClass.mark : characterClass.other;
}

const modifiers = [0x1f3fb, 0x1f3ff] as const;
const regionalIndicators = [0x1f1e6, 0x1f1ff] as const;

export const isEmojiModifier = (codePoint: number): boolean => codePoint >= modifiers[0] && codePoint <= modifiers[1];
export const isRegionalIndicator = (codePoint: number): boolean =>
  codePoint >= regionalIndicators[0] && codePoint <= regionalIndicators[1];
