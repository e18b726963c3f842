/**
 * @file Waiting for room in the budget. What is under way is reserved at the most that it may cost and will cost less, so
 * the end of one request may make room for the next. The budget is used up only where nothing of ours is under way and it
 * still has no room.
 */

import type { AskOutcome } from "./ask-teacher.ts";

export type BudgetGate = {
  /** Asks, and asks again while the budget refuses but may yet have room. */
  run(ask: () => Promise<AskOutcome>): Promise<AskOutcome>;
  /** Lets everybody who waits look again, for the run is stopping. */
  open(): void;
};

export type BudgetGateOptions = {
  readonly stop: AbortSignal;
  readonly onExhausted: () => void;
};

export function createBudgetGate({ stop, onExhausted }: BudgetGateOptions): BudgetGate {
  let underWay = 0;
  let change = Promise.withResolvers<void>();
  const open = () => {
    const waiting = change;
    change = Promise.withResolvers();
    waiting.resolve();
  };
  const count = async (ask: () => Promise<AskOutcome>): Promise<AskOutcome> => {
    underWay++;
    let outcome: AskOutcome | undefined;
    try {
      outcome = await ask();
      return outcome;
    } finally {
      underWay--;
      // A refusal frees nothing: waking the others for it would have them wake each other forever.
      if (outcome?.kind !== "over-budget") open();
    }
  };
  return {
    open,
    async run(ask) {
      while (true) {
        const outcome = await count(ask);
        if (outcome.kind !== "over-budget" || stop.aborted) return outcome;
        if (underWay === 0) onExhausted();
        else await change.promise;
      }
    },
  };
}
