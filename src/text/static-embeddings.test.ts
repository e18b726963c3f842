import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Safetensors, writeSafetensors } from "../onnx/safetensors.ts";
import { floats, tensor } from "../onnx/tensor.ts";
import { openStaticEmbeddings, StaticConfig } from "./static-embeddings.ts";
import { openTokeniser } from "./tokeniser.ts";

const folder = join(import.meta.dirname, "../../test/golden/encoders");
const read = (path: string): Uint8Array => readFileSync(join(folder, path));
const readJson = (path: string) => JSON.parse(new TextDecoder().decode(read(path)));
type Name = "static" | "static-quantised";
const golden: { readonly texts: readonly string[]; readonly atol: Readonly<Record<Name, number>> } & Readonly<
  Record<Name, readonly (readonly number[])[]>
> = readJson("golden.json");

function open(name: Name, bytes = read(`${name}/model.safetensors`), config = readJson(`${name}/config.json`)) {
  const tokeniser = openTokeniser(readJson(`${name}/tokenizer.json`), name);
  return openStaticEmbeddings(bytes, tokeniser, StaticConfig.parse(config));
}

describe.each(["static", "static-quantised"] as const)("a folder of Model2Vec, %s", (name) => {
  test("gives the embeddings that Model2Vec gives", () => {
    const embeddings = open(name);
    const into = new Float32Array(golden.texts.length * embeddings.width);
    golden.texts.forEach((text, row) => void embeddings.embed(text, into, row * embeddings.width));
    golden[name].forEach((expected, row) => {
      expected.forEach((value, j) => {
        const error = Math.abs(into[row * embeddings.width + j]! - value);
        expect(error, `text ${row}, number ${j}`).toBeLessThanOrEqual(golden.atol[name]);
      });
    });
  });
});

test("nothing known of a text is a row of zeros, whatever stood there", () => {
  const embeddings = open("static");
  const into = new Float32Array(embeddings.width + 2).fill(7);
  embeddings.embed("", into, 1);
  expect([...into]).toEqual([7, ...new Array(embeddings.width).fill(0), 7]);
});

test("sentence-transformers' name of the table is read as well", () => {
  const { tensors } = tables({});
  const renamed = writeSafetensors({
    tensors: new Map([["embedding.weight", tensors.get("embeddings")!]]),
    metadata: {},
  });
  expect(open("static", renamed).width).toBe(2);
});

const vocabulary = 300;
const tables = (
  more: Readonly<Record<string, ReturnType<typeof floats> | ReturnType<typeof tensor>>>,
): Safetensors => ({
  tensors: new Map(Object.entries({ embeddings: floats(new Float32Array(2 * vocabulary), [vocabulary, 2]), ...more })),
  metadata: {},
});

test.each([
  ["no table", { tensors: new Map(), metadata: {} }],
  ["a table of one dimension", tables({ embeddings: floats(new Float32Array(6), [6]) })],
  ["fewer vectors than tokens", tables({ embeddings: floats(new Float32Array(6), [3, 2]) })],
  [
    "a mapping out of the table",
    tables({ mapping: tensor("int64", [vocabulary], new BigInt64Array(vocabulary).fill(999n)) }),
  ],
  ["a mapping that is too short", tables({ mapping: tensor("int64", [2], new BigInt64Array(2)) })],
  ["weights that are too few", tables({ weights: floats(new Float32Array(3), [3]) })],
  [
    "vectors of whole numbers",
    tables({ embeddings: tensor("int64", [vocabulary, 2], new BigInt64Array(2 * vocabulary)) }),
  ],
])("refuses %s", (_, file) => {
  expect(() => open("static", writeSafetensors(file))).toThrowError(
    expect.objectContaining({ code: "embeddings_unreadable" }),
  );
});

test("refuses a file that was cut off", () => {
  const bytes = read("static/model.safetensors");
  expect(() => open("static", bytes.subarray(0, bytes.length - 8))).toThrowError(
    expect.objectContaining({ code: "safetensors_corrupt" }),
  );
});
