/**
 * @file Neighbours as bytes: five int32 (format, columns, classes, rows, entries), then the arrays one after the other.
 * Little-endian, as every processor that Node runs on.
 */

import { checkClassStarts } from "../../math/nearest.ts";
import { checkSparse } from "../../math/sparse.ts";
import type { Neighbours } from "./neighbours.ts";

const FORMAT = 1;
const HEADER = 5;
/** Bytes of every number. */
const NUMBER = 4;

export function writeNeighbours({
  columns,
  classStarts,
  starts,
  indices,
  values,
}: Neighbours): Uint8Array<ArrayBuffer> {
  const header = Int32Array.of(FORMAT, columns, classStarts.length - 1, starts.length - 1, indices.length);
  const parts = [header, classStarts, starts, indices, values].map(
    (part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
  );
  return new Uint8Array(Buffer.concat(parts));
}

/** @throws RangeError where the bytes are not those of `writeNeighbours` */
export function readNeighbours(bytes: Uint8Array): Neighbours {
  // A copy of its own: a Buffer's bytes may begin anywhere in a larger one.
  const { buffer } = Uint8Array.from(bytes);
  if (bytes.length < HEADER * NUMBER) throw new RangeError(`neighbours of ${bytes.length} bytes have no header`);
  const [format, columns = 0, classes = 0, rows = 0, entries = 0] = new Int32Array(buffer, 0, HEADER);
  if (format !== FORMAT) throw new RangeError(`neighbours of format ${format}, not ${FORMAT}`);
  const lengths = [classes + 1, rows + 1, entries, entries];
  const promised = NUMBER * lengths.reduce((sum, length) => sum + length, HEADER);
  if (lengths.some((length) => length < 0) || bytes.length !== promised) {
    throw new RangeError(`neighbours of ${bytes.length} bytes, their header promises ${promised}`);
  }
  const offsets = lengths.map((_, part) => NUMBER * lengths.slice(0, part).reduce((sum, own) => sum + own, HEADER));
  const matrix = {
    columns,
    starts: new Int32Array(buffer, offsets[1], rows + 1),
    indices: new Int32Array(buffer, offsets[2], entries),
    values: new Float32Array(buffer, offsets[3], entries),
  };
  checkSparse({ rows, ...matrix });
  const classStarts = new Int32Array(buffer, offsets[0], classes + 1);
  checkClassStarts(classStarts, rows);
  return { ...matrix, classStarts };
}
