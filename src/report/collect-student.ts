/** @file Which student the report is about, and what its card says. */

import { FlywheelError } from "../errors.ts";
import { newestModel } from "../improve/newest-model.ts";
import type { Champion, ModelCard, ModelId, Policy } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { featuresOf, warningsOf } from "./collect-features.ts";
import type { Section, StudentSection } from "./report-data.ts";

/** The model shown, with the policy that serves it or would. */
export type Subject = {
  readonly card: ModelCard;
  readonly policy?: Policy;
  readonly voided?: string;
  readonly champion?: Champion;
  readonly newerModelId?: ModelId;
};

/**
 * The model asked for, else the champion, else the newest.
 * @throws FlywheelError `unknown_model` where the model asked for is not in the store
 */
export async function chooseSubject(store: Store, asked: ModelId | undefined): Promise<Subject | undefined> {
  const [models, champion] = await Promise.all([store.models.list(), store.policies.champion()]);
  const newest = await newestModel(store);
  const id = asked ?? champion?.modelId ?? newest?.id ?? models[0]?.id;
  if (id === undefined) return undefined;
  const card = models.find((model) => model.id === id);
  if (!card) {
    throw new FlywheelError("unknown_model", `no model ${id} in the workspace`, { hint: "flywheel status lists them" });
  }
  const serving = champion?.modelId === id ? champion : undefined;
  const newer = newest && newest.createdAt > card.createdAt ? newest.id : undefined;
  return {
    card,
    ...(await policyOf(store, id, serving)),
    ...(serving && { champion: serving }),
    ...(newer && { newerModelId: newer }),
  };
}

/** The champion's policy, else the model's newest. */
async function policyOf(
  store: Store,
  id: ModelId,
  serving: Champion | undefined,
): Promise<Pick<Subject, "policy" | "voided">> {
  const policies = await store.policies.ofModel(id);
  const newest = policies.toSorted((a, b) => b.createdAt - a.createdAt)[0];
  const policy = serving ? await store.policies.get(serving.policyId) : newest;
  if (!policy) return {};
  const voided = await store.policies.voided(policy.id);
  return { policy, ...(voided && { voided: voided.why }) };
}

export function studentSection(subject: Subject | undefined): Section<StudentSection> {
  if (!subject) return { missing: "No student has been trained yet.", next: "flywheel train" };
  const { card, champion, newerModelId } = subject;
  return {
    modelId: card.id,
    trainer: card.trainer,
    parameters: card.parameters,
    sizeBytes: card.sizeBytes,
    trainingRows: card.trainingRows,
    trainingMs: card.trainingMs,
    createdAt: card.createdAt,
    champion: champion !== undefined,
    ...(newerModelId && { newerModelId }),
    history: card.history,
    features: featuresOf(card),
    warnings: warningsOf(card),
  };
}
