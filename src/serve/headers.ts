/** @file The response headers that say how a request was decided. */

import type { Routed } from "../route/routed.ts";
import { shownOf } from "./decision-response.ts";

/** `isSimulated`: whether this server's teacher only plays one. */
export function decisionHeaders(routed: Routed, isSimulated: boolean): Record<string, string> {
  const { decision, answer, championVersion, isCached } = routed;
  const { route, reason, modelId, confidence, dissent, threshold, degradedTo } = decision;
  return withoutAbsent({
    "x-flywheel-route": route,
    "x-flywheel-reason": reason,
    "x-flywheel-degraded": degradedTo,
    "x-flywheel-model": modelId,
    "x-flywheel-model-version": championVersion === undefined ? undefined : String(championVersion),
    "x-flywheel-confidence": rounded(confidence),
    "x-flywheel-dissent": dissent === undefined ? undefined : String(dissent),
    "x-flywheel-threshold": rounded(threshold),
    "x-flywheel-probabilities": shownOf(answer)?.source,
    "x-flywheel-cache": isCached ? "hit" : undefined,
    "x-flywheel-simulated": String(isSimulated),
  });
}

const rounded = (share: number | undefined): string | undefined => share?.toFixed(6);

function withoutAbsent(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
