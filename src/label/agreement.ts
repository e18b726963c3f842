/**
 * @file How far the first two passes agree, raw and corrected for chance. Never accuracy: passes that share a mistake agree
 * on it (SCIENCE §4: with accuracy a and agreement g, accuracy where they agree is at most a/g, whatever g is).
 *
 * The third pass is left out: it is asked only where the first two differ, so counting it would make any teacher look bad.
 */

import { cohenKappa, observedAgreement } from "../math/agreement.ts";
import type { Estimate, LabelValue } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { classesOf, promptVersion, type Task } from "../task.ts";
import { votesOf } from "../verdict.ts";

/** Above this, passes are not independent, and their agreement says next to nothing (D5). */
const NOT_INDEPENDENT = 0.97;

export type LabelAgreement = {
  /** Share of rows that passes 1 and 2 label alike. */
  readonly observed: Estimate;
  /** Cohen's κ: 0 is chance, 1 is perfect. Absent where both passes gave every row the same one label. */
  readonly kappa?: Estimate;
  readonly warning?: string;
};

/** Undefined until some row has two valid passes under the task's prompt version. */
export async function labelAgreement(store: Store, task: Task): Promise<LabelAgreement | undefined> {
  const classes = classesOf(task);
  const codeOf = new Map<LabelValue, number>(classes.map((label, code) => [label, code]));
  const version = promptVersion(task);
  const [first, second]: [number[], number[]] = [[], []];
  for await (const { annotations } of store.annotations.byRow()) {
    const votes = votesOf(annotations, version);
    const codes = [1, 2].map((pass) => codeOf.get(votes.find((vote) => vote.pass === pass)?.value ?? ""));
    if (codes[0] === undefined || codes[1] === undefined) continue;
    first.push(codes[0]);
    second.push(codes[1]);
  }
  if (first.length === 0) return undefined;
  const observed = observedAgreement(first, second);
  const kappa = cohenKappa(first, second, classes.length);
  return {
    observed,
    ...(kappa && { kappa }),
    ...(observed.value > NOT_INDEPENDENT && { warning: warningOf(observed, task) }),
  };
}

function warningOf({ value }: Estimate, { teacher }: Task): string {
  const percent = (100 * value).toFixed(1);
  const remedy =
    teacher.secondModel === undefined
      ? "set teacher.secondModel, so that pass 2 is another model's opinion"
      : "rely on gold labels or rulings to know how often the teacher is right";
  return `passes agree on ${percent} % of rows: they are not independent, and agreement is no accuracy; ${remedy}`;
}
