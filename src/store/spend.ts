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
      const totals = await read.selectFrom("spend_totals").selectAll().executeTakeFirstOrThrow();
      return { spentUsd: toUsd(totals.spent), reservedUsd: toUsd(totals.reserved), inFlight: totals.in_flight };
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

async function reserve(
  run: Run,
  { id, maxCostUsd, budgetUsd, at }: Parameters<SpendStore["reserve"]>[0],
): Promise<boolean> {
  const { before, total } = await standing(run, id);
  const reserved = toNano(maxCostUsd);
  const committed = total - (before ?? 0) + reserved;
  if (budgetUsd !== undefined && committed > toNano(budgetUsd)) return false;
  await insertAll(run, reservation, [{ id, reserved, spent: 0, at }]);
  await addToTotals(run, {
    reserved: reserved - (before ?? 0),
    spent: 0,
    inFlight: before === undefined ? 1 : 0,
  });
  return true;
}

/** Also called where an annotation is written, in its transaction. */
export async function settle(
  run: Run,
  { id, costUsd, at }: { readonly id: string; readonly costUsd: number; readonly at: number },
): Promise<void> {
  const { before } = await standing(run, id);
  const spent = toNano(costUsd);
  if (before === undefined && spent === 0) return;
  await insertAll(run, charge, [{ id, reserved: null, spent, at }]);
  await addToTotals(run, { reserved: -(before ?? 0), spent, inFlight: before === undefined ? 0 : -1 });
}

/** Whether a request of this id is under way, or in doubt. */
export async function isReserved(run: Run, id: string): Promise<boolean> {
  return (await standing(run, id)).before !== undefined;
}

type Standing = { readonly own: number | null; readonly spent: number; readonly reserved: number };

/** What is reserved for `id`, if anything, and all that is spent or reserved. */
async function standing(
  run: Run,
  id: string,
): Promise<{ readonly before: number | undefined; readonly total: number }> {
  const text = `select (select reserved from spend where id = ?) as own, spent, reserved from spend_totals`;
  const [standing] = (await run(text, [id])).rows as readonly Standing[];
  if (!standing) throw new RangeError("the table of totals is empty");
  return { before: standing.own ?? undefined, total: standing.spent + standing.reserved };
}

async function addToTotals(
  run: Run,
  { reserved, spent, inFlight }: { readonly reserved: number; readonly spent: number; readonly inFlight: number },
): Promise<void> {
  const text = "update spend_totals set reserved = reserved + ?, spent = spent + ?, in_flight = in_flight + ?";
  await run(text, [reserved, spent, inFlight]);
}
