/**
 * @file Reasons on request: the header `x-flywheel-explain: N` asks for the N features that move each logit most. The body
 * then has `explanation` beside OpenAI's fields, which its client passes on.
 */

import type { Explained } from "../route/routed.ts";
import { RequestError } from "./request-error.ts";

export const explainHeader = "x-flywheel-explain";
const MOST_FEATURES = 1000;

/** How many features are asked for; undefined where none are. @throws RequestError 400 */
export function featuresAsked(given: string | readonly string[] | undefined): number | undefined {
  if (given === undefined) return undefined;
  const count = Number(given);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_FEATURES) return count;
  throw new RequestError(400, "invalid_value", `${explainHeader}: "${given}" is no number from 1 to ${MOST_FEATURES}`, {
    param: explainHeader,
  });
}

/** `logits` by label, in the order of the classes; what is left out of a logit's features is `rest`. */
export function explanationBody(explained: Explained, most: number) {
  if (explained.kind === "unexplained") return { error: { code: explained.code, message: explained.message } };
  return {
    logits: explained.explanations.map(({ label, bias, contributions }) => ({
      label,
      bias,
      features: contributions.slice(0, most),
      rest: contributions.slice(most).reduce((sum, { contribution }) => sum + contribution, 0),
    })),
  };
}
