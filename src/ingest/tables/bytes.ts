/** @file The bytes of a file, unpacked where its name says that it is packed. */

import { createReadStream } from "node:fs";
import { extname } from "node:path";
import { pipeline } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { FlywheelError, messageOf } from "../../errors.ts";

export const PACKED_EXTENSION = /\.(?:gz|zst)$/i;

/** @throws FlywheelError `table_malformed` where it cannot be unpacked, or breaks off */
export async function* openBytes(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  const unpacker = unpackerOf(path);
  if (!unpacker) return yield* file;
  // What goes wrong is thrown to whoever reads.
  const bytes = pipeline(file, unpacker, () => undefined);
  try {
    yield* bytes;
  } catch (thrown) {
    throw isOfUnpacking(thrown) ? damaged(path, thrown) : thrown;
  }
}

function unpackerOf(path: string) {
  switch (extname(path).toLowerCase()) {
    case ".gz":
      return createGunzip();
    case ".zst":
      return createZstdDecompress();
    default:
      return undefined;
  }
}

const isOfUnpacking = (thrown: unknown): boolean =>
  thrown instanceof Error && "code" in thrown && /^Z(?:STD)?_/.test(String(thrown.code));

const damaged = (path: string, cause: unknown): FlywheelError =>
  new FlywheelError("table_malformed", `${path} cannot be unpacked: ${messageOf(cause)}`, {
    hint: "copy the file again, or unpack it yourself (zcat FILE.gz > FILE keeps what is there up to the damage)",
    cause,
  });

/** At most the first `size` bytes. */
export async function readHead(path: string, size: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of openBytes(path)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= size) break;
  }
  return Buffer.concat(chunks).subarray(0, size);
}

export type Line = {
  /** Counted from 1. */
  readonly number: number;
  /** Without its end; undefined where it is longer than `maxBytes`. */
  readonly bytes: Buffer | undefined;
};

const LINE_FEED = 10;

/** Every line, the blank ones too, in memory for one line of at most `maxBytes`. */
export async function* linesOf(path: string, maxBytes: number): AsyncGenerator<Line> {
  let number = 1;
  let parts: Buffer[] = [];
  let held = 0;
  const take = (last: Buffer): Line => {
    const isTooLong = held + last.length > maxBytes;
    const line = { number: number++, bytes: isTooLong ? undefined : withoutReturn(Buffer.concat([...parts, last])) };
    [parts, held] = [[], 0];
    return line;
  };
  for await (const chunk of openBytes(path)) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      yield take(chunk.subarray(start, end));
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    held += rest.length;
    if (held <= maxBytes) parts.push(rest);
  }
  if (held > 0) yield take(Buffer.alloc(0));
}

const withoutReturn = (line: Buffer): Buffer => (line.at(-1) === 13 ? line.subarray(0, -1) : line);
