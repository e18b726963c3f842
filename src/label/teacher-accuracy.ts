/**
 * @file How often the teacher is right, estimated from the rows whose truth is known, with the help of those where only
 * its own agreement is: prediction-powered inference (PPI++), whose interval is honest whatever the agreement is worth.
 */

import { ppiProportion } from "../math/ppi.ts";
import type { Annotation, Estimate, LabelValue, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { promptVersion, type Task } from "../task.ts";
import { votesOf } from "../verdict.ts";
import { consensusOf } from "./consensus.ts";

export type TeacherAccuracy = Estimate & {
  readonly method: "ppi++" | "clopper-pearson";
  /** What the teacher was held against. */
  readonly truth: "gold" | "person";
  /** Set where people chose the rows, the doubtful ones first: the teacher is then better than the estimate says. */
  readonly warning?: string;
};

/** Of the consensus of its passes. Undefined without gold and rulings. */
export async function estimateTeacherAccuracy(store: Store, task: Task): Promise<TeacherAccuracy | undefined> {
  const gold = await store.gold.all();
  const sample: Sample = { right: [], agreed: [], agreedOnly: [] };
  const truth = gold.size > 0 ? "gold" : "person";
  for await (const { rowId, annotations } of store.annotations.byRow()) {
    collect(sample, { rowId, annotations, gold, truth, version: promptVersion(task) });
  }
  if (sample.right.length === 0) return undefined;
  const estimate = ppiProportion({
    human: sample.right,
    predicted: sample.agreed,
    predictedOnly: sample.agreedOnly,
  });
  return { ...estimate, truth, ...(truth === "person" && { warning: chosenRows }) };
}

const chosenRows =
  "people ruled on rows that were chosen for review, the doubtful ones first, unless they are the audit share";

/** Parallel: whether the teacher was right, and how far its passes agreed; then the agreement where nobody knows. */
type Sample = { readonly right: number[]; readonly agreed: number[]; readonly agreedOnly: number[] };

type JudgedRow = {
  readonly rowId: RowId;
  readonly annotations: readonly Annotation[];
  readonly gold: ReadonlyMap<RowId, LabelValue>;
  readonly truth: "gold" | "person";
  readonly version: string;
};

function collect(sample: Sample, { rowId, annotations, gold, truth, version }: JudgedRow): void {
  const votes = votesOf(annotations, version);
  const verdict = consensusOf(votes, version);
  if (!verdict) return;
  const known = truth === "gold" ? gold.get(rowId) : ruling(annotations, version);
  const agreement = votes.filter(({ value }) => value === verdict.value).length / votes.length;
  if (known === undefined) sample.agreedOnly.push(agreement);
  else {
    sample.right.push(Number(known === verdict.value));
    sample.agreed.push(agreement);
  }
}

function ruling(annotations: readonly Annotation[], version: string): LabelValue | undefined {
  const verdict = consensusOf(annotations, version);
  return verdict?.basis === "person" ? verdict.value : undefined;
}
