import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openTokeniser } from "./tokeniser.ts";

const folder = join(import.meta.dirname, "../../test/golden/encoders");
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
type Tokens = readonly {
  readonly text: string;
  readonly whole: readonly number[];
  readonly plain: readonly number[];
}[];
const golden: { readonly tokens: Readonly<Record<string, Tokens>> } = read("golden.json");
const open = (name: string) => openTokeniser(read(`${name}.json`), `${name}.json`);

describe.each(["wordpiece", "byte-pairs", "unigram"])("a tokenizer of %s", (name) => {
  const tokeniser = open(name);

  test.each(golden.tokens[name]!.map((one) => ({ ...one, title: JSON.stringify(one.text.slice(0, 30)) })))(
    "reads $title as the original does",
    ({ text, whole, plain }) => {
      expect(tokeniser.encode(text, 1000)).toEqual(whole);
      expect(tokeniser.encodePlain(text)).toEqual(plain);
    },
  );

  test("cuts the end of a text, never what encloses it", () => {
    for (const { text, whole, plain } of golden.tokens[name]!) {
      const enclosing = whole.length - plain.length;
      const before = whole.length - plain.length === 0 ? 0 : 1;
      for (const most of [enclosing, enclosing + 1, 12]) {
        const cut = tokeniser.encode(text, most);
        expect(cut.length).toBe(Math.min(most, whole.length));
        expect(cut.slice(0, before)).toEqual(whole.slice(0, before));
        expect(cut.slice(before, cut.length - (enclosing - before))).toEqual(plain.slice(0, most - enclosing));
        expect(cut.slice(cut.length - (enclosing - before))).toEqual(whole.slice(whole.length - (enclosing - before)));
      }
    }
  });

  test("reads no more of a long text than it needs, to the same end", () => {
    const words = golden.tokens[name]!.map(({ text }) => text);
    const piece = fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 100 }), fc.constant(" ".repeat(300)));
    fc.assert(
      fc.property(fc.array(piece, { minLength: 20, maxLength: 60 }), (pieces) => {
        const text = pieces.join(" ");
        expect(tokeniser.encode(text, 10).slice(1, 9)).toEqual(tokeniser.encode(text, 100_000).slice(1, 9));
      }),
      { numRuns: 10 },
    );
  });

  test("has an id within its size for whatever is written", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 20 }), (text) => {
        expect(tokeniser.encode(text, 64).every((id) => id >= 0 && id < tokeniser.size)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });
});

test("half a surrogate pair is no reason to fail", () => {
  expect(open("wordpiece").encode("\ud800 card", 10).length).toBeGreaterThan(2);
});

test("what stands for the unknown is told, where there is such a thing", () => {
  expect(open("wordpiece").unknownId).toBe(1);
  expect(open("byte-pairs").unknownId).toBeUndefined();
});

test.each([
  [null],
  ["[]"],
  [{}],
  [{ model: { type: "WordLevel", vocab: { "[UNK]": 0, a: 1 }, unk_token: "[UNK]" } }],
  [{ model: { type: "BPE" } }],
])("refuses %j", (json) => {
  expect(() => openTokeniser(json, "folder/tokenizer.json")).toThrowError(
    expect.objectContaining({
      code: "tokenizer_unreadable",
      message: expect.stringContaining("folder/tokenizer.json"),
    }),
  );
});
