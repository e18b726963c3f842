/**
 * @file How a whole column writes its numbers, dates or durations. A cell such as `3,540` or `03/04/2025` may be read in two ways;
 * every cell of the column that may not votes, and what stays open is said. Evidence is counted value by value, in constant memory.
 */

import { DateOrder, readDate, type WrittenDate } from "./date.ts";
import { readDuration } from "./duration.ts";
import { DecimalMark, readNumber } from "./number.ts";

export type ColumnFormat =
  | { readonly kind: "number"; readonly mark: DecimalMark; readonly unit?: string | undefined }
  | { readonly kind: "date"; readonly order: DateOrder; readonly hasTime: boolean }
  | { readonly kind: "duration" };

export type FormatVerdict = {
  readonly format: ColumnFormat;
  /** Values that it does not read. */
  readonly unread: number;
  /** A value of which the column does not say how to read it. */
  readonly ambiguous?: string;
  /** Of a column of decimal commas: a number that came with a point, and so without the zeros that would tell thousands. */
  readonly pointed?: string;
};

/** What a person knows better than the column says. */
export type FormatHints = { readonly decimal?: DecimalMark | undefined; readonly dateOrder?: DateOrder | undefined };

export type FormatEvidence = {
  /** One present value; numbers are values that were read as such already. */
  add(value: string | number): void;
  /** Undefined where most values are words. */
  verdict(hints?: FormatHints): FormatVerdict | undefined;
  /** Why a column that almost has a format has none: two ways of writing contradict each other. */
  conflict(): string | undefined;
};

/** A few words among numbers, as exports of spreadsheets have them. */
const FEWEST_READ = 0.9;
/** A longer word is text. */
const LONGEST = 60;

/** The same word read in two ways. */
type Votes = {
  first: number;
  second: number;
  /** Read alike by both, or in two ways. */
  alike: number;
  open: number;
  example: { readonly first?: string; readonly second?: string; readonly open?: string };
};

const noVotes = (): Votes => ({ first: 0, second: 0, alike: 0, open: 0, example: {} });

function vote(votes: Votes, word: string, [first, second]: readonly (number | undefined)[]): void {
  const key = first === undefined ? "second" : second === undefined ? "first" : first === second ? "alike" : "open";
  if (first === undefined && second === undefined) return;
  votes[key]++;
  if (key !== "alike" && votes.example[key] === undefined) votes.example = { ...votes.example, [key]: word };
}

