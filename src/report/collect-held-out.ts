/**
 * @file The rows that measure: of the certify split, uniform, never trained on. What the student says of each, how sure it
 * is, and everybody's word.
 */

import { applyCalibrator } from "../calibrate/calibrator.ts";
import { heldOutUnder } from "../committee.ts";
import { type DeferralRule, deferralScore } from "../deferral.ts";
import type { Calibrator, Committee, LabelValue, ModelId, Policy, Prediction, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { uniformlyRuled } from "../verdict.ts";
import type { Truth } from "./report-data.ts";
import type { Words } from "./truth.ts";

export type HeldOut = {
  readonly rowIds: readonly RowId[];
  /** Row-major `[rowIds, classes]`, nats, uncalibrated. */
  readonly logits: Float32Array;
  /** `[rowIds]`, as in `Prediction`. */
  readonly novelty: readonly (number | undefined)[];
  /** `[rowIds]`, of the committee asked for. */
  readonly dissent: readonly (number | undefined)[];
};

export async function collectHeldOut(
  store: Store,
  of: { readonly modelId: ModelId; readonly committee?: Committee | undefined },
): Promise<HeldOut> {
  const eligible = await uniformCertifyRows(store);
  const predictions: Prediction[] = [];
  for await (const prediction of heldOutUnder(store, of)) {
    if (eligible.has(prediction.rowId)) predictions.push(prediction);
  }
  const k = predictions[0]?.logits.length ?? 0;
  const logits = new Float32Array(predictions.length * k);
  for (const [row, prediction] of predictions.entries()) logits.set(prediction.logits, row * k);
  const rowIds = predictions.map(({ rowId }) => rowId);
  const novelty = predictions.map((prediction) => prediction.novelty);
  return { rowIds, logits, novelty, dissent: predictions.map((prediction) => prediction.dissent) };
}

async function uniformCertifyRows(store: Store): Promise<ReadonlySet<RowId>> {
  const ids = new Set<RowId>();
  for await (const { id } of store.rows.list({ split: "certify", uniform: true })) ids.add(id);
  return ids;
}

/** What the student says of the held-out rows. Rows as in `HeldOut`. */
export type Answers = {
  readonly classes: readonly LabelValue[];
  /** `[n]` class indices. */
  readonly predicted: Int32Array;
  /** `[n]`, calibrated. */
  readonly confidence: Float64Array;
  /** `[n]`, what a threshold is compared with: the confidence, unless a limit or a committee says otherwise (`src/deferral.ts`). */
  readonly score: Float64Array;
  /** `[n, classes]`, calibrated. */
  readonly probabilities: Float64Array;
  /** `[n]`: as the plain softmax has it. */
  readonly rawConfidence: Float64Array;
};

const plainSoftmax: Calibrator = { kind: "temperature", temperature: 1 };

/** Under `policy`; as the plain softmax has it where there is none. */
export function answersOf(
  { logits, novelty, dissent }: HeldOut,
  classes: readonly LabelValue[],
  policy?: Pick<Policy, "calibrator"> & DeferralRule,
): Answers {
  const rawConfidence = applyCalibrator(plainSoftmax, logits, classes.length).confidence;
  const calibrated = applyCalibrator(policy?.calibrator ?? plainSoftmax, logits, classes.length);
  const score = calibrated.confidence.map((confidence, row) =>
    deferralScore(
      { value: classes[calibrated.predicted[row]!], confidence, novelty: novelty[row], dissent: dissent[row] },
      policy ?? {},
    ),
  );
  return { classes, rawConfidence, score, ...calibrated };
}

/** Held-out rows on which one truth has a word, beside the student's answer. `[n]` each. */
export type Judged = Omit<Answers, "classes"> & {
  readonly truth: Truth;
  readonly n: number;
  readonly rowIds: readonly RowId[];
  /** Class indices. */
  readonly reference: Int32Array;
  /** 1 right, 0 wrong. */
  readonly correct: Uint8Array;
  /** What the teacher says; absent where it never answered. */
  readonly teacher: readonly (LabelValue | undefined)[];
  /** Whether that is right; absent where it never answered. */
  readonly teacherCorrect: readonly (boolean | undefined)[];
};

export type JudgeSources = {
  readonly heldOut: HeldOut;
  readonly answers: Answers;
  readonly words: ReadonlyMap<RowId, Words>;
};

/** Rows on which `truth` names one of the student's classes. People's word counts where it is a uniform sample. */
export function judgeBy(truth: Truth, { heldOut, answers, words }: JudgeSources): Judged {
  const { classes } = answers;
  const wordOf = (row: number) => words.get(heldOut.rowIds[row]!)?.[truth];
  const rows = candidates(truth, heldOut, words).filter((row) => classes.includes(wordOf(row) ?? ""));
  const reference = Int32Array.from(rows, (row) => classes.indexOf(wordOf(row)!));
  const predicted = Int32Array.from(rows, (row) => answers.predicted[row]!);
  const teacher = rows.map((row) => words.get(heldOut.rowIds[row]!)?.teacher);
  return {
    truth,
    n: rows.length,
    rowIds: rows.map((row) => heldOut.rowIds[row]!),
    reference,
    predicted,
    confidence: Float64Array.from(rows, (row) => answers.confidence[row]!),
    score: Float64Array.from(rows, (row) => answers.score[row]!),
    rawConfidence: Float64Array.from(rows, (row) => answers.rawConfidence[row]!),
    probabilities: rowsOf(answers.probabilities, classes.length, rows),
    correct: Uint8Array.from(reference, (right, row) => Number(right === predicted[row])),
    teacher,
    teacherCorrect: teacher.map((value, row) => (value === undefined ? undefined : value === classes[reference[row]!])),
  };
}

function candidates(truth: Truth, { rowIds }: HeldOut, words: JudgeSources["words"]): readonly number[] {
  const all = rowIds.map((id, row) => ({ id, row }));
  const eligible = truth === "person" ? uniformlyRuled(all, ({ id }) => words.get(id)?.person !== undefined) : all;
  return eligible.map(({ row }) => row);
}

function rowsOf(matrix: Float64Array, k: number, rows: readonly number[]): Float64Array {
  const picked = new Float64Array(rows.length * k);
  for (const [place, row] of rows.entries()) picked.set(matrix.subarray(row * k, (row + 1) * k), place * k);
  return picked;
}
