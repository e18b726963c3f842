/** @file Customers of a telephone company and whether they left, as the benchmarks of record students read them. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { Columns, readFields } from "../src/columns.ts";
import { type RecordInput, rowId } from "../src/records.ts";
import type { Store } from "../src/store/contract.ts";
import type { RecordRow } from "../src/train/record/feature-schema.ts";

const shared = process.env["FLYWHEEL_SHARED"] ?? join(import.meta.dirname, "../../shared");
const path = join(shared, "data", "telco-churn", "Telco-Customer-Churn.csv");

export type Customer = RecordRow & { readonly churned: boolean };

/** Ends the program where the data is absent. */
export function readCustomers(): readonly Customer[] {
  const columns = Columns.parse({ gold: "Churn", id: "customerID" });
  return readLines().map((line) => ({
    id: rowId(line["customerID"] ?? ""),
    fields: readFields(columns, line),
    churned: line["Churn"] === "Yes",
  }));
}

function readLines(): readonly Readonly<Record<string, string>>[] {
  try {
    return parse(readFileSync(path), { columns: true, skip_empty_lines: true });
  } catch (thrown) {
    console.log(`cannot read ${path} (set FLYWHEEL_SHARED to the folder that holds data/): ${thrown}`);
    process.exit(1);
  }
}

/** Every fifth customer is held out. */
export const isHeldOut = (_customer: Customer, index: number): boolean => index % 5 === 0;

/** Into an empty store, as rows to train on that one source has labelled. */
export async function putCustomers(store: Store, customers: readonly Customer[]): Promise<void> {
  const row = {
    source: "bench",
    origin: "ingest",
    uniform: true,
    split: "train",
    propensity: 1,
    createdAt: 0,
  } as const;
  await store.rows.put(customers.map(({ id, fields }) => ({ ...row, id, input: { kind: "record", fields } })));
  const label = { weight: 1, basis: "single", at: 0 } as const;
  await store.labels.put(customers.map(({ id, churned }) => ({ ...label, rowId: id, value: churned ? "Yes" : "No" })));
}

export type Fields = RecordInput["fields"];
