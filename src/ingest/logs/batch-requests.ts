/** @file What a batch asked: its output holds the answers alone. */

import { FlywheelError } from "../../errors.ts";
import { formatOf, openTable } from "../tables/open-table.ts";
import { objectAt, textAt } from "./fields.ts";
import type { LogRecord } from "./logged-call.ts";

/** Requests of a batch by `custom_id`; none where `path` is absent. */
export async function readRequests(path: string | undefined): Promise<ReadonlyMap<string, LogRecord>> {
  const requests = new Map<string, LogRecord>();
  if (path === undefined) return requests;
  const table = await openTable({ path, source: path, format: formatOf(path) ?? "jsonl" });
  for await (const item of table.items()) {
    const id = item.kind === "record" ? textAt(item.fields, "custom_id") : undefined;
    // Anthropic calls them parameters.
    const body =
      item.kind === "record" ? (objectAt(item.fields, "body") ?? objectAt(item.fields, "params")) : undefined;
    if (id !== undefined && body) requests.set(id, body);
  }
  return requests;
}

export const requestsMissing = (source: string): FlywheelError =>
  new FlywheelError("log_requests_missing", `${source} is the output of a batch and does not hold what was asked`, {
    hint: "give the file that the batch was made from: --requests batch-input.jsonl",
  });
