/** @file A request's input: what the student and the teacher are shown, and what becomes a row where it is to be labelled. */

import type { ImageInput, Input, RecordInput, Row, RowId, Split, TextInput } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { type AnyTask, splitOf, trafficSplitOf } from "../task.ts";

export type ImageContent = {
  readonly kind: "image";
  /** The encoded file as it came. */
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly width: number;
  readonly height: number;
};

export type RouterInput = {
  /** Hash of the normalised content: the same input is the same row. */
  readonly rowId: RowId;
  readonly content: ImageContent | TextInput | RecordInput;
};

export type Sampling = { readonly uniform: boolean; readonly census: boolean; readonly propensity: number };

/**
 * Makes the input a row, payload first; durable when resolved. A known row stays as it was first seen.
 * Only inputs that are to be labelled become rows: the payload of what the student answers alone is never kept.
 */
export async function storeRow(
  { rowId, content }: RouterInput,
  sampling: Sampling,
  context: { readonly store: Store; readonly task: AnyTask; readonly requestId: string; readonly at: number },
): Promise<Row> {
  const { store, task, requestId, at } = context;
  const row: Row = {
    id: rowId,
    input: await storePayload(content, store),
    source: `request ${requestId}`,
    origin: "traffic",
    uniform: sampling.uniform,
    split: splitFor(rowId, sampling, task),
    propensity: sampling.propensity,
    createdAt: at,
  };
  await store.rows.put([row]);
  return row;
}

/** A census trains as well as certifies, as ingested rows do; a sample of traffic is held out, the rest trains. */
function splitFor(id: RowId, { uniform, census }: Sampling, { splits }: AnyTask): Split {
  if (census) return splitOf(id, splits);
  return uniform ? trafficSplitOf(id, splits) : "train";
}

async function storePayload(content: RouterInput["content"], store: Store): Promise<Input> {
  if (content.kind !== "image") return content;
  const { kind, bytes, mediaType, width, height } = content;
  return { kind, blob: await store.blobs.put(bytes), width, height, mediaType } satisfies ImageInput;
}
