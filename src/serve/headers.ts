/** @file The response headers that say how a request was decided. */

import { type Routed, type RoutedRow, routeOfRow } from "../route/routed.ts";
import { shownOf } from "./decision-response.ts";

/** As `decisionHeaders`, for a task of several fields: of the row as a whole, and of each field in `x-flywheel-fields`. */
export function rowHeaders(row: RoutedRow, isSimulated: boolean): Record<string, string> {
  return withoutAbsent({
    "x-flywheel-route": routeOfRow(row),
    "x-flywheel-fields": [...row.fields].map(([name, routed]) => `${name}=${fieldDetail(routed)}`).join(", "),
    "x-flywheel-cache": row.isCached ? "hit" : undefined,
    "x-flywheel-simulated": String(isSimulated),
  });
}

/** An item of a structured field (RFC 9651): `escalated;reason=unsure;confidence=0.613;threshold=0.9;version=2`. */
function fieldDetail({ decision, answer, championVersion, studentError, audit }: Routed): string {
  const { route, reason, modelId, confidence, threshold, degradedTo } = decision;
  const details = withoutAbsent({
    reason,
    audit,
    error: studentError?.code,
    degraded: degradedTo,
    confidence: confidence?.toFixed(3),
    threshold: threshold?.toFixed(3),
    probabilities: shownOf(answer)?.source,
    version: championVersion === undefined ? undefined : String(championVersion),
    model: modelId && `"${modelId.slice(0, 12)}"`,
  });
  return [route, ...Object.entries(details).map(([name, value]) => `${name}=${value}`)].join(";");
}

/** `isSimulated`: whether this server's teacher, or the one whose answer this is, only plays one. */
export function decisionHeaders(routed: Routed, isSimulated: boolean): Record<string, string> {
  const { decision, answer, championVersion, isCached, studentError } = routed;
  const { route, reason, modelId, confidence, dissent, threshold, degradedTo } = decision;
  return withoutAbsent({
    "x-flywheel-route": route,
    "x-flywheel-reason": reason,
    "x-flywheel-audit": routed.audit,
    "x-flywheel-student-error": studentError && headerText(`${studentError.code}: ${studentError.message}`),
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

const LONGEST_HEADER = 500;

/** A header holds ASCII; names of columns and what was sent need not be. */
const headerText = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, LONGEST_HEADER);

const rounded = (share: number | undefined): string | undefined => share?.toFixed(6);

function withoutAbsent(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const present: Record<string, string> = {};
  for (const name in headers) if (headers[name]) present[name] = headers[name];
  return present;
}
