import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRemoteJson } from "./json-remote.ts";
import { jsonValues } from "./json-values.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-json-"));
});
afterAll(() => rm(root, { recursive: true }));

async function write(text: string): Promise<string> {
  const path = join(root, "a.json");
  await writeFile(path, text);
  return path;
}

async function valuesOf(text: string, maxBytes = 1_000_000) {
  return await Array.fromAsync(jsonValues({ path: await write(text), source: "a.json", maxBytes }));
}

const textsOf = async (text: string) => (await valuesOf(text)).map(({ bytes }) => bytes?.toString().trim());

const indent = fc.constantFrom(undefined, 1, "\t");

test("of any list they are its elements, however it is laid out", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue()), indent, async (list, space) => {
      const found = await textsOf(JSON.stringify(list, null, space));
      expect(found.map((text) => JSON.parse(text!))).toEqual(JSON.parse(JSON.stringify(list)));
    }),
  );
});

test("objects one after another are found, with or without a line break between them", async () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue());
  await fc.assert(
    fc.asyncProperty(fc.array(object), fc.constantFrom("\n", "\r\n", ""), indent, async (objects, between, space) => {
      const found = await textsOf(objects.map((one) => JSON.stringify(one, null, space)).join(between));
      expect(found.map((text) => JSON.parse(text!))).toEqual(JSON.parse(JSON.stringify(objects)));
    }),
  );
});

test("one that is no JSON is a value like the others, and each knows where it begins", async () => {
  const list = '\uFEFF[\n {"a": 1},\n  oops "]," {,\n null}\n,, 3,\n]';
  expect(
    (await valuesOf(list)).map(({ place, bytes }) => [place.line, place.column, bytes?.toString().trim()]),
  ).toEqual([
    [2, 2, '{"a": 1}'],
    [3, 3, 'oops "]," {,\n null}'],
    [5, 2, ""],
    [5, 4, "3"],
    [6, 1, ""],
  ]);
});

test("one that is cut by the reading of the file in pieces is whole, one that is too long is left out", async () => {
  const long = "é".repeat(300_000);
  const [first, second, third] = await valuesOf(`["a", "${long}", "b"]`);
  expect([first, second, third].map((value) => value?.bytes?.toString())).toEqual(['"a"', `"${long}"`, '"b"']);
  const lengths = (await valuesOf(`["a", "${long}", "b"]`, 10_000)).map(({ bytes }) => bytes?.length);
  expect(lengths).toEqual([3, undefined, 3]);
});

test.each([
  ["no JSON at all", "line 1, column 1"],
  ['\n 3, {"a": 1}', "line 2, column 2"],
  ['[{"a": 1},\n {"a": ', "line 2, column 2"],
  ['[{"a": 1},\n {"a": "2}]', "line 2, column 2"],
  ['[{"a": 1}', "line 1, column 2"],
  ['{"a": 1}\n{"a": {}', "line 2, column 1"],
  ['[{"a": 1}]\n[]', "line 2, column 1"],
])("%j is refused as a whole, at its place", async (text, place) => {
  await expect(valuesOf(text)).rejects.toMatchObject({
    code: "table_malformed",
    message: expect.stringContaining(place),
  });
});

test("in object storage DuckDB finds the same objects", async () => {
  const table = await openRemoteJson({ path: await write('[{"a": 1}, {"b": "é"}]'), source: "a.json", format: "json" });
  expect((await Array.fromAsync(table.items())).map((item) => item.kind === "record" && item.fields)).toEqual([
    { a: 1 },
    { b: "é" },
  ]);
});
