/**
 * @file The labels in force, derived anew from the annotations: a pure function of the record, so that it may run at any
 * time and any number of times. Only what changed is written. A label answers the question as it is asked now: one that
 * only an older prompt version supports is withdrawn.
 */

import type { Annotation, Label, LabelBasis, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { promptVersion, type Task } from "../task.ts";
import { type Consensus, consensusOf } from "./consensus.ts";
import { type SourceWeighing, weighSources } from "./weigh-sources.ts";

export type DeriveLabelsOptions = { readonly store: Store; readonly task: Task };

export type LabelCounts = { readonly [B in LabelBasis]: number } & {
  readonly total: number;
  /** How sources that differ were weighed. */
  readonly aggregation: "vote" | "dawid-skene";
  /** Labels that were written because they are new or other than before, and those that were withdrawn. */
  readonly changed: number;
  readonly withdrawn: number;
};

/** Rows per transaction. */
const BATCH = 500;

export async function deriveLabels({ store, task }: DeriveLabelsOptions): Promise<LabelCounts> {
  const weighing = await weighSources(store, task);
  const counts = { agreed: 0, majority: 0, single: 0, person: 0, split: 0 };
  let [changed, withdrawn] = [0, 0];
  let batch: Change[] = [];
  const write = async () => {
    const labels = batch.flatMap(({ label }) => (label ? [label] : []));
    const gone = batch.filter(({ label }) => !label).map(({ rowId }) => rowId);
    batch = [];
    [changed, withdrawn] = [changed + labels.length, withdrawn + gone.length];
    if (labels.length + gone.length > 0) await store.labels.put(labels, gone);
  };
  for await (const { rowId, annotations, before } of judgedRows(store)) {
    const label = labelOf({ rowId, annotations, task, weighing });
    if (label) counts[label.basis]++;
    if (isSame(label, before)) continue;
    batch.push({ rowId, label });
    if (batch.length >= BATCH) await write();
  }
  await write();
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { ...counts, total, aggregation: weighing ? "dawid-skene" : "vote", changed, withdrawn };
}

type Change = { readonly rowId: RowId; readonly label: Label | undefined };

function labelOf({
  rowId,
  annotations,
  task,
  weighing,
}: {
  readonly rowId: RowId;
  readonly annotations: readonly Annotation[];
  readonly task: Task;
  readonly weighing: SourceWeighing | undefined;
}): Label | undefined {
  const consensus = consensusOf(annotations, promptVersion(task));
  return consensus && { rowId, ...reweighed(consensus, weighing?.posterior(rowId)) };
}

/** Where teachers differ, the value and the soft target are the posterior's. What they agree on stays. */
function reweighed(consensus: Consensus, posterior: ReturnType<SourceWeighing["posterior"]>): Consensus {
  if (!posterior || (consensus.basis !== "majority" && consensus.basis !== "split")) return consensus;
  const [value] = Object.entries(posterior).reduce((best, next) => (next[1] > best[1] ? next : best));
  return { ...consensus, value, distribution: posterior };
}

function isSame(label: Label | undefined, before: Label | undefined): boolean {
  if (!label || !before) return label === before;
  const keys = Object.keys(label.distribution ?? {});
  return (
    label.value === before.value &&
    label.weight === before.weight &&
    label.basis === before.basis &&
    label.at === before.at &&
    keys.length === Object.keys(before.distribution ?? {}).length &&
    keys.every((key) => label.distribution?.[key] === before.distribution?.[key])
  );
}

type JudgedRow = {
  readonly rowId: RowId;
  readonly annotations: readonly Annotation[];
  readonly before: Label | undefined;
};

/** Rows with annotations or a label, in id order: both listings are sorted, so they are merged as they stream. */
async function* judgedRows(store: Store): AsyncGenerator<JudgedRow> {
  const labels = store.labels.list()[Symbol.asyncIterator]();
  let label = (await labels.next()).value?.label;
  for await (const { rowId, annotations } of store.annotations.byRow()) {
    while (label && label.rowId < rowId) {
      yield { rowId: label.rowId, annotations: [], before: label };
      label = (await labels.next()).value?.label;
    }
    const before = label?.rowId === rowId ? label : undefined;
    if (before) label = (await labels.next()).value?.label;
    yield { rowId, annotations, before };
  }
  while (label) {
    yield { rowId: label.rowId, annotations: [], before: label };
    label = (await labels.next()).value?.label;
  }
}
