/**
 * @file Numbers as people and spreadsheets write them: money, percentages, units, thousands separators, a comma or a point before
 * the decimals. `3,540` is two numbers: only the rest of its column says which (`column-format.ts`).
 */

export const DecimalMark = [".", ","] as const;
export type DecimalMark = (typeof DecimalMark)[number];

export type WrittenNumber = {
  readonly value: number;
  /** `$`, `EUR`, `%`, `kg`; empty where there is none. */
  readonly unit: string;
};

/** What is longer is text. */
const MAX_LENGTH = 60;
const SIGNS = "+-−";
const unitForm = /^[\p{L}\p{Sc}%‰°][\p{L}\p{Sc}%‰°./²³]{0,9}$/u;
const currencies = new Set(Intl.supportedValuesOf("currency"));
/** Letters before a number are a code (`B2`) unless they are money. */
const isCurrency = (unit: string): boolean =>
  /\p{Sc}/u.test(unit) || currencies.has(unit) || /^(?:Rs|kr|Fr)\.?$/.test(unit);

/** Undefined where it is no number with this mark before its decimals. */
export function readNumber(given: string, mark: DecimalMark): WrittenNumber | undefined {
  const parts = given.length <= MAX_LENGTH ? partsOf(withAsciiDigits(given.trim(), mark)) : undefined;
  if (!parts) return undefined;
  const { before, core, after, isNegative } = parts;
  if ((before !== "" && !isCurrency(before)) || (before !== "" && after !== "")) return undefined;
  const unit = before || after;
  const value = unit === "" || unitForm.test(unit) ? readCore(core, mark) : undefined;
  return value === undefined ? undefined : { value: isNegative && value !== 0 ? -value : value, unit };
}

/** Digits of other scripts, and the marks that stand between them: ١٬٢٣٤٫٥ is 1'234.5. */
function withAsciiDigits(text: string, mark: DecimalMark): string {
  if (!/[\u0100-\uffff]/.test(text)) return text;
  return text
    .replace(/\p{Nd}/gu, (digit) => String(digitOf(digit.codePointAt(0)!)))
    .replaceAll("٫", mark)
    .replaceAll("٬", "'")
    .replace(/[．，－＋％]/gu, (form) => form.normalize("NFKC"));
}

/** Digits follow each other from their zero on, ten by ten. */
function digitOf(codePoint: number): number {
  let first = codePoint;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first--;
  return (codePoint - first) % 10;
}

type Parts = {
  /** Words around the number, without signs. */
  readonly before: string;
  readonly core: string;
  readonly after: string;
  readonly isNegative: boolean;
};

/** Undefined where there is no digit, or more than one sign. */
function partsOf(word: string): Parts | undefined {
  const isDebt = word.startsWith("(") && word.endsWith(")");
  const text = isDebt ? word.slice(1, -1).trim() : word;
  const [first, last] = [text.search(/\d/), text.length - 1 - [...text].reverse().findIndex((one) => /\d/.test(one))];
  if (first < 0) return undefined;
  const start = first > 0 && (text[first - 1] === "." || text[first - 1] === ",") ? first - 1 : first;
  const [before, ahead] = withoutSigns(text.slice(0, start));
  const [after, behind] = withoutSigns(text.slice(last + 1));
  const signs = `${ahead}${behind}${isDebt ? "-" : ""}`;
  if (signs.length > 1 || behind === "+") return undefined;
  return { before, core: text.slice(start, last + 1), after, isNegative: signs !== "" && signs !== "+" };
}

function withoutSigns(text: string): readonly [rest: string, signs: string] {
  const signs = [...text].filter((one) => SIGNS.includes(one)).join("");
  const rest = [...text].filter((one) => !SIGNS.includes(one)).join("");
  return [rest.trim(), signs];
}

const SEPARATORS = ".,'_ ";
const whole = /^(?:0|[1-9]\d*)$/;

function readCore(core: string, mark: DecimalMark): number | undefined {
  const plain = core.replace(/[\u00a0\u2009\u202f]/g, " ").replace(/’/g, "'");
  const [integer = "", fraction, ...more] = plain.split(mark);
  const [decimals, exponent = "0", ...further] = fraction?.split(/e/i) ?? [];
  if (further.length > 0 || !/^[+-]?\d{1,3}$/.test(exponent)) return undefined;
  if (more.length > 0 || (decimals !== undefined && !/^\d*$/.test(decimals))) return undefined;
  if (integer === "" && !decimals) return undefined;
  // Zeros in front make a code of it (a postcode, an article), not a quantity.
  if (integer !== "" && !whole.test(integer) && !isGrouped(integer)) return undefined;
  const digits = [...integer].filter((one) => !SEPARATORS.includes(one)).join("") || "0";
  // A whole number that a float cannot hold is an identifier, not a quantity.
  if (decimals === undefined && !Number.isSafeInteger(Number(digits))) return undefined;
  const value = Number(`${digits}.${decimals || "0"}e${exponent}`);
  return Number.isFinite(value) ? value : undefined;
}

/** 1,234,567; or, in lakhs and crores, 12,34,567. */
function isGrouped(integer: string): boolean {
  const separator = [...integer].find((one) => SEPARATORS.includes(one));
  if (separator === undefined) return false;
  const [first = "", ...groups] = integer.split(separator);
  const last = groups.pop() ?? "";
  if (!/^[1-9]\d{0,2}$/.test(first) || !/^\d{3}$/.test(last)) return false;
  if (groups.every((group) => /^\d{3}$/.test(group))) return true;
  return separator === "," && first.length < 3 && groups.every((group) => /^\d{2}$/.test(group));
}
