/** @file What the store holds against each label: its basis, the teacher's silence, the student's opinion. */

import { softmax } from "../math/softmax.ts";
import type { Label, LabelValue, ModelCard, ModelId, Prediction, RowId, Split } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { StudentOpinion } from "./review-item.ts";
import { doubtful, noAnswer, ofBasis, ofContradiction, ofMargin, type Suspicion } from "./suspicion.ts";

/** From a student's logits to its calibrated confidence in the top class, in [0, 1]. */
export type ConfidenceOf = (logits: Float32Array) => number;

export type Evidence = {
  readonly suspicions: readonly Suspicion[];
  readonly label?: Label;
  readonly student?: StudentOpinion;
};

export type EvidenceOptions = {
  /** Splits whose rows may be suspected. */
  readonly splits: readonly Split[];
  readonly ruled: ReadonlySet<RowId>;
  readonly modelId?: ModelId | undefined;
  readonly confidenceOf: ConfidenceOf;
};

/** Evidence by row, for rows on which nobody has ruled and against whose label something speaks. */
export async function collectEvidence(store: Store, options: EvidenceOptions): Promise<ReadonlyMap<RowId, Evidence>> {
  const labels = await openLabels(store, options);
  const found = new Map<RowId, Evidence>();
  for (const [id, label] of labels) add(found, id, { suspicions: ofBasis(label.basis), label });
  for (const id of await unanswered(store, labels, options)) add(found, id, { suspicions: [noAnswer] });
  const card = options.modelId === undefined ? undefined : await store.models.get(options.modelId);
  if (card)
    for (const [id, evidence] of await studentEvidence(store, card, { labels, ...options })) add(found, id, evidence);
  return new Map([...found].filter(([, evidence]) => evidence.suspicions.length > 0));
}

function add(found: Map<RowId, Evidence>, id: RowId, more: Evidence): void {
  const known = found.get(id);
  found.set(id, { ...known, ...more, suspicions: [...(known?.suspicions ?? []), ...more.suspicions] });
}

async function openLabels(store: Store, { splits, ruled }: EvidenceOptions): Promise<ReadonlyMap<RowId, Label>> {
  const labels = new Map<RowId, Label>();
  for (const split of splits) {
    for await (const { row, label } of store.labels.list({ split })) if (!ruled.has(row.id)) labels.set(row.id, label);
  }
  return labels;
}

/** Rows that the teacher was asked about and never answered inside the schema. */
async function unanswered(
  store: Store,
  labels: ReadonlyMap<RowId, Label>,
  { splits, ruled }: EvidenceOptions,
): Promise<readonly RowId[]> {
  const ids: RowId[] = [];
  for await (const { rowId, annotations } of store.annotations.byRow()) {
    if (labels.has(rowId) || ruled.has(rowId)) continue;
    if (annotations.every(({ value }) => value === undefined)) ids.push(rowId);
  }
  const rows = await store.rows.getMany(ids);
  return rows.filter(({ split }) => splits.includes(split)).map(({ id }) => id);
}

type Judged = { readonly rowId: RowId; readonly label: Label; readonly logits: Float32Array };

async function studentEvidence(
  store: Store,
  card: ModelCard,
  { labels, confidenceOf }: EvidenceOptions & { readonly labels: ReadonlyMap<RowId, Label> },
): Promise<ReadonlyMap<RowId, Evidence>> {
  const judged = await unfitted(store, card, labels);
  const found = new Map<RowId, Evidence>();
  for (const { rowId, label, logits } of judged) {
    const value = topLabel(logits, card.classes);
    const student = { modelId: card.id, value, confidence: confidenceOf(logits) };
    const suspicions = value === label.value ? [] : ofContradiction(student.confidence);
    add(found, rowId, { suspicions, label, student });
  }
  for (const { index, margin } of doubtfulRows(judged, card.classes)) {
    add(found, judged[index]!.rowId, { suspicions: [ofMargin(margin)] });
  }
  return found;
}

/** The student's word on labelled rows that it was not trained on: a student agrees with what it has learnt by heart. */
async function unfitted(store: Store, card: ModelCard, labels: ReadonlyMap<RowId, Label>): Promise<readonly Judged[]> {
  const judged = new Map<RowId, Judged>();
  const bases: readonly Prediction["basis"][] = ["out-of-fold", "held-out"];
  for (const basis of bases) {
    for await (const { rowId, logits } of store.predictions.ofModel(card.id, basis)) {
      const label = labels.get(rowId);
      if (label && card.classes.includes(label.value)) judged.set(rowId, { rowId, label, logits });
    }
  }
  return [...judged.values()];
}

function doubtfulRows(judged: readonly Judged[], classes: readonly LabelValue[]): ReturnType<typeof doubtful> {
  const k = classes.length;
  const labels = Int32Array.from(judged, ({ label }) => classes.indexOf(label.value));
  const probabilities = new Float64Array(judged.length * k);
  for (const [index, { logits }] of judged.entries()) probabilities.set(softmax(logits, k), index * k);
  return doubtful(labels, probabilities, k);
}

function topLabel(logits: Float32Array, classes: readonly LabelValue[]): LabelValue {
  return classes[logits.indexOf(Math.max(...logits))]!;
}
