/** @file Notices when the budget is spent, and when it is not any more: each is told once. */

import { type BudgetState, budgetState } from "../budget.ts";
import type { Store } from "../store/contract.ts";

export type BudgetWatch = {
  /** The budget refused a question. */
  refused(): Promise<void>;
  /** It allowed one that may cost so much. */
  allowed(maxCostUsd: number): void;
};

export type BudgetEvents = {
  readonly onBudgetSpent?: ((state: BudgetState) => void) | undefined;
  readonly onBudgetRestored?: (() => void) | undefined;
};

type BudgetWatchOptions = BudgetEvents & { readonly store: Store; readonly budgetUsd: number | undefined };

export function createBudgetWatch(options: BudgetWatchOptions): BudgetWatch {
  const { store, budgetUsd, onBudgetSpent, onBudgetRestored } = options;
  /** What the question that was refused may cost, while the budget is spent. */
  let neededUsd: number | undefined;
  return {
    async refused() {
      if (neededUsd !== undefined) return;
      const totals = await store.spend.totals();
      const state = budgetState(budgetUsd, totals);
      // Where only what is in flight stands in the way, the next question may fit again.
      if (!state?.isSpent || neededUsd !== undefined) return;
      neededUsd = totals.neededUsd ?? 0;
      onBudgetSpent?.(state);
    },
    allowed(maxCostUsd) {
      // A cheaper question than the refused one says nothing.
      if (neededUsd === undefined || maxCostUsd < neededUsd) return;
      neededUsd = undefined;
      onBudgetRestored?.();
    },
  };
}
