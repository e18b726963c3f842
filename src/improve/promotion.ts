/** @file Puts a model into service, and takes it out again. Both are one compare-and-set: two processes, one winner. */

import { FlywheelError } from "../errors.ts";
import type { Champion, ModelId, PolicyId } from "../records.ts";
import type { Store } from "../store/contract.ts";

export type Promotion = {
  readonly modelId: ModelId;
  readonly policyId: PolicyId;
  readonly at: number;
  readonly reason: string;
};

/** @returns false where another process has promoted meanwhile; `expected` is the champion that was compared with */
export async function promote(store: Store, next: Promotion, expected: Champion | undefined): Promise<boolean> {
  return await store.policies.promote(next, expected?.version ?? 0);
}

/**
 * Serves the last champion that is not the present one's model again; running servers follow without dropping a request.
 * @throws FlywheelError `nothing_to_roll_back`, `promotion_lost` (retryable)
 */
export async function rollback(store: Store, at: number): Promise<Champion> {
  const [current, ...earlier] = await store.policies.history();
  const previous = earlier.find((champion) => champion.modelId !== current?.modelId);
  if (!current || !previous) {
    throw new FlywheelError("nothing_to_roll_back", "there is no champion before this one", {
      hint: "`flywheel status` shows what serves",
    });
  }
  const reason = `rollback to champion ${previous.version}`;
  const next = { modelId: previous.modelId, policyId: previous.policyId, at, reason };
  if (await promote(store, next, current)) return { ...next, version: current.version + 1 };
  throw new FlywheelError("promotion_lost", "another process promoted a model at the same moment", {
    hint: "look at `flywheel status`, then run it again",
    retryable: true,
  });
}