export function createFormatEvidence(): FormatEvidence {
  const numbers = noVotes();
  const dates = noVotes();
  const units = new Set<string>();
  let pointed: string | undefined;
  const seen = { values: 0, words: 0, durations: 0, withTime: 0, below1000: 0, from1000: 0 };
  const addNumber = (value: number): void => {
    if (Number.isInteger(value)) {
      numbers.alike++;
      noteSize(value);
      return;
    }
    // `1.180` has become 1.18 on its way here: a fraction of three digits at most may have been thousands.
    const mayBeGrouped = Math.abs(value) >= 1 && Math.abs(value) < 1000 && Number.isInteger(round9(value * 1000));
    if (mayBeGrouped) pointed ??= String(value);
    vote(numbers, String(value), [value, mayBeGrouped ? value * 1000 : undefined]);
  };
  const noteSize = (value: number): void => {
    if (Math.abs(value) < 1000) seen.below1000++;
    else seen.from1000++;
  };
  const addWord = (word: string): void => {
    seen.words++;
    if (word.length > LONGEST || !/\p{Nd}/u.test(word)) return;
    const [point, comma] = DecimalMark.map((mark) => readNumber(word, mark));
    if (point || comma) {
      vote(numbers, word, [point?.value, comma?.value]);
      units.add((point ?? comma)!.unit);
      if (point?.value === comma?.value) noteSize(point!.value);
    }
    const [day, month] = DateOrder.map((order) => readDate(word, order));
    vote(dates, word, [day?.days, month?.days]);
    if ((day ?? month)?.hour !== undefined) seen.withTime++;
    if (readDuration(word) !== undefined) seen.durations++;
  };
  const isMost = (count: number): boolean => count > 0 && count >= FEWEST_READ * seen.values;
  return {
    add(value) {
      seen.values++;
      if (typeof value === "number") addNumber(value);
      else addWord(value.trim());
    },
    verdict({ decimal, dateOrder } = {}) {
      if (seen.words === 0) return undefined;
      const named = [...units].filter((unit) => unit !== "");
      const mark = decimal ?? choose(numbers, DecimalMark);
      if (mark && named.length <= 1 && isMost(readBy(numbers, mark === "."))) {
        const isOpen = decimal === undefined && isUndecided(numbers) && !(seen.below1000 > 0 && seen.from1000 === 0);
        const unit = named[0];
        const read = verdictOf({ kind: "number", mark, ...(unit && { unit }) }, numbers, {
          isOpen,
          isFirst: mark === ".",
        });
        const isMixed = mark === "," && decimal === undefined && pointed !== undefined;
        return isMixed ? { ...read, pointed: pointed! } : read;
      }
      const order = dateOrder ?? choose(dates, DateOrder);
      if (order && isMost(readBy(dates, order === "day-first"))) {
        const format = { kind: "date", order, hasTime: seen.withTime > 0 } as const;
        const isOpen = dateOrder === undefined && isUndecided(dates);
        return verdictOf(format, dates, { isOpen, isFirst: order === "day-first" });
      }
      if (isMost(seen.durations)) return { format: { kind: "duration" }, unread: seen.values - seen.durations };
      return undefined;
    },
    conflict() {
      for (const votes of [numbers, dates]) {
        const { first, second } = votes.example;
        const isTorn = first !== undefined && second !== undefined;
        if (isTorn && isMost(votes.first + votes.second + votes.alike + votes.open)) {
          return `${JSON.stringify(first)} and ${JSON.stringify(second)} are written in two ways`;
        }
      }
      const named = [...units].filter((unit) => unit !== "");
      return named.length > 1 && isMost(numbers.first + numbers.second + numbers.alike + numbers.open)
        ? `its numbers have several units (${named.slice(0, 5).join(", ")})`
        : undefined;
    },
  };

  function verdictOf(
    format: ColumnFormat,
    votes: Votes,
    { isOpen, isFirst }: { readonly isOpen: boolean; readonly isFirst: boolean },
  ): FormatVerdict {
    const unread = seen.values - readBy(votes, isFirst);
    return { format, unread, ...(isOpen && votes.example.open !== undefined && { ambiguous: votes.example.open }) };
  }
}

const round9 = (value: number): number => Math.round(value * 1e9) / 1e9;
const readBy = ({ first, second, alike, open }: Votes, isFirst: boolean): number =>
  alike + open + (isFirst ? first : second);
const isUndecided = ({ first, second, open }: Votes): boolean => open > 0 && first === 0 && second === 0;

/** Undefined where the column contradicts itself, but for a slip. Undecided: the first. */
function choose<T>({ first, second, alike, open }: Votes, [one, other]: readonly [T, T]): T | undefined {
  const slips = (1 - FEWEST_READ) * (first + second + alike + open);
  if (Math.min(first, second) > slips) return undefined;
  return second > first ? other : one;
}

/** A value as its column's format has it; undefined where it is none of it. A date is its days since 1970. */
export function readFormatted(value: string | number, format: ColumnFormat): number | undefined {
  if (typeof value === "number") return value;
  switch (format.kind) {
    case "number": {
      const read = readNumber(value, format.mark);
      return read && (read.unit === "" || read.unit === format.unit) ? read.value : undefined;
    }
    case "date":
      return readDate(value, format.order)?.days;
    case "duration":
      return readDuration(value);
    default:
      return format satisfies never;
  }
}

export type { DateOrder, DecimalMark, WrittenDate };

/** For a person: `number with a decimal comma, in €`. */
export function describeFormat(format: ColumnFormat): string {
  switch (format.kind) {
    case "number":
      return `number, decimal ${format.mark === "," ? "comma" : "point"}${format.unit ? `, in ${format.unit}` : ""}`;
    case "date":
      return `date${format.hasTime ? " and time" : ""}`;
    case "duration":
      return "time or duration, in seconds";
    default:
      return format satisfies never;
  }
}
