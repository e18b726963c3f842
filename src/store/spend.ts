/**
 * @file Money: reservations and charges. Amounts are integers of nano-dollars, so that a million additions and
 * subtractions leave nothing behind and a budget is met to the last cent.
 */

import type { SpendStore } from "./contract.ts";
import { type Database, type Insert, insertAll, type Run } from "./database.ts";
import type { Schema } from "./schema.ts";

/** 2^53 nano-dollars are nine million dollars. */
const NANO_PER_USD = 1e9;
const toNano = (usd: number): number => Math.round(usd * NANO_PER_USD);
const toUsd = (nano: number): number => nano / NANO_PER_USD;

export function createSpendStore({ read, write }: Database): SpendStore {
  return {
    reserve: (reservation) => write((_, run) => reserve(run, reservation)),
    settle: (id, costUsd, at) => write((_, run) => settle(run, { id, costUsd, at })),
    async totals() {
      const query = read.selectFrom("spend_totals").leftJoin("budget_refused", "budget_refused.id", "spend_totals.id");
      const { spent, reserved, in_flight, needed } = await query
        .select(["spent", "reserved", "in_flight", "needed"])
        .executeTakeFirstOrThrow();
      const totals = { spentUsd: toUsd(spent), reservedUsd: toUsd(reserved), inFlight: in_flight };
      return needed === null ? totals : { ...totals, neededUsd: toUsd(needed) };
    },
    async open() {
      const query = read.selectFrom("spend").select(["id", "reserved", "at"]).where("reserved", "is not", null);
      const records = await query.orderBy("at").orderBy("id").execute();
      return records.map(({ id, reserved, at }) => ({ id, maxCostUsd: toUsd(reserved ?? 0), at }));
    },
  };
}

type SpendRecord = Schema["spend"];

const reservation: Insert<SpendRecord> = {
  table: "spend",
  columns: ["id", "reserved", "spent", "at"],
  conflict: "on conflict (id) do update set reserved = excluded.reserved, at = excluded.at",
};

const charge: Insert<SpendRecord> = {
  table: "spend",
  columns: ["id", "reserved", "spent", "at"],
  conflict: "on conflict (id) do update set reserved = null, spent = spend.spent + excluded.spent, at = excluded.at",
};

/** What is reserved for a request already, null where nothing is: a statement less than asking first. */
const own = "(select (select reserved from spend where id = ?) as own)";

const noteRefused = `insert into budget_refused (id, needed, at) values (1, ?, ?)
  on conflict (id) do update set needed = excluded.needed, at = excluded.at`;

async function reserve(
  run: Run,
  { id, maxCostUsd, budgetUsd, at }: Parameters<SpendStore["reserve"]>[0],
): Promise<boolean> {
  const reserved = toNano(maxCostUsd);
  const budget = budgetUsd === undefined ? Number.MAX_SAFE_INTEGER : toNano(budgetUsd);
  const text = `update spend_totals
    set reserved = reserved + ? - coalesce(own, 0), in_flight = in_flight + (case when own is null then 1 else 0 end)
    from ${own} as it where spent + reserved + ? - coalesce(own, 0) <= ?`;
  const { changed } = await run(text, [reserved, id, reserved, budget]);
  if (changed === 0) {
    await run(noteRefused, [reserved, at]);
    return false;
  }
  await insertAll(run, reservation, [{ id, reserved, spent: 0, at }]);
  return true;
}

/** Also called where an annotation is written, in its transaction. */
export async function settle(
  run: Run,
  { id, costUsd, at }: { readonly id: string; readonly costUsd: number; readonly at: number },
): Promise<void> {
  const spent = toNano(costUsd);
  const text = `update spend_totals
    set reserved = reserved - coalesce(own, 0), spent = spent + ?, in_flight = in_flight - (case when own is null then 0 else 1 end)
    from ${own} as it`;
  await run(text, [spent, id]);
  if (spent > 0) await insertAll(run, charge, [{ id, reserved: null, spent, at }]);
  else await run("update spend set reserved = null, at = ? where id = ? and reserved is not null", [at, id]);
}

/** Whether a request of this id is under way, or in doubt. */
export async function isReserved(run: Run, id: string): Promise<boolean> {
  return (await run("select 1 from spend where id = ? and reserved is not null", [id])).rows.length > 0;
}
