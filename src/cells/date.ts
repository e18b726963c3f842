/** @file Dates as people, databases and spreadsheets write them. `03/04/2025` is two dates: only the rest of its column says which. */

export const DateOrder = ["day-first", "month-first"] as const;
export type DateOrder = (typeof DateOrder)[number];

export type WrittenDate = {
  /** Days since 1970-01-01 UTC, with the time of day as a fraction; without a zone the clock is taken for UTC's. */
  readonly days: number;
  /** 1–12, 1–31, and 0 (Monday) to 6 of the date as it is written. */
  readonly month: number;
  readonly dayOfMonth: number;
  readonly weekday: number;
  /** Of the clock as it is written, [0, 24); absent where no time is given. */
  readonly hour?: number;
};

const clockForm =
  /^(\d{1,2}):(\d{2})(?::(\d{2}(?:[.,]\d{1,9})?))?\s?([ap]\.?m\.?)?\s?(z|utc|gmt|[+-]\d{2}(?::?\d{2})?)?$/i;
const yearFirst = /^(\d{4})([-/.])(\d{1,2})([-/.])(\d{1,2})$/;
const yearLast = /^(\d{1,2})([-/.])(\d{1,2})([-/.])(\d{4}|\d{2})$/;

/** By name or abbreviation. */
const months = new Map(
  ["en", "de", "fr", "es", "it", "pt", "nl"].flatMap((locale) =>
    (["long", "short"] as const).flatMap((month) =>
      Array.from({ length: 12 }, (_, index) => {
        const name = new Intl.DateTimeFormat(locale, { month, timeZone: "UTC" }).format(Date.UTC(2024, index, 1));
        return [name.toLowerCase().replace(/\.$/, ""), index + 1] as const;
      }),
    ),
  ),
);

type Clock = readonly (string | undefined)[];

const MAX_LENGTH = 60;

/** Undefined where it is no date in this order. */
export function readDate(given: string, order: DateOrder): WrittenDate | undefined {
  if (given.length < 6 || given.length > MAX_LENGTH) return undefined;
  const word = given.trim();
  const start = timeStart(word);
  const time = start === undefined ? [] : clockForm.exec(word.slice(start))?.slice(1);
  const date = numericDate(withoutTail(word.slice(0, start)), order) ?? namedDate(withoutTail(word.slice(0, start)));
  return date && time && dateOf(date, time);
}

/** Where the hours begin; undefined where there is no colon, and so no time. */
function timeStart(word: string): number | undefined {
  const colon = word.indexOf(":");
  if (colon < 0) return undefined;
  return /\d/.test(word[colon - 2] ?? "") ? colon - 2 : colon - 1;
}

/** Without what stands between a date and its time. */
function withoutTail(date: string): string {
  let end = date.length;
  while (end > 0 && "Tt, ".includes(date[end - 1]!)) end--;
  return date.slice(0, end);
}

type YearMonthDay = readonly [year: string, month: string, day: string];

function numericDate(word: string, order: DateOrder): YearMonthDay | undefined {
  const [, a = "", mark, b = "", again, c = ""] = yearFirst.exec(word) ?? yearLast.exec(word) ?? [];
  if (mark === undefined || mark !== again) return undefined;
  if (a.length === 4) return [a, b, c];
  return order === "day-first" ? [c, b, a] : [c, a, b];
}

/** `22 July 2025`, `Tue, Jul 22nd 2025`, `22 de julio de 2025`, `22-Jul-25`. */
function namedDate(word: string): YearMonthDay | undefined {
  const parts = word
    .toLowerCase()
    .split(/[\s,.-]/)
    .filter((part) => part !== "" && part !== "de");
  const [first = "", second = "", year = "", ...more] = parts.length === 4 ? parts.slice(1) : parts;
  if (more.length > 0 || !/^(?:\d{4}|\d{2})$/.test(year)) return undefined;
  const [name, day] = months.has(first) ? [first, second] : [second, first];
  const month = months.get(name);
  const digits = day.replace(/(?:st|nd|rd|th)$/, "");
  return month && /^\d{1,2}$/.test(digits) ? [year, String(month), digits] : undefined;
}

const DAY_MS = 86_400_000;

function dateOf(parts: YearMonthDay, [hours, minutes, seconds, half, zone]: Clock): WrittenDate | undefined {
  const [year, month, dayOfMonth] = [fullYear(parts[0]), Number(parts[1]), Number(parts[2])];
  const midnight = Date.UTC(year, month - 1, dayOfMonth);
  const date = new Date(midnight);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== dayOfMonth) return undefined;
  const about = { month, dayOfMonth, weekday: (date.getUTCDay() + 6) % 7 };
  if (hours === undefined) return { days: midnight / DAY_MS, ...about };
  const hour = clockHour([hours, minutes, seconds, half]);
  return hour === undefined ? undefined : { days: midnight / DAY_MS + (hour - zoneHours(zone)) / 24, ...about, hour };
}

/** POSIX: 69 to 99 are of the last century. */
function fullYear(text: string): number {
  const year = Number(text);
  return text.length === 4 ? year : year + (year < 69 ? 2000 : 1900);
}

/** In [0, 24). */
function clockHour([hours, minutes, seconds = "0", half]: Clock): number | undefined {
  const [h, m, s] = [Number(hours), Number(minutes), Number(seconds.replace(",", "."))];
  if (m > 59 || s >= 61 || h > (half ? 12 : 23)) return undefined;
  const hour = half ? (h % 12) + (/^p/i.test(half) ? 12 : 0) : h;
  return hour + m / 60 + s / 3600;
}

function zoneHours(zone: string | undefined): number {
  const match = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone ?? "");
  if (!match) return 0;
  return (match[1] === "-" ? -1 : 1) * (Number(match[2]) + Number(match[3] ?? 0) / 60);
}
