/** @file A few real inputs with their payloads, for timing the student. */

import type { StudentInput } from "../contracts.ts";
import type { Row } from "../records.ts";
import type { Store } from "../store/contract.ts";

const MOST_INPUTS = 16;

/** The first certify rows by id: ids are hashes, so that is as good as a draw. */
export async function collectInputs(store: Store): Promise<readonly StudentInput[]> {
  const rows: Row[] = [];
  for await (const row of store.rows.list({ split: "certify" })) if (rows.push(row) === MOST_INPUTS) break;
  return await Promise.all(rows.map((row) => inputOf(store, row)));
}

async function inputOf(store: Store, { input }: Row): Promise<StudentInput> {
  if (input.kind !== "image") return input;
  return { kind: "image", bytes: await store.blobs.get(input.blob), mediaType: input.mediaType };
}
