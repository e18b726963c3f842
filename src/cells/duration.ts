/** @file Times of day and durations, in seconds: `14:30`, `2:30 PM`, `36:00:00`, `P1DT2H`, `2h 15m`, `1 day 02:03:04`. */

const clock = /^(\d{1,5}):(\d{2})(?::(\d{2}(?:[.,]\d{1,9})?))?\s*([ap]\.?m\.?)?(?:z|[+-]\d{2}(?::?\d{2})?)?$/i;
const days = /^(\d+)\s*days?,?\s*(?:(\d.*))?$/i;
const iso = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;
const piece = /^(\d{1,6}(?:\.\d{1,3})?)([a-z]{1,7})/;
const SECONDS: Readonly<Record<string, readonly string[]>> = {
  86400: ["d", "day", "days"],
  3600: ["h", "hr", "hrs", "hour", "hours"],
  60: ["m", "min", "mins", "minute", "minutes"],
  1: ["s", "sec", "secs", "second", "seconds"],
};
const secondsOf = new Map(
  Object.entries(SECONDS).flatMap(([seconds, names]) => names.map((name) => [name, Number(seconds)] as const)),
);

/** What is longer is text. */
const MAX_LENGTH = 60;

/** Undefined where it is none. */
export function readDuration(given: string): number | undefined {
  const word = given.trim();
  if (word.length > MAX_LENGTH) return undefined;
  if (word.startsWith("-")) {
    const positive = readDuration(word.slice(1));
    return positive === undefined ? undefined : 0 - positive;
  }
  const [, count, rest] = days.exec(word) ?? [];
  if (count !== undefined) {
    const more = rest === undefined ? 0 : readDuration(rest);
    return more === undefined ? undefined : Number(count) * 86_400 + more;
  }
  return readClock(word) ?? readIso(word) ?? readWords(word);
}

function readClock(word: string): number | undefined {
  const match = clock.exec(word);
  if (!match) return undefined;
  const [h, m, s] = [Number(match[1]), Number(match[2]), Number((match[3] ?? "0").replace(",", "."))];
  const half = match[4];
  if (m > 59 || s >= 61 || (half && h > 12)) return undefined;
  const hours = half ? (h % 12) + (/^p/i.test(half) ? 12 : 0) : h;
  return hours * 3_600 + m * 60 + s;
}

function readIso(word: string): number | undefined {
  const match = iso.exec(word);
  if (!match || word.length < 3 || /T$/i.test(word)) return undefined;
  const [d = 0, h = 0, m = 0, s = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return d * 86_400 + h * 3_600 + m * 60 + s;
}

function readWords(word: string): number | undefined {
  let [rest, sum] = [word.toLowerCase().replace(/[\s,]/g, ""), 0];
  if (rest === "") return undefined;
  while (rest !== "") {
    const [whole = "", count, unit = ""] = piece.exec(rest) ?? [];
    const seconds = secondsOf.get(unit);
    if (seconds === undefined) return undefined;
    sum += Number(count) * seconds;
    rest = rest.slice(whole.length);
  }
  return sum;
}
