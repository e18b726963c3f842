/**
 * @file One spelling for what reads the same: NFKC (Unicode Standard Annex 15), then lower case.
 *
 * Full-width and half-width forms, ligatures and composed accents meet here; accents themselves stay, for they tell words
 * apart in most languages. A lone surrogate becomes U+FFFD first: it has no code point, no file could hold it.
 */

const beyondAscii = /[\u0080-\uffff]/;

/** Never fails: every string has a normal form. */
export function foldText(text: string): string {
  const composed = beyondAscii.test(text) ? text.toWellFormed().normalize("NFKC") : text;
  return composed.toLowerCase();
}
