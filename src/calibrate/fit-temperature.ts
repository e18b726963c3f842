/** @file Temperature scaling (Guo et al., ICML 2017): one number, softmax(z/T), by least negative log-likelihood. */

import { goldenSection } from "../math/golden-section.ts";
import { logSoftmax } from "../math/softmax.ts";
import { correctOf, type Evidence } from "./evidence.ts";

const LEAST_TEMPERATURE = 0.05;
const MOST_TEMPERATURE = 20;

/**
 * T in [0.05, 20]. Where the student made no error there is nothing to learn from (the likelihood rises for ever as T
 * falls, until all confidences are 1 and none is surer than another): T = 1.
 */
export function fitTemperature(rows: Evidence<"calibrate">): number {
  if (!correctOf(rows).includes(0)) return 1;
  // Searched in ln T: the range spans three decades, and the likelihood is unimodal in any monotone map of T.
  const { x } = goldenSection((logT) => negativeLogLikelihood(rows, Math.exp(logT)), {
    low: Math.log(LEAST_TEMPERATURE),
    high: Math.log(MOST_TEMPERATURE),
    tolerance: 1e-5,
  });
  return Math.exp(x);
}

/** Mean over the rows whose label the student knows, nats. */
function negativeLogLikelihood({ logits, k, reference }: Evidence<"calibrate">, temperature: number): number {
  const log = logSoftmax(logits, k, temperature);
  let [sum, known] = [0, 0];
  reference.forEach((label, row) => {
    if (label < 0) return;
    sum -= log[row * k + label]!;
    known++;
  });
  return known > 0 ? sum / known : 0;
}
