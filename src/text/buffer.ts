/** @file Buffers that are used again from text to text. */

/** Elements. One text of many megabytes must not hold its memory for ever. */
const LARGE = 2 ** 20;

/** `buffer` where it has room for `needed` elements and not far too much of it, else a new one. What it held is lost. */
export function roomFor(buffer: Int32Array<ArrayBuffer>, needed: number): Int32Array<ArrayBuffer> {
  const isWasteful = buffer.length > LARGE && buffer.length > 4 * needed;
  if (buffer.length >= needed && !isWasteful) return buffer;
  return new Int32Array(needed < LARGE ? 2 * needed : needed);
}
