import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { modelId } from "../records.ts";
import { pythonDictionary, writeModelFolder } from "./model-folder.ts";
import { tinyNetwork, tinyPreprocessing } from "./testing.ts";

// Each expectation is what Python 3 prints for str({0: …}).
test.each([
  ["apple", "{0: 'apple'}"],
  ["cat's eye", `{0: "cat's eye"}`],
  [`it's "so"`, `{0: 'it\\'s "so"'}`],
  ["back\\slash", "{0: 'back\\\\slash'}"],
  ["two\nlines\t\u0000", "{0: 'two\\nlines\\t\\x00'}"],
  ["Kürbis 🎃", "{0: 'Kürbis 🎃'}"],
  ["zero\u200bwidth", "{0: 'zero\\u200bwidth'}"],
])("%j is written as Python writes it", (label, expected) => {
  expect(pythonDictionary([label])).toBe(expected);
});

test("several labels are numbered from 0", () => {
  expect(pythonDictionary(["a", "b"])).toBe("{0: 'a', 1: 'b'}");
});

const card = {
  id: modelId("m"),
  trainer: "tiny",
  inputKind: "image",
  classes: ["a", "b"],
  parameters: 1,
  seed: "1",
  dataHash: "d",
  trainingRows: 1,
  options: {},
  preprocessing: tinyPreprocessing,
  history: [],
  codeVersion: "1",
  createdAt: 1,
  trainingMs: 1,
} as const;

test("a folder appears whole, and the first of two processes wins", async () => {
  const root = await mkdtemp(join(tmpdir(), "flywheel-model-"));
  const folder = join(root, "models", "m");
  const written = await writeModelFolder(folder, { model: tinyNetwork(), card });
  await writeModelFolder(folder, { model: tinyNetwork(3), card });
  expect(await readdir(join(root, "models"))).toEqual(["m"]);
  expect(JSON.parse(await readFile(join(folder, "card.json"), "utf8"))).toEqual(written);
  expect((await readFile(join(folder, "model.onnx"))).byteLength).toBe(written.sizeBytes);
  await rm(root, { recursive: true });
});

test("a large file that another model has is there once, one that differs or is damaged is written", async () => {
  const root = await mkdtemp(join(tmpdir(), "flywheel-model-"));
  const encoder = (fill: number) => new Map([["encoder.onnx", new Uint8Array(2 ** 20).fill(fill)]]);
  const write = (name: string, fill: number) =>
    writeModelFolder(join(root, name), { model: tinyNetwork(), card, files: encoder(fill) });
  const inode = async (name: string) => (await stat(join(root, name, "encoder.onnx"))).ino;
  await write("first", 1);
  await write("same", 1);
  await write("other", 2);
  expect(await inode("same")).toBe(await inode("first"));
  expect(await inode("other")).not.toBe(await inode("first"));
  await writeFile(join(root, "first", "encoder.onnx"), new Uint8Array(2 ** 20).fill(9)); // both names of it
  await write("mended", 1);
  expect((await readFile(join(root, "mended", "encoder.onnx")))[0]).toBe(1);
  await rm(root, { recursive: true });
});
