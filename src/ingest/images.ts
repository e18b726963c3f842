/** @file Images as inputs: a folder of them, or a list. A file that has not changed since it was last read is not read again. */

import type { Row } from "../records.ts";
import type { SeenFile } from "../store/contract.ts";
import { splitOf } from "../task.ts";
import type { Candidate, Finding } from "./candidate.ts";
import { createGate } from "./gate.ts";
import { inGroups, mapInOrder } from "./in-order.ts";
import type { IngestOptions } from "./ingest-options.ts";
import type { InputSource, Outcome } from "./outcome.ts";
import type { Place } from "./place.ts";
import { type Fingerprint, fingerprintOf, orRefusal, type ReadImage, readImage } from "./read-image.ts";
import { readList } from "./read-list.ts";
import { IMAGE_EXTENSION, walkFolder } from "./walk-folder.ts";

/** Files looked up at once. */
const GROUP = 200;
/**
 * Files under way at once. Node's four native threads decode no more than four of them; the others wait for the disk,
 * which flushes sixteen payloads in little more time than one.
 */
const CONCURRENCY = 16;
/** Memory for files under way, and for pixels (up to 8 bytes each while they are decoded): about 400 MB together. */
const MAX_ENCODED_BYTES = 64 * 1024 * 1024;
const MAX_DECODED_PIXELS = 40_000_000;

export async function openImages(place: Place, options: IngestOptions): Promise<InputSource> {
  return { root: place.root, total: await countFiles(place), outcomes: () => examine(place, options) };
}

const findingsOf = (place: Place): AsyncGenerator<Finding> =>
  place.kind === "folder" ? walkFolder(place, IMAGE_EXTENSION) : readList(place);

/** Reads names only, so that progress knows its total from the start. */
async function countFiles(place: Place): Promise<number> {
  let files = 0;
  for await (const finding of findingsOf(place)) if (finding.kind !== "ignored") files++;
  return files;
}

type Known = { readonly finding: Finding; readonly seen: SeenFile | undefined };

function examine(place: Place, options: IngestOptions): AsyncGenerator<Outcome> {
  const { concurrency = CONCURRENCY } = options;
  const room = { encoded: createGate(MAX_ENCODED_BYTES), decoded: createGate(MAX_DECODED_PIXELS) };
  return mapInOrder(withKnown(findingsOf(place), options), concurrency, async ({ finding, seen }) => {
    if (finding.kind !== "file") return finding;
    const fingerprint = await orRefusal(finding.source, () => fingerprintOf(finding.path));
    if ("code" in fingerprint) return { kind: "refused", ...fingerprint };
    if (isUnchanged(seen, fingerprint)) return { kind: "unchanged" };
    return room.encoded.run(fingerprint.sizeBytes, async () => {
      const read = await orRefusal(finding.source, () => readImage(finding.path, room.decoded));
      return "code" in read ? { kind: "refused", ...read } : toOutcome(finding, read, fingerprint, options);
    });
  });
}

export function isUnchanged(seen: SeenFile | undefined, { sizeBytes, modifiedMs }: Fingerprint): boolean {
  return seen?.sizeBytes === sizeBytes && seen.modifiedMs === modifiedMs;
}

/** Each finding with what the store knows of its file. */
export async function* withKnown(
  findings: AsyncIterable<Finding>,
  { store, signal }: IngestOptions,
): AsyncGenerator<Known> {
  for await (const group of inGroups(findings, GROUP)) {
    const paths = group.flatMap((finding) => (finding.kind === "file" ? [finding.path] : []));
    const byPath = new Map((await store.files.getMany(paths)).map((file) => [file.path, file]));
    for (const finding of group) {
      if (signal?.aborted) return;
      yield { finding, seen: finding.kind === "file" ? byPath.get(finding.path) : undefined };
    }
  }
}

/** The fingerprint was taken before the bytes were read: a file that changed meanwhile is read again next time. */
async function toOutcome(
  candidate: Candidate,
  { id, bytes, image }: ReadImage,
  fingerprint: Fingerprint,
  { store, task, clock }: IngestOptions,
): Promise<Outcome> {
  const file = { path: candidate.path, rowId: id, ...fingerprint };
  const known = await store.rows.get(id);
  if (known !== undefined) return { kind: "row", row: { ...known, source: candidate.source }, file };
  const input = { kind: "image", blob: await store.blobs.put(bytes), ...image } as const;
  const split = splitOf(id, task.splits);
  const row: Row = {
    id,
    input,
    source: candidate.source,
    origin: "ingest",
    uniform: true,
    split,
    propensity: 1,
    createdAt: clock.now(),
  };
  return { kind: "row", row, file };
}
