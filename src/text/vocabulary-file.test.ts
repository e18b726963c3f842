import { expect, test } from "vitest";
import { defaultNgrams } from "./options.ts";
import { VocabularyBuilder } from "./vocabulary-builder.ts";
import { readVocabulary, writeVocabulary } from "./vocabulary-file.ts";

function learn(hashed?: number) {
  const texts = ["one two three", "three two 👩🏽‍🚀 手机", "手机 👩🏽‍🚀"];
  const builder = new VocabularyBuilder({ ...defaultNgrams, hashed }, 100);
  for (const text of texts) builder.observe(text);
  for (const text of texts) builder.count(text);
  return builder.finish().vocabulary;
}

test("a vocabulary is read as it was written, hashed or not", () => {
  for (const vocabulary of [learn(), learn(10)]) {
    const bytes = writeVocabulary(vocabulary);
    expect(readVocabulary(bytes)).toEqual(vocabulary);
    const inLarger = Buffer.concat([Buffer.from([1]), bytes]).subarray(1);
    expect(readVocabulary(inLarger)).toEqual(vocabulary);
  }
});

test("a damaged one is refused with what is wrong", () => {
  const bytes = writeVocabulary(learn());
  expect(() => readVocabulary(bytes.subarray(0, 400))).toThrow("promises");
  expect(() => readVocabulary(bytes.subarray(0, -20))).toThrow("spells");
  expect(() => readVocabulary(new Uint8Array(0))).toThrow("damaged");
  expect(() => readVocabulary(new TextEncoder().encode("{}\n"))).toThrow("format");
  expect(() => readVocabulary(new TextEncoder().encode("null\n"))).toThrow("header");
});
