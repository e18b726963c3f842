/**
 * @file A vocabulary as bytes: a line of JSON that says what follows, then the numbers of all columns (hashes, document
 * frequencies), then the n-grams themselves, one a line (no n-gram holds a line break). Little-endian, as every processor
 * that Node runs on.
 */

import { z } from "zod";
import { FlywheelError, messageOf } from "../errors.ts";
import { checkNgrams } from "./options.ts";
import { columnsOf, type Vocabulary } from "./vocabulary.ts";

const FORMAT = "flywheel-vocabulary/1";
const ALIGNMENT = 4;

const count = z.int().min(0);
const range = z.tuple([count, count]).readonly().nullable();
const Header = z.strictObject({
  format: z.literal(FORMAT),
  words: range,
  characters: range,
  minDocuments: count,
  hashed: count.nullable(),
  documents: count,
  wordColumns: count,
  columns: count,
});
type Header = z.output<typeof Header>;

export function writeVocabulary(vocabulary: Vocabulary): Uint8Array<ArrayBuffer> {
  const { low, high, documentFrequency, grams } = vocabulary;
  const header = new TextEncoder().encode(paddedLine(headerOf(vocabulary)));
  const numbers = [low, high, documentFrequency].map(
    (part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
  );
  const spelt = new TextEncoder().encode(grams.join("\n"));
  return new Uint8Array(Buffer.concat([header, ...numbers, spelt]));
}

/** @throws FlywheelError `vocabulary_corrupt` */
export function readVocabulary(bytes: Uint8Array): Vocabulary {
  const end = bytes.indexOf(0x0a) + 1;
  const header = readHeader(bytes.subarray(0, end));
  const { words, characters, minDocuments, hashed, columns, documents, wordColumns } = header;
  const spelt = end + 3 * ALIGNMENT * columns;
  if (bytes.length < spelt) throw corrupt(`it has ${bytes.length} bytes, its header promises ${spelt} and more`);
  // A copy of its own: a Buffer's bytes may begin anywhere in a larger one.
  const numbers = Uint8Array.from(bytes.subarray(end, spelt)).buffer;
  const grams = hashed === null ? new TextDecoder().decode(bytes.subarray(spelt)).split("\n") : [];
  if (hashed === null && grams.length !== columns) throw corrupt(`it spells ${grams.length} of ${columns} n-grams`);
  const options = {
    words: words ?? undefined,
    characters: characters ?? undefined,
    minDocuments,
    hashed: hashed ?? undefined,
  };
  return {
    options: checkNgrams(options),
    documents,
    wordColumns,
    low: new Int32Array(numbers, 0, columns),
    high: new Int32Array(numbers, ALIGNMENT * columns, columns),
    documentFrequency: new Uint32Array(numbers, 2 * ALIGNMENT * columns, columns),
    grams,
  };
}

function headerOf(vocabulary: Vocabulary): Header {
  const { words = null, characters = null, minDocuments, hashed = null } = vocabulary.options;
  const { documents, wordColumns } = vocabulary;
  return {
    format: FORMAT,
    words,
    characters,
    minDocuments,
    hashed,
    documents,
    wordColumns,
    columns: columnsOf(vocabulary),
  };
}

/** Blanks after the JSON bring the numbers to a multiple of their size. */
function paddedLine(header: Header): string {
  const json = JSON.stringify(header);
  return `${json.padEnd(Math.ceil((json.length + 1) / ALIGNMENT) * ALIGNMENT - 1)}\n`;
}

function readHeader(line: Uint8Array): Header {
  try {
    return Header.parse(JSON.parse(new TextDecoder().decode(line)));
  } catch (cause) {
    throw corrupt(`its header cannot be read: ${messageOf(cause)}`, cause);
  }
}

const corrupt = (why: string, cause?: unknown): FlywheelError =>
  new FlywheelError("vocabulary_corrupt", `the vocabulary is damaged: ${why}`, {
    hint: "train again: the same data gives the same model",
    cause,
  });
