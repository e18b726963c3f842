/** @file Tables that are not UTF-8: named by the user or by their first bytes, and rewritten as UTF-8 into a temporary file. */

import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { TextDecoderStream } from "node:stream/web";
import { FlywheelError } from "../../errors.ts";
import { openBytes, readHead } from "./bytes.ts";
import { isRemote } from "./duckdb.ts";
import type { TableFile } from "./table.ts";

/** The same table as UTF-8: itself, or a copy that is gone once disposed of. @throws FlywheelError `encoding_unknown` */
export async function asUtf8(file: TableFile): Promise<AsyncDisposable & { readonly file: TableFile }> {
  const encoding = file.format === "parquet" || isRemote(file.path) ? undefined : await encodingOf(file);
  if (encoding === undefined) return { file, [Symbol.asyncDispose]: async () => undefined };
  const folder = await mkdtemp(join(tmpdir(), "flywheel-utf8-"));
  const dispose = () => rm(folder, { recursive: true, force: true });
  const path = join(folder, "table");
  try {
    await pipeline(Readable.toWeb(Readable.from(openBytes(file.path))), decoder(encoding), createWriteStream(path));
    return { file: { ...file, path }, [Symbol.asyncDispose]: dispose };
  } catch (thrown) {
    await dispose();
    throw isUndecodable(thrown) ? notInIt(file, encoding, thrown) : thrown;
  }
}

function decoder(encoding: string): TextDecoderStream {
  try {
    // Else what is no letter of it becomes a question mark in silence.
    return new TextDecoderStream(encoding, { fatal: true });
  } catch (cause) {
    throw new FlywheelError("encoding_unknown", `"${encoding}" is no encoding that can be read`, {
      hint: "give --encoding utf-8, windows-1252, utf-16le, utf-16be, shift_jis or another name of the WHATWG's list",
      cause,
    });
  }
}

const isUndecodable = (thrown: unknown): boolean =>
  thrown instanceof TypeError && "code" in thrown && thrown.code === "ERR_ENCODING_INVALID_ENCODED_DATA";

const notInIt = ({ source }: TableFile, encoding: string, cause: unknown): FlywheelError =>
  new FlywheelError(
    "table_malformed",
    `${source} is not in the encoding ${encoding}: some of its bytes are no letters of it`,
    {
      hint: "give the encoding that it has with --encoding, or save it as UTF-8",
      cause,
    },
  );

const PROBE_BYTES = 256;

/** Undefined where it is UTF-8, or UTF-16 with the mark that the reader of CSV knows. */
async function encodingOf({ path, encoding, format }: TableFile): Promise<string | undefined> {
  if (encoding !== undefined) return /^utf-?8$/i.test(encoding) ? undefined : encoding;
  const head = await readHead(path, PROBE_BYTES);
  if (head[0] === 0xfe && head[1] === 0xff) return "utf-16be";
  if (head[0] === 0xff && head[1] === 0xfe) return format === "csv" ? undefined : "utf-16le";
  const zeros = (from: number) => head.filter((byte, at) => at % 2 === from && byte === 0).length;
  // Text has no zero bytes but where a letter takes two: the even places of the one order, the odd ones of the other.
  if (zeros(0) > head.length / 4 && zeros(1) === 0) return "utf-16be";
  return zeros(1) > head.length / 4 && zeros(0) === 0 ? "utf-16le" : undefined;
}
