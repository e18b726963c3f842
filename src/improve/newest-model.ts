/** @file The model that was last put forward. Candidates that were not chosen are in the store as well, without a policy. */

import type { ModelCard } from "../records.ts";
import type { Store } from "../store/contract.ts";

/** The newest model that has been calibrated; undefined before the first. */
export async function newestModel({
  models,
  policies,
}: Pick<Store, "models" | "policies">): Promise<ModelCard | undefined> {
  for (const card of await models.list()) {
    if ((await policies.ofModel(card.id)).length > 0) return card;
  }
  return undefined;
}
