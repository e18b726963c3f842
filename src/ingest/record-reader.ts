/** @file What becomes of a record, once it is known what its columns mean. */

import type { Refusal } from "./candidate.ts";
import type { ColumnProfile } from "./column-profile.ts";
import type { GoldReader } from "./gold-cell.ts";
import type { IngestOptions } from "./ingest-options.ts";
import type { ColumnsSeen, Outcome } from "./outcome.ts";
import { planColumns, type Sample } from "./plan-columns.ts";
import { readContent, toRow } from "./read-row.ts";
import type { TableRecord } from "./tables/table.ts";

export type RecordReader = {
  /** @throws FlywheelError where the record is no row; its source is refused with it */
  read(record: TableRecord): readonly Outcome[];
  seen(): ColumnsSeen;
};

/** What is counted over all tables of a folder. */
export type Counters = { readonly gold: GoldReader; readonly profile: ColumnProfile };

/** @throws FlywheelError as `planColumns` */
export function createColumnReader(sample: Sample, { gold, profile }: Counters, options: IngestOptions): RecordReader {
  const { task } = options;
  const plan = planColumns(task, sample);
  profile.follow(plan);
  return {
    read(record) {
      const { source, fields } = record;
      profile.see(record);
      const content = readContent(task, plan, fields);
      const labels = plan.gold.flatMap(({ field, column }) => {
        const value = gold.read(fields[column], source, field);
        return value === undefined ? [] : [{ field, value }];
      });
      const shown = plan.id === undefined ? source : `${source} ${idOf(fields[plan.id])}`;
      return [{ kind: "row", row: toRow(content, shown, options), gold: labels }];
    },
    seen: profile.summary,
  };
}

const idOf = (value: unknown): string => (value === null || value === undefined ? "" : String(value)).slice(0, 200);

export const refusedAs = (source: string, { code, message }: Omit<Refusal, "source">): Outcome => ({
  kind: "refused",
  source,
  code,
  message,
});
