import { expect, test } from "vitest";
import { newRequestId } from "./request-id.ts";

test("ids are UUIDs of version 7, differ, and sort by time", () => {
  const times = Array.from({ length: 200 }, (_, index) => 1_796_000_000_000 + index);
  const ids = times.map(newRequestId);
  const pattern = /^req_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  for (const id of ids) expect(id).toMatch(pattern);
  expect(ids.toSorted()).toEqual(ids);
  expect(Number.parseInt(ids[7]!.slice(4).replaceAll("-", "").slice(0, 12), 16)).toBe(times[7]);
  expect(new Set(Array.from({ length: 1_000 }, () => newRequestId(1_796_000_000_000)))).toHaveProperty("size", 1_000);
});
