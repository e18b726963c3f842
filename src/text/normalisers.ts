/**
 * @file What a tokenizer does to a text before it splits it, by the rules of Hugging Face's Rust library: those of its JavaScript
 * library differ in what is white, in capital sigmas, in ideographs beyond the first plane, in `$` of a replacement, and it reads no
 * map of characters.
 */

import { SplitPreTokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { openCharsmap } from "./charsmap.ts";

/** The package exports these; its own declarations name them by paths that TypeScript does not find. */
declare module "@huggingface/tokenizers" {
  class SplitPreTokenizer {
    constructor(config: { readonly pattern: object; readonly invert: boolean; readonly behavior: string });
    readonly pattern: RegExp | null;
  }
  class ByteLevelPreTokenizer {
    constructor(config: { readonly add_prefix_space: boolean; readonly use_regex: boolean });
    pre_tokenize_text(text: string): readonly string[];
  }
}

export type Normaliser = (text: string) => string;

export const Pattern = z.union([z.strictObject({ String: z.string() }), z.strictObject({ Regex: z.string() })]);

/** The library compiles Oniguruma's patterns to JavaScript's. @throws SyntaxError */
export function compile(pattern: z.output<typeof Pattern>): RegExp {
  const { pattern: compiled } = new SplitPreTokenizer({ pattern, invert: true, behavior: "Removed" });
  if (compiled) return compiled;
  throw new SyntaxError(`no pattern: ${JSON.stringify(pattern)}`);
}

const read = {
  NFC: () => (text: string) => text.normalize("NFC"),
  NFD: () => (text: string) => text.normalize("NFD"),
  NFKC: () => (text: string) => text.normalize("NFKC"),
  NFKD: () => (text: string) => text.normalize("NFKD"),
  Lowercase: () => lowercase,
  StripAccents: () => (text: string) => text.replace(/\p{M}/gu, ""),
  Nmt: () => nmt,
  Strip: (config) => strip(z.object({ strip_left: z.boolean(), strip_right: z.boolean() }).parse(config)),
  Prepend(config) {
    const { prepend } = z.object({ prepend: z.string() }).parse(config);
    return (text) => (text === "" ? "" : prepend + text);
  },
  Replace(config) {
    const { pattern, content } = z.object({ pattern: Pattern, content: z.string() }).parse(config);
    const compiled = compile(pattern);
    return (text) => text.replace(compiled, () => content);
  },
  Precompiled(config) {
    const { precompiled_charsmap } = z.object({ precompiled_charsmap: z.string().nullish() }).parse(config);
    return precompiled_charsmap ? openCharsmap(precompiled_charsmap) : (text) => text;
  },
  BertNormalizer: (config) => bert(Bert.parse(config)),
  Sequence(config) {
    const parts = z
      .object({ normalizers: z.array(z.unknown()) })
      .parse(config)
      .normalizers.map(openNormaliser);
    return (text) => parts.reduce((sofar, part) => part(sofar), text);
  },
} satisfies Readonly<Record<string, (config: unknown) => Normaliser>>;

/** @throws Error naming the kind that is not read */
export function openNormaliser(config: unknown): Normaliser {
  const { type } = z.looseObject({ type: z.string() }).parse(config);
  const open = new Map<string, (config: unknown) => Normaliser>(Object.entries(read)).get(type);
  if (open) return open(config);
  throw new Error(`its normalizer "${type}" is not read; these are: ${Object.keys(read).join(", ")}`);
}

/** Character by character: a capital sigma that ends a word becomes the same σ as any other. */
function lowercase(text: string): string {
  return (text.includes("Σ") ? text.replaceAll("Σ", "σ") : text).toLowerCase();
}

type Sides = { readonly strip_left: boolean; readonly strip_right: boolean };

function strip({ strip_left, strip_right }: Sides): Normaliser {
  return (text) => {
    const characters = Array.from(text);
    const isWhite = (character: string): boolean => /^\p{White_Space}$/u.test(character);
    const from = strip_left ? characters.findIndex((one) => !isWhite(one)) : 0;
    const to = strip_right ? characters.findLastIndex((one) => !isWhite(one)) + 1 : characters.length;
    return from === -1 ? "" : characters.slice(from, to).join("");
  };
}

/** As the rules `nmt_…` of SentencePiece begin. */
function nmt(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it takes out
      .replace(/[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g, "")
      .replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, " ")
  );
}

const Bert = z.object({
  clean_text: z.boolean().default(true),
  handle_chinese_chars: z.boolean().default(true),
  strip_accents: z.boolean().nullish(),
  lowercase: z.boolean().default(true),
});

function bert({
  clean_text,
  handle_chinese_chars,
  strip_accents,
  lowercase: isLower,
}: z.output<typeof Bert>): Normaliser {
  const steps: readonly (false | Normaliser)[] = [
    clean_text && clean,
    handle_chinese_chars && ((text) => text.replace(ideograph, " $& ")),
    (strip_accents ?? isLower) && ((text) => text.normalize("NFD").replace(/\p{Mn}/gu, "")),
    isLower && lowercase,
  ];
  return (text) => steps.reduce((sofar, step) => (step ? step(sofar) : sofar), text);
}

/** U+4E00 to 9FFF, 3400 to 4DBF, 20000 to 2A6DF, 2A700 to 2B81F, 2B920 to 2CEAF, F900 to FAFF, 2F800 to 2FA1F. */
const ideograph =
  /[\u4e00-\u9fff\u3400-\u4dbf\ud840\udc00-\ud869\udedf\ud869\udf00-\ud86d\udf3f\ud86d\udf40-\ud86e\udc1f\ud86e\udd20-\ud873\udeaf\uf900-\ufaff\ud87e\udc00-\ud87e\ude1f]/gu;

function clean(text: string): string {
  return text.replace(/(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, "").replace(/\p{White_Space}/gu, " ");
}
