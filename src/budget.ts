/** @file Whether the budget still allows questions to the teacher: one rule for the router, the doors and the report. */

/** The code under which requests are degraded once it does not. */
export const BUDGET_EXHAUSTED = "budget_exhausted";

/** Money as the store counts it. `neededUsd`: what the last request that the budget refused may have cost. */
export type SpendTotals = {
  readonly spentUsd: number;
  readonly reservedUsd: number;
  readonly inFlight: number;
  readonly neededUsd?: number;
};

export type BudgetState = { readonly budgetUsd: number; readonly remainingUsd: number; readonly isSpent: boolean };

/**
 * Undefined without a budget. Spent: nothing remains, or too little for a question such as the last that was refused. What is
 * in flight may cost less than is reserved for it, so it does not make a budget spent.
 */
export function budgetState(budgetUsd: number | undefined, totals: SpendTotals): BudgetState | undefined {
  if (budgetUsd === undefined) return undefined;
  const leftUsd = budgetUsd - totals.spentUsd;
  const isSpent = leftUsd <= 0 || leftUsd < (totals.neededUsd ?? 0) - HALF_NANO_USD;
  return { budgetUsd, remainingUsd: Math.max(0, leftUsd - totals.reservedUsd), isSpent };
}

/** Sums of dollars are exact to the nano-dollar only. */
const HALF_NANO_USD = 5e-10;

/** Requests that the task's `whenTeacherDown` handled because the budget was spent. */
export type OverBudget = { readonly requests: number; readonly firstAt: number; readonly lastAt: number };
