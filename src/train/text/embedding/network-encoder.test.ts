import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createGraphBuilder } from "../../../onnx/builder.ts";
import type { Dimension } from "../../../onnx/model.ts";
import { writeOnnx } from "../../../onnx/proto.ts";
import { floats } from "../../../onnx/tensor.ts";
import { openTokeniser } from "../../../text/tokeniser.ts";
import { openNetworkEncoder, readingOf } from "./network-encoder.ts";
import { encoderFolder, readGolden } from "./testing.ts";

const folder = encoderFolder("network");
const golden: {
  readonly texts: readonly string[];
  readonly atol: { readonly network: number };
  readonly network: Readonly<Record<"mean" | "cls", readonly (readonly number[])[]>>;
} = readGolden("encoders/golden.json");

const read = (name: string): Uint8Array => readFileSync(join(folder, name));
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const files = new Map([
  ["encoder.onnx", read("model.onnx")],
  ["config.json", read("config.json")],
  ["pooling.json", read("1_Pooling/config.json")],
  ["sentence_bert_config.json", read("sentence_bert_config.json")],
]);
const tokeniser = openTokeniser(readGolden("encoders/network/tokenizer.json"), "tokenizer.json");

const open = (changed: Readonly<Record<string, Uint8Array>> = {}) =>
  openNetworkEncoder({ files: new Map([...files, ...Object.entries(changed)]), tokeniser, source: "tiny", threads: 1 });

describe.each([
  ["mean", { pooling_mode_mean_tokens: true }],
  ["cls", { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }],
  ["mean", { pooling_mode: "mean" }],
  ["cls", { pooling_mode: "cls", include_prompt: true }],
] as const)("pooling by %s, written as %j", (mode, pooling) => {
  test("gives the embeddings of sentence-transformers, of short texts and of those that are cut", async () => {
    await using encoder = await open({ "pooling.json": json(pooling) });
    const embeddings = await encoder.embed(golden.texts);
    golden.network[mode].flat().forEach((expected, index) => {
      const error = Math.abs(embeddings[index]! - expected);
      expect(error, `text ${Math.floor(index / encoder.width)}`).toBeLessThanOrEqual(golden.atol.network);
    });
  });
});

test("a text's embedding is the same whatever it is embedded with", async () => {
  await using encoder = await open();
  const together = await encoder.embed(golden.texts);
  for (const [row, text] of golden.texts.entries()) {
    const own = together.subarray(row * encoder.width, (row + 1) * encoder.width);
    const alone = await encoder.embed([text]);
    own.forEach((value, j) => {
      expect(value).toBeCloseTo(alone[j]!, 6);
    });
    expect(Math.hypot(...own)).toBeCloseTo(1, 5);
  }
  expect(await encoder.embed([])).toHaveLength(0);
});

test("says how far it is, and stops when it is told to", async () => {
  await using encoder = await open();
  const seen: number[] = [];
  await encoder.embed(golden.texts, { onEmbedded: (texts) => void seen.push(texts) });
  expect(seen.at(-1)).toBe(golden.texts.length);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  await expect(encoder.embed(golden.texts, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow(
    "enough",
  );
});

/** Adds up token ids, whatever that is good for. */
function otherNetwork({ input = "input_ids", dims = ["N", "T", 4] }: { input?: string; dims?: readonly Dimension[] }) {
  const graph = createGraphBuilder("other");
  const ids = graph.input(input, "int64", ["N", "T"]);
  const numbers = graph.op("Cast", [ids], { to: 1 });
  const wide = graph.op("Unsqueeze", [numbers, graph.shape([2])]);
  const vectors = graph.op("MatMul", [wide, graph.constant(floats([1, 2, 3, 4], [1, 4]))]);
  const output = dims.length === 3 ? vectors : graph.op("ReduceSum", [vectors, graph.shape([1])], { keepdims: 0 });
  graph.output("vectors", output, "float32", dims);
  return writeOnnx(graph.build());
}

test("an encoder with input_ids alone, and one that gives a vector a sentence, are encoders", async () => {
  for (const dims of [
    ["N", "T", 4],
    ["N", 4],
  ] as const) {
    await using encoder = await open({ "encoder.onnx": otherNetwork({ dims }) });
    const [first, second] = await encoder.embed(["card"]);
    expect(second! / first!).toBeCloseTo(2, 5);
  }
});

test.each([
  ["an ONNX file that reads no tokens", { "encoder.onnx": otherNetwork({ input: "images" }) }, /inputs are images/],
  ["pooling that it does not know", { "pooling.json": json({ pooling_mode_max_tokens: true }) }, /max_tokens/],
  ["two poolings at once", { "pooling.json": json({ pooling_mode: ["mean", "cls"] }) }, /mean and cls/],
  ["a length that is none", { "sentence_bert_config.json": json({ max_seq_length: "long" }) }, /max_seq_length/],
  ["a config that is no JSON", { "config.json": new Uint8Array([123]) }, /config\.json/],
])("refuses %s", async (_, changed, message) => {
  await expect(open(changed)).rejects.toMatchObject({
    code: "encoder_unusable",
    message: expect.stringMatching(message),
    hint: expect.any(String),
  });
});

test("refuses what is no ONNX file", async () => {
  await expect(open({ "encoder.onnx": new Uint8Array(100) })).rejects.toMatchObject({ code: "onnx_session_failed" });
});

test("as many tokens are read as the files say, and never more than there are positions", () => {
  const tokens = (changed: Readonly<Record<string, unknown>>) =>
    readingOf({
      files: new Map(Object.entries({ "config.json": {}, ...changed }).map(([name, value]) => [name, json(value)])),
      source: "tiny",
    }).maxTokens;
  expect(tokens({})).toBe(256);
  expect(tokens({ "config.json": { max_position_embeddings: 512 } })).toBe(256);
  expect(tokens({ "config.json": { max_position_embeddings: 40 } })).toBe(40);
  expect(tokens({ "sentence_bert_config.json": { max_seq_length: 128 } })).toBe(128);
  const long = { "tokenizer_config.json": { model_max_length: 1e30 }, "config.json": { max_position_embeddings: 512 } };
  expect(tokens(long)).toBe(512);
  expect(tokens({ ...long, "sentence_bert_config.json": { max_seq_length: 64 } })).toBe(64);
});
