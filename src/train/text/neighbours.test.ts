import fc from "fast-check";
import { expect, test } from "vitest";
import { defaultNgrams } from "../../text/options.ts";
import { TextEncoder } from "../../text/text-encoder.ts";
import { learnVocabulary } from "./linear-work.ts";
import { collectNeighbours, type LabelledTexts, NeighbourSearch } from "./neighbours.ts";
import { readNeighbours, writeNeighbours } from "./neighbours-file.ts";

const word = fc.constantFrom("card", "lost", "rate", "euro", "top", "up", "why", "手机", "👍");
const text = fc.array(word, { maxLength: 6 }).map((words) => words.join(" "));
const labelled: fc.Arbitrary<LabelledTexts> = fc
  .array(fc.record({ text, classIndex: fc.nat({ max: 2 }) }), { minLength: 4, maxLength: 24 })
  .map((rows) => ({
    texts: [...rows.map((row) => row.text), "card lost", "card lost"],
    classIndices: Int32Array.from([...rows.map((row) => row.classIndex), 0, 0]),
    classes: 4, // the last one has no text
  }));

const encoderOf = ({ texts }: LabelledTexts): TextEncoder =>
  new TextEncoder(learnVocabulary(texts, defaultNgrams).vocabulary);

function dense(encoder: TextEncoder, text: string): Float64Array {
  encoder.encode(text);
  const vector = new Float64Array(encoder.width);
  for (let entry = 0; entry < encoder.count; entry++) vector[encoder.columns[entry]!] = encoder.values[entry]!;
  return vector;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, at) => sum + value * b[at]!, 0);

/** By the definition, over dense vectors. */
function byDefinition(given: LabelledTexts, text: string, classIndex: number): number {
  const encoder = encoderOf(given);
  const asked = dense(encoder, text);
  const cosines = given.texts
    .filter((_, row) => given.classIndices[row] === classIndex)
    .map((other) => dense(encoder, other))
    .map((other) => dot(asked, other) / (Math.sqrt(dot(asked, asked) * dot(other, other)) || 1));
  const nearest = cosines.sort((a, b) => b - a).slice(0, 5);
  return nearest.length === 0 ? 1 : 1 - nearest.reduce((sum, one) => sum + one, 0) / nearest.length;
}

test("novelty is one minus the mean cosine to the five nearest texts of the class", () => {
  fc.assert(
    fc.property(labelled, text, fc.nat({ max: 3 }), (given, text, classIndex) => {
      const encoder = encoderOf(given);
      const search = new NeighbourSearch(readNeighbours(writeNeighbours(collectNeighbours(given, encoder))));
      encoder.encode(text);
      expect(search.novelty(encoder, classIndex)).toBeCloseTo(byDefinition(given, text, classIndex), 5);
      encoder.encode(text);
      expect(search.novelty(encoder, classIndex)).toBe(search.novelty(encoder, classIndex)); // nothing is left behind
    }),
    { numRuns: 60 },
  );
});

test("the room is shared by the classes: the first texts of each, one of each at least", () => {
  const texts = Array.from({ length: 60 }, (_, index) => `card number ${index % 7} is lost`);
  const given = { texts, classIndices: Int32Array.from(texts, (_, row) => Number(row >= 50)), classes: 2 };
  const encoder = encoderOf(given);
  const whole = collectNeighbours(given, encoder);
  expect([...whole.classStarts]).toEqual([0, 50, 60]);
  const room = 5 * Math.max(...whole.starts.subarray(1).map((end, row) => end - whole.starts[row]!));
  const { classStarts, starts, indices } = collectNeighbours(given, encoder, room);
  expect(classStarts[1]).toBeGreaterThanOrEqual(5);
  expect(classStarts[1]).toBeLessThan(10);
  expect(starts[classStarts[1]!]).toBeLessThanOrEqual(room);
  expect([...indices.subarray(0, starts[1])]).toEqual([...whole.indices.subarray(0, whole.starts[1])]);
  expect([...collectNeighbours(given, encoder, 1).classStarts]).toEqual([0, 1, 2]);
});

test("bytes that are not those written are refused", () => {
  const given = { texts: ["card lost", "card lost", "rate up"], classIndices: Int32Array.of(0, 0, 1), classes: 2 };
  const bytes = writeNeighbours(collectNeighbours(given, encoderOf(given)));
  expect(() => readNeighbours(bytes.subarray(0, 8))).toThrow("no header");
  expect(() => readNeighbours(bytes.subarray(0, -4))).toThrow("promises");
  const numbers = new Int32Array(bytes.slice().buffer);
  for (const [at, value, why] of [
    [0, 2, "format 2"],
    [1, 1, "lies outside"],
    [6, 9, "classes"],
  ] as const) {
    const damaged = numbers.slice();
    damaged[at] = value;
    expect(() => readNeighbours(new Uint8Array(damaged.buffer))).toThrow(why);
  }
});
