/** Ids against those of Python's `tokenizers`, for every normaliser and pre-tokeniser, on awkward texts. */

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { openTokeniser } from "./tokeniser.ts";

type Json = { readonly [name: string]: unknown };
type Golden = {
  readonly texts: readonly string[];
  readonly maps: readonly string[];
  readonly cases: readonly {
    readonly kind: string;
    readonly tokenizer: Json;
    readonly ids: readonly (readonly number[])[];
  }[];
};

const file = new URL("../../test/golden/tokenisers.json.gz", import.meta.url);
const golden = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Golden;

/** The file holds each map once. */
const withMaps = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (name, each: unknown) =>
    name === "precompiled_charsmap" && typeof each === "number" ? golden.maps[each] : each,
  );

/** What is refused, by the name that the message has. */
const refused: Readonly<Record<string, string>> = { UnicodeScripts: "UnicodeScripts" };

const read = golden.cases.filter(({ kind }) => !(kind in refused));

describe.each(read)("$kind", ({ tokenizer, ids }) => {
  const tokeniser = openTokeniser(withMaps(tokenizer), "tokenizer.json");
  test("gives the ids that Python gives", () => {
    const wrong = golden.texts.flatMap((text, index) => {
      const given = tokeniser.encodePlain(text);
      return given.join() === ids[index]!.join() ? [] : [{ text, given, wanted: ids[index] }];
    });
    expect(wrong).toEqual([]);
  });
});

test.each(golden.cases.filter(({ kind }) => kind in refused))("$kind is refused by name", ({ kind, tokenizer }) => {
  expect(() => openTokeniser(withMaps(tokenizer), "tokenizer.json")).toThrow(
    expect.objectContaining({ code: "tokenizer_unreadable", message: expect.stringContaining(refused[kind]!) }),
  );
});

test("a map of characters that is cut off is refused", () => {
  const [whole] = golden.maps;
  const { tokenizer } = golden.cases.find(({ kind }) => kind === "Precompiled nmt_nfkc")!;
  const withMap = (map: string) => ({ ...tokenizer, normalizer: { type: "Precompiled", precompiled_charsmap: map } });
  expect(() => openTokeniser(withMap(whole!), "tokenizer.json")).not.toThrow();
  for (const map of ["AAAA", whole!.slice(0, 1000)]) {
    expect(() => openTokeniser(withMap(map), "tokenizer.json")).toThrow(
      expect.objectContaining({ code: "tokenizer_unreadable", message: expect.stringContaining("map of characters") }),
    );
  }
});

test("an added token is found in normalised text, whatever normalises it", () => {
  const { tokenizer } = golden.cases.find(({ kind }) => kind === "Precompiled nmt_nfkc_cf")!;
  const id = (tokenizer["model"] as { readonly vocab: readonly unknown[] }).vocab.length;
  const added = {
    id,
    content: "<MASK>",
    special: true,
    normalized: true,
    lstrip: false,
    rstrip: false,
    single_word: false,
  };
  const tokeniser = openTokeniser(withMaps({ ...tokenizer, added_tokens: [added] }), "tokenizer.json");
  expect(tokeniser.encodePlain("a ＜Mask＞ b")).toContain(id);
});
