/**
 * @file A SentencePiece model's own map of characters (`precompiled_charsmap`): a trie over UTF-8, whose values are places in a list
 * of texts. Read as Hugging Face's `Precompiled` normaliser does, odd as that is: by grapheme where that is short, else by character,
 * and of several entries the shortest decides.
 *
 * Source: spm_precompiled 0.1.4 and normalizers/precompiled.rs of tokenizers; the trie is a Darts-clone double array.
 */

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });

/** Bytes from which a grapheme is taken character by character. */
const LONG_GRAPHEME = 6;

/**
 * @param base64 `precompiled_charsmap` of a tokenizer.json
 * @throws RangeError where it is no such map
 */
export function openCharsmap(base64: string): (text: string) => string {
  const look = trieOf(Buffer.from(base64, "base64"));
  const known = new Map<string, string>();
  const mapped = (grapheme: string): string => {
    const before = known.get(grapheme);
    if (before !== undefined) return before;
    const after = mapGrapheme(grapheme, look);
    if (known.size < MAX_KNOWN) known.set(grapheme, after);
    return after;
  };
  return (text) => {
    let normalised = "";
    for (const part of partsOf(text)) normalised += mapped(part);
    return normalised;
  };
}

/** Graphemes kept with what they become: most texts have few. */
const MAX_KNOWN = 10_000;

/** Printable ASCII has one grapheme a character; finding others is slow. */
const partsOf = (text: string): Iterable<string> =>
  /^[ -~]*$/.test(text) ? text : Array.from(graphemes.segment(text), ({ segment }) => segment);

type Look = (text: string) => string | undefined;

function mapGrapheme(grapheme: string, look: Look): string {
  const whole = encoder.encode(grapheme).length < LONG_GRAPHEME ? look(grapheme) : undefined;
  return whole ?? Array.from(grapheme, (character) => look(character) ?? character).join("");
}

/** `[size of the trie | its units, 32 bits each | texts, each ended by NUL]`, little-endian. */
function trieOf(bytes: Buffer): Look {
  const size = bytes.length >= 4 ? bytes.readUInt32LE(0) : 0;
  if (size === 0 || size % 4 !== 0 || 4 + size > bytes.length) throw new RangeError("its map of characters is cut off");
  const units = Uint32Array.from({ length: size / 4 }, (_, index) => bytes.readUInt32LE(4 + 4 * index));
  const texts = bytes.subarray(4 + size);
  return (text) => {
    const at = shortestEntry(units, encoder.encode(text));
    if (at === undefined) return undefined;
    const end = texts.indexOf(0, at);
    return decoder.decode(texts.subarray(at, end === -1 ? texts.length : end));
  };
}

/** The value of the first key that `key` begins with. A unit holds its label, whether a value hangs below, and where. */
function shortestEntry(units: Uint32Array, key: Uint8Array): number | undefined {
  let node = offsetOf(units[0]!);
  for (const byte of key) {
    if (byte === 0) return undefined;
    node ^= byte;
    const unit = units[node];
    if (unit === undefined || (unit & 0x8000_00ff) !== byte) return undefined;
    node ^= offsetOf(unit);
    const hasValue = ((unit >>> 8) & 1) === 1;
    if (hasValue) return (units[node] ?? 0) & 0x7fff_ffff;
  }
  return undefined;
}

const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
