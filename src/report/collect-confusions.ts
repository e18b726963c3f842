/** @file The worst confusions, with the rows on which the student was surest of its mistake. */

import { messageOf } from "../errors.ts";
import { thumbnail } from "../image/thumbnail.ts";
import type { ImageInput, Input, LabelValue, Row } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { describeRecord } from "../text/describe-record.ts";
import type { Judged } from "./collect-held-out.ts";
import { shorten } from "./format.ts";
import type { ConfusionExample, ConfusionPair } from "./report-data.ts";

const PAIRS = 6;
const EXAMPLES_PER_PAIR = 4;
const TEXT_LENGTH = 280;
/** A record says a little in each of many fields. */
const RECORD_LENGTH = 600;
/** Pixels: twice what is shown, for sharp screens. */
const THUMBNAIL_SIDE = 192;

/** Most frequent pair first. */
export async function collectConfusions(
  store: Store,
  judged: Judged,
  classes: readonly LabelValue[],
): Promise<readonly ConfusionPair[]> {
  const worst = worstPairs(judged, classes.length);
  return await Promise.all(
    worst.map(async ({ truth, student, rows, support }) => ({
      truth: classes[truth]!,
      student: classes[student]!,
      count: rows.length,
      share: rows.length / support,
      examples: await examplesOf(store, judged, surestFirst(judged, rows).slice(0, EXAMPLES_PER_PAIR)),
    })),
  );
}

type Pair = {
  readonly truth: number;
  readonly student: number;
  readonly rows: readonly number[];
  readonly support: number;
};

function worstPairs({ reference, predicted }: Judged, k: number): readonly Pair[] {
  const support = new Int32Array(k);
  const pairs = new Map<number, number[]>();
  for (const [row, truth] of reference.entries()) {
    support[truth]!++;
    const pair = truth * k + predicted[row]!;
    if (truth !== predicted[row]) pairs.set(pair, [...(pairs.get(pair) ?? []), row]);
  }
  return [...pairs]
    .sort(([a, rowsA], [b, rowsB]) => rowsB.length - rowsA.length || a - b)
    .slice(0, PAIRS)
    .map(([pair, rows]) => ({
      truth: Math.floor(pair / k),
      student: pair % k,
      rows,
      support: support[Math.floor(pair / k)]!,
    }));
}

const surestFirst = ({ confidence }: Judged, rows: readonly number[]): readonly number[] =>
  rows.toSorted((a, b) => confidence[b]! - confidence[a]! || a - b);

async function examplesOf(store: Store, judged: Judged, rows: readonly number[]): Promise<readonly ConfusionExample[]> {
  const found = await store.rows.getMany(rows.map((row) => judged.rowIds[row]!));
  const byId = new Map(found.map((row) => [row.id, row]));
  const examples = await Promise.all(
    rows.map(async (row) => {
      const record = byId.get(judged.rowIds[row]!);
      return (
        record &&
        (await exampleOf(store, record, { confidence: judged.confidence[row]!, teacher: judged.teacher[row] }))
      );
    }),
  );
  return examples.filter((example) => example !== undefined);
}

type Answer = { readonly confidence: number; readonly teacher: LabelValue | undefined };

async function exampleOf(
  store: Store,
  { source, input }: Row,
  { confidence, teacher }: Answer,
): Promise<ConfusionExample> {
  return { confidence, source, ...(teacher !== undefined && { teacher }), shown: await shownAs(store, input) };
}

async function shownAs(store: Store, input: Input): Promise<ConfusionExample["shown"]> {
  switch (input.kind) {
    case "image":
      return await imageShown(store, input);
    case "text":
      return { kind: "text", text: shorten(input.text, TEXT_LENGTH) };
    case "record":
      return { kind: "text", text: shorten(describeRecord(input.fields), RECORD_LENGTH) };
    default:
      return input satisfies never;
  }
}

/** A payload that is lost or damaged is said to be so; it is no reason to have no report. */
async function imageShown(store: Store, { blob }: ImageInput): Promise<ConfusionExample["shown"]> {
  try {
    const jpeg = await thumbnail(await store.blobs.get(blob), THUMBNAIL_SIDE);
    return { kind: "image", dataUri: `data:image/jpeg;base64,${Buffer.from(jpeg).toString("base64")}` };
  } catch (thrown) {
    return { kind: "text", text: `cannot be shown: ${messageOf(thrown)}` };
  }
}
