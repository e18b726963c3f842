/**
 * @file A text as units and tokens, in arrays that are used again for the next text.
 *
 * A unit is a code point, or an emoji with all that belongs to it (skin tone, joiners, the second half of a flag): 👩🏽‍🚀 is
 * one unit. White space of any length is one space, with one before and one after the text, so that the characters of a
 * word with its two spaces lie side by side. A token is a run of two or more word units, an ideograph or an emoji.
 */

import { roomFor } from "./buffer.ts";
import { characterClass, classOf, isEmojiModifier, isRegionalIndicator, zeroWidthJoiner } from "./character-class.ts";
import { foldText } from "./fold-text.ts";

const { space, word, mark, ideograph, emoji, dropped } = characterClass;
const SPACE = 32;
const NO_TOKEN = -1;
/** Shorter runs of letters and digits are no tokens, as in scikit-learn: `a`, `I`, `5`. */
const SHORTEST_RUN = 2;

export class Segmenter {
  /** Code points; clusters have negative numbers. `[unitCount]` */
  units = new Int32Array(1024);
  unitCount = 0;
  /** Where the spaces are among the units: word i lies between gap i and gap i + 1. `[gapCount]` */
  gaps = new Int32Array(256);
  gapCount = 0;
  /** First unit of each token and the unit after its last. `[tokenCount]` */
  tokenStarts = new Int32Array(256);
  tokenEnds = new Int32Array(256);
  tokenCount = 0;

  #text = "";
  /** Spellings of the clusters of this text. */
  readonly #clusters = new Map<number, string>();
  #runStart = NO_TOKEN;

  /** Segments `text`, which need not be normalised. */
  read(text: string): void {
    this.#begin(foldText(text));
    const source = this.#text;
    for (let index = 0; index < source.length; ) {
      const codePoint = source.codePointAt(index)!;
      index = this.#take(codePoint, index, index + (codePoint > 0xffff ? 2 : 1));
    }
    this.#gap();
  }

  /** Units `[start, end)` as they were written. */
  textOf(start: number, end: number): string {
    let text = "";
    for (let index = start; index < end; index++) {
      const unit = this.units[index]!;
      text += unit < 0 ? this.#clusters.get(unit)! : String.fromCodePoint(unit);
    }
    return text;
  }

  #begin(text: string): void {
    this.#text = text;
    this.#clusters.clear();
    this.#runStart = NO_TOKEN;
    this.#reserve(text.length + 2);
    this.tokenCount = 0;
    this.gaps[0] = 0;
    this.gapCount = 1;
    this.units[0] = SPACE;
    this.unitCount = 1;
  }

  /** There are never more units, tokens or gaps than characters and the two spaces around them. */
  #reserve(count: number): void {
    this.units = roomFor(this.units, count);
    this.gaps = roomFor(this.gaps, count);
    this.tokenStarts = roomFor(this.tokenStarts, count);
    this.tokenEnds = roomFor(this.tokenEnds, count);
  }

  /** One character; returns where the next one begins. */
  #take(codePoint: number, start: number, end: number): number {
    const kind = classOf(codePoint);
    if (kind === word) {
      if (this.#runStart === NO_TOKEN) this.#runStart = this.unitCount;
      this.units[this.unitCount++] = codePoint;
    } else if (kind === space) this.#gap();
    else if (kind === emoji) return this.#emoji(codePoint, start, end);
    else if (kind !== dropped) this.#symbol(codePoint, kind);
    return end;
  }

  #symbol(codePoint: number, kind: number): void {
    if (kind !== mark) this.#endRun();
    if (kind === ideograph) this.#token(this.unitCount, this.unitCount + 1);
    this.units[this.unitCount++] = codePoint;
  }

  #gap(): void {
    this.#endRun();
    if (this.gaps[this.gapCount - 1] === this.unitCount - 1) return;
    this.gaps[this.gapCount++] = this.unitCount;
    this.units[this.unitCount++] = SPACE;
  }

  #endRun(): void {
    if (this.#runStart === NO_TOKEN) return;
    if (this.unitCount - this.#runStart >= SHORTEST_RUN) this.#token(this.#runStart, this.unitCount);
    this.#runStart = NO_TOKEN;
  }

  #token(start: number, end: number): void {
    this.tokenStarts[this.tokenCount] = start;
    this.tokenEnds[this.tokenCount++] = end;
  }

  #emoji(codePoint: number, start: number, end: number): number {
    this.#endRun();
    const next = clusterEnd(this.#text, codePoint, end);
    this.#token(this.unitCount, this.unitCount + 1);
    this.units[this.unitCount++] = next === end ? codePoint : this.#cluster(this.#text.slice(start, next));
    return next;
  }

  #cluster(spelling: string): number {
    const visible = spelling.replace(/[\ufe0e\ufe0f]/g, "");
    const first = visible.codePointAt(0)!;
    if (visible.length === (first > 0xffff ? 2 : 1)) return first;
    const number = hashOf(visible) | 0x80000000;
    this.#clusters.set(number, visible);
    return number;
  }
}

/** Where the emoji that begins with `codePoint` and goes on at `end` is over (UTS 51: ED-15a, ED-13, ED-14). */
function clusterEnd(text: string, codePoint: number, end: number): number {
  let at = end;
  let joined = false;
  let flag = isRegionalIndicator(codePoint);
  for (;;) {
    const next = text.codePointAt(at);
    if (next === undefined) return at;
    const kind = classOf(next);
    const isSecondHalf = flag && isRegionalIndicator(next);
    if (!isSecondHalf && !isEmojiModifier(next) && kind !== mark && !isSelector(next) && !(joined && kind === emoji)) {
      return at;
    }
    if (isSecondHalf) flag = false;
    joined = next === zeroWidthJoiner;
    at += next > 0xffff ? 2 : 1;
  }
}

const isSelector = (codePoint: number): boolean => codePoint === 0xfe0e || codePoint === 0xfe0f;

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
}
