/**
 * @file The stage: from a model's held-out predictions to a policy. Calibrate rows fit the confidence, which is then frozen;
 * certify rows choose the threshold, once. The policy is written to the store and returned; it serves nobody until promoted.
 */

import type { Clock } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import type { Seed } from "../math/random.ts";
import type { ModelCard, ModelId, Policy } from "../records.ts";
import { promptVersion, type Task } from "../task.ts";
import { buildPolicy } from "./build-policy.ts";
import { calibrateRows, certifyRows } from "./judged-rows.ts";
import { type CalibrationStore, loadHeldOut } from "./load-rows.ts";
import { noveltyShare } from "./novelty.ts";
import { offeredCommittee } from "./offered-committee.ts";
import { policyIdOf } from "./policy-id.ts";
import { spendDelta } from "./spend-delta.ts";

/**
 * `ever`: δ is spent over all attempts of the workspace, so that every certificate ever issued holds together with
 * probability 1 − δ (docs/decisions/2026-11-23-uniform-stream.md). `each`: every certificate holds with 1 − δ by itself.
 */
export type Spending = "ever" | "each";

export type CalibrateOptions = {
  readonly store: CalibrationStore;
  readonly task: Task;
  readonly modelId: ModelId;
  readonly clock: Clock;
  /** For the intervals in warnings; neither calibrator nor threshold is random. */
  readonly seed: Seed;
  readonly spending?: Spending;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Calibrates and certifies. The same model on the same evidence gives the policy that is already stored, and spends nothing.
 * @throws FlywheelError `model_unknown`, `predictions_missing`
 */
export async function calibrateModel(options: CalibrateOptions): Promise<Policy> {
  const { store, task, modelId, clock, seed, spending = "ever", signal } = options;
  const version = promptVersion(task);
  const card = await cardOf(store, modelId);
  const offered = await offeredCommittee({ store, task, card });
  const heldOut = await loadHeldOut(store, { card, promptVersion: version, committee: offered?.committee, signal });
  const judged = {
    calibrate: calibrateRows(heldOut.calibrate.rows, task.reference),
    certify: certifyRows(heldOut.certify.rows, task.reference),
  };
  const outOfScope = noveltyShare(judged.calibrate, task.outOfScope.share);
  const source = { task, card, promptVersion: version, judged, outOfScope, offered };
  const id = policyIdOf({ ...source, spending });
  const known = await store.policies.get(id);
  if (known) return known;
  const delta = await deltaFor({ store, delta: task.target.delta, spending });
  const policy = buildPolicy({ ...source, id, heldOut, delta, seed, at: clock.now() });
  await store.policies.put(policy);
  return policy;
}

async function cardOf(store: CalibrationStore, modelId: ModelId): Promise<ModelCard> {
  const card = await store.models.get(modelId);
  if (card) return card;
  throw new FlywheelError("model_unknown", `no model ${modelId} in this workspace`, {
    hint: "run `flywheel train`, or name one of the models that `flywheel status` lists",
  });
}

/** Attempts that looked at certify labels count, whether or not they brought a certificate: each might have been wrong. */
async function deltaFor({
  store,
  delta,
  spending,
}: {
  readonly store: CalibrationStore;
  readonly delta: number;
  readonly spending: Spending;
}): Promise<number> {
  if (spending === "each") return delta;
  let attempts = 0;
  for (const { id } of await store.models.list()) {
    const policies = await store.policies.ofModel(id);
    attempts += policies.filter((policy) => policy.certificate ?? policy.noCertificate?.deltaSpent).length;
  }
  return spendDelta(delta, attempts + 1);
}
