/**
 * @file The committee beside a student (SCIENCE D1): models trained without one fold each, which lie in the student's own
 * folder, or the champions before it. All that counts of a member is whether it says the student's class.
 */

import type { Look, Student, StudentInput } from "./contracts.ts";
import type { Committee, LabelValue, ModelId, Prediction, RowId } from "./records.ts";
import type { Store } from "./store/contract.ts";

/** The first of the highest; ties and NaN go to the lower class, as everywhere. */
function topOf(logits: ArrayLike<number>, from: number, k: number): number {
  let best = 0;
  for (let c = 1; c < k; c++) if (logits[from + c]! > logits[from + best]!) best = c;
  return best;
}

/** Members whose class is not the student's. `logits`: `[k]`; `members`: one after another, `[members, k]`. */
export function dissentOf(logits: ArrayLike<number>, members: ArrayLike<number>): number {
  const k = logits.length;
  const own = topOf(logits, 0, k);
  let dissent = 0;
  for (let from = 0; from < members.length; from += k) dissent += Number(topOf(members, from, k) !== own);
  return dissent;
}

/** Classes in another order are other logits. */
export const sameClasses = (one: readonly LabelValue[], other: readonly LabelValue[]): boolean =>
  one.length === other.length && one.every((label, index) => label === other[index]);

/** The student with its predecessors beside it, all of the same classes. They are disposed of together. */
export function withPredecessors(student: Student, members: readonly Student[]): Student {
  const k = student.classes.length;
  // A router asks for dissent right after it has asked for logits: the student need not think twice.
  const known = new WeakMap<StudentInput, Float32Array>();
  const predictLogits: Student["predictLogits"] = async (batch, signal) => {
    const logits = await student.predictLogits(batch, signal);
    for (const [row, input] of batch.entries()) known.set(input, rowOf(logits, row, k));
    return logits;
  };
  const looks = [student, ...members].flatMap(({ look }) => look ?? []);
  const { look: _, ...others } = student;
  return {
    ...others,
    predictLogits,
    // Where one of them needs time, all are waited for.
    ...(looks.length === members.length + 1 && { look: (input: StudentInput) => lookTogether(input, looks) }),
    committee: {
      size: members.length,
      async dissent(batch, signal) {
        if (batch.some((input) => !known.has(input))) await predictLogits(batch, signal);
        const said = await Promise.all(members.map((member) => member.predictLogits(batch, signal)));
        return Float32Array.from(batch, (input, row) =>
          said.reduce((sum, logits) => sum + dissentOf(known.get(input)!, rowOf(logits, row, k)), 0),
        );
      },
    },
    async [Symbol.asyncDispose]() {
      await using all = new AsyncDisposableStack();
      for (const each of [student, ...members]) all.use(each);
    },
  };
}

function lookTogether(input: StudentInput, [own, ...members]: readonly NonNullable<Student["look"]>[]): Look {
  const look = own!(input);
  const dissent = () => members.reduce((sum, member) => sum + dissentOf(look.logits, member(input).logits), 0);
  return { ...look, dissent };
}

const rowOf = (logits: Float32Array, row: number, k: number): Float32Array => logits.subarray(row * k, (row + 1) * k);

type Query = { readonly modelId: ModelId; readonly committee?: Committee | undefined };

/**
 * What a model said of held-out rows, with the dissent of the committee asked for and of no other: of folds as it was stored, of
 * predecessors by what these said of the same rows; absent where one of them has not spoken.
 */
export async function* heldOutUnder(
  { predictions }: Pick<Store, "predictions">,
  { modelId, committee }: Query,
): AsyncGenerator<Prediction> {
  const members = committee?.kind === "predecessors" ? committee.members : [];
  const said = await Promise.all(members.map((id) => classesSaid(predictions, id)));
  for await (const { dissent: stored, ...prediction } of predictions.ofModel(modelId, "held-out")) {
    const dissent = committee?.kind === "folds" ? stored : committee && dissentAmong(prediction, said);
    yield { ...prediction, ...(dissent !== undefined && { dissent }) };
  }
}

async function classesSaid(predictions: Store["predictions"], id: ModelId): Promise<ReadonlyMap<RowId, number>> {
  const said = new Map<RowId, number>();
  for await (const { rowId, logits } of predictions.ofModel(id, "held-out"))
    said.set(rowId, topOf(logits, 0, logits.length));
  return said;
}

function dissentAmong(
  { rowId, logits }: Pick<Prediction, "rowId" | "logits">,
  members: readonly ReadonlyMap<RowId, number>[],
): number | undefined {
  const own = topOf(logits, 0, logits.length);
  let dissent = 0;
  for (const member of members) {
    const said = member.get(rowId);
    if (said === undefined) return undefined;
    dissent += Number(said !== own);
  }
  return dissent;
}
