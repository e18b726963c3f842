/**
 * @file Money: reservations and charges. Amounts are integers of nano-dollars, so that a million additions and
 * subtractions leave nothing behind and a budget is met to the last cent.
 */

import type { Transaction } from "kysely";
import type { SpendStore } from "./contract.ts";
import type { Database } from "./database.ts";
import type { Schema } from "./schema.ts";

/** 2^53 nano-dollars are nine million dollars. */
const NANO_PER_USD = 1e9;
const toNano = (usd: number): number => Math.round(usd * NANO_PER_USD);
const toUsd = (nano: number): number => nano / NANO_PER_USD;

export function createSpendStore({ read, write }: Database): SpendStore {
  return {
    reserve: (reservation) => write((transaction) => reserve(transaction, reservation)),
    settle: (id, costUsd, at) => write((transaction) => settle(transaction, { id, costUsd, at })),
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

async function reserve(
  transaction: Transaction<Schema>,
  { id, maxCostUsd, budgetUsd, at }: Parameters<SpendStore["reserve"]>[0],
): Promise<boolean> {
  const before = await reservedBefore(transaction, id);
  const reserved = toNano(maxCostUsd);
  const totals = await transaction.selectFrom("spend_totals").selectAll().executeTakeFirstOrThrow();
  const committed = totals.spent + totals.reserved - (before ?? 0) + reserved;
  if (budgetUsd !== undefined && committed > toNano(budgetUsd)) return false;
  await transaction
    .insertInto("spend")
    .values({ id, reserved, spent: 0, at })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ reserved, at }))
    .execute();
  await addToTotals(transaction, {
    reserved: reserved - (before ?? 0),
    spent: 0,
    inFlight: before === undefined ? 1 : 0,
  });
  return true;
}

/** Also called where an annotation is written, in its transaction. */
export async function settle(
  transaction: Transaction<Schema>,
  { id, costUsd, at }: { readonly id: string; readonly costUsd: number; readonly at: number },
): Promise<void> {
  const before = await reservedBefore(transaction, id);
  const spent = toNano(costUsd);
  if (before === undefined && spent === 0) return;
  await transaction
    .insertInto("spend")
    .values({ id, reserved: null, spent, at })
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet((eb) => ({ reserved: null, spent: eb("spend.spent", "+", spent), at })),
    )
    .execute();
  await addToTotals(transaction, { reserved: -(before ?? 0), spent, inFlight: before === undefined ? 0 : -1 });
}

async function reservedBefore(transaction: Transaction<Schema>, id: string): Promise<number | undefined> {
  const known = await transaction.selectFrom("spend").select("reserved").where("id", "=", id).executeTakeFirst();
  return known?.reserved ?? undefined;
}

async function addToTotals(
  transaction: Transaction<Schema>,
  delta: { readonly reserved: number; readonly spent: number; readonly inFlight: number },
): Promise<void> {
  await transaction
    .updateTable("spend_totals")
    .set((eb) => ({
      reserved: eb("reserved", "+", delta.reserved),
      spent: eb("spent", "+", delta.spent),
      in_flight: eb("in_flight", "+", delta.inFlight),
    }))
    .execute();
}
