/**
 * @file The money of one question to the teacher: reserved before a request leaves, charged for what came back, closed with
 * what is certain. Nothing else in this folder spends.
 */

import { type Clock, isUselessAnswer, type TeacherError } from "../contracts.ts";
import type { TeacherAnnotation } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";

/** What one question costs. Its reservation stays open over the attempts, which share it. */
export type Account = {
  /** Of the annotation, the reservation and the first idempotency key. */
  readonly costUsd: number;
  /** An answer off the schema was paid for: the same key again would only replay it. */
  readonly idempotencyKey: string;
  /** False where the budget does not allow the request. */
  reserve(maxCostUsd: number): Promise<boolean>;
  charge(error: TeacherError): Promise<void>;
  /** @param others that are recorded in the same transaction and cost nothing here */
  record(annotations: readonly TeacherAnnotation[], others?: readonly TeacherAnnotation[]): Promise<void>;
  /** In doubt the request counts as charged in full: nobody may ever ask it again and find out. */
  close(): Promise<void>;
};

type AccountOptions = { readonly store: Store; readonly task: AnyTask; readonly clock: Clock };

/** @param id of the annotation to come, of the reservation, and the first idempotency key: one name for one question */
export function openAccount(id: string, { store, task, clock }: AccountOptions): Account {
  let [costUsd, uselessAnswers, reservedUsd] = [0, 0, 0];
  let [isReserved, isInDoubt] = [false, false];
  const settle = async (chargedUsd: number): Promise<void> => {
    isReserved = false;
    costUsd += chargedUsd;
    await store.spend.settle(id, chargedUsd, clock.now());
  };
  return {
    get costUsd() {
      return costUsd;
    },
    get idempotencyKey() {
      return uselessAnswers === 0 ? id : `${id}-${uselessAnswers}`;
    },
    async reserve(maxCostUsd) {
      reservedUsd = maxCostUsd;
      const allowed = await store.spend.reserve({ id, maxCostUsd, budgetUsd: task.budgetUsd, at: clock.now() });
      isReserved ||= allowed;
      return allowed;
    },
    async charge(error) {
      isInDoubt ||= error.inDoubt;
      if (isUselessAnswer(error)) uselessAnswers += 1;
      if (error.costUsd === 0) return;
      // A charge is an answer: what was in doubt under this key is no more.
      isInDoubt = false;
      await settle(error.costUsd);
    },
    async record(annotations, others = []) {
      await store.annotations.put([...annotations, ...others]);
      isReserved = false;
      for (const annotation of annotations) costUsd += annotation.costUsd;
    },
    async close() {
      if (isReserved) await settle(isInDoubt ? reservedUsd : 0);
    },
  };
}
