/** @file What trees read of a date: when it is, and where in the year, the month, the week and the day. */

import type { WrittenDate } from "../../cells/date.ts";

export const DatePart = ["day", "month", "day of month", "weekday", "hour"] as const;
export type DatePart = (typeof DatePart)[number];

/** `day`: days since 1970, with the time as a fraction; `weekday`: 0 is Monday. Missing where the date has none. */
export function partOf(date: WrittenDate, part: DatePart): number {
  switch (part) {
    case "day":
      return date.days;
    case "month":
      return date.month;
    case "day of month":
      return date.dayOfMonth;
    case "weekday":
      return date.weekday;
    case "hour":
      return date.hour ?? Number.NaN;
    default:
      return part satisfies never;
  }
}
