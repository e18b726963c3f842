/**
 * @file Numbers as the reader sees them: one way of writing a share, money, a duration, an interval, everywhere.
 * Always English, so that two machines write the same page.
 */

import type { Estimate } from "../records.ts";

/** Narrow and unbreakable: keeps a number and its unit together. */
const SPACE = "\u202f";

// By number of digits after the point, made once: making one takes longer than using it a hundred times.
const formats = [0, 1, 2, 3, 4].map(
  (digits) => new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }),
);

/** With a minus sign that is as wide as a plus. */
const fixed = (value: number, digits: number): string => formats[digits]!.format(value).replace("-", "−");

/** 1,234 */
export const count = (value: number): string => fixed(value, 0);

/** 0.713 → 71.3 % */
export const percent = (share: number, digits = 1): string => `${fixed(100 * share, digits)}${SPACE}%`;

/** A sentence with "5 %" in it, which a line's end no longer tears apart. */
export const unbroken = (text: string): string => text.replace(/(?<=\d) (?=%)/g, SPACE);

/** 0.0312 → 0.031 */
export const decimal = (value: number, digits = 3): string => fixed(value, digits);

/** As many digits as it has, three at most: 0.1, 0.025 */
export const short = (value: number): string =>
  new Intl.NumberFormat("en-US", { maximumFractionDigits: 3 }).format(value).replace("-", "−");

/** `n = 383`, unbroken. */
export const sample = (n: number): string => `n\u00a0=\u00a0${count(n)}`;

/** Two significant digits below ten cents, cents below 100 dollars, whole dollars above. */
export function usd(value: number): string {
  const sign = value < 0 ? "−" : "";
  return `${sign}$${magnitude(Math.abs(value))}`;
}

const cents = new Intl.NumberFormat("en-US", { minimumSignificantDigits: 2, maximumSignificantDigits: 2 });

function magnitude(value: number): string {
  if (value === 0) return "0";
  if (value < 0.1) return cents.format(value);
  return fixed(value, value < 100 ? 2 : 0);
}

/** 10,000 → 10 k; 1,000,000 → 1 M */
export function compact(value: number): string {
  const [scale, unit] = value >= 1e9 ? [1e9, "G"] : value >= 1e6 ? [1e6, "M"] : value >= 1e3 ? [1e3, "k"] : [1, ""];
  const number = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 }).format(value / scale);
  return unit === "" ? number : `${number}${SPACE}${unit}`;
}

/** 0.0076 ms, 4.21 ms, 250 ms, 1.3 s, 4 min */
export function duration(ms: number): string {
  if (ms > 0 && ms < 0.1) return `${cents.format(ms)}${SPACE}ms`;
  if (ms < 10) return `${decimal(ms, 2)}${SPACE}ms`;
  if (ms < 1000) return `${count(ms)}${SPACE}ms`;
  if (ms < 120_000) return `${decimal(ms / 1000, 1)}${SPACE}s`;
  return `${count(ms / 60_000)}${SPACE}min`;
}

/** 6.2 MB */
export function bytes(size: number): string {
  return `${compact(size)}B`;
}

/** 2026-03-01 14:05 UTC */
export function instant(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** 68.9–73.6 % */
export function percentInterval({ low, high }: Pick<Estimate, "low" | "high">, digits = 1): string {
  return `${fixed(100 * low, digits)}–${percent(high, digits)}`;
}

/** 0.021–0.043 */
export function decimalInterval({ low, high }: Pick<Estimate, "low" | "high">, digits = 3): string {
  return `${decimal(low, digits)}–${decimal(high, digits)}`;
}

/** `1 row`, `2 rows` */
export const plural = (n: number, noun: string): string => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

/** The first `length` characters, with an ellipsis where some are left off. */
export function shorten(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length
    ? text
    : `${characters
        .slice(0, length - 1)
        .join("")
        .trimEnd()}…`;
}
