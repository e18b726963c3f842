import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { createRng } from "../math/random.ts";
import { writeSafetensors } from "../onnx/safetensors.ts";
import { floats } from "../onnx/tensor.ts";
import { Split } from "../records.ts";
import { sampleAnnotation, sampleRow } from "../store/testing/samples.ts";
import { encoderFolder } from "../train/text/embedding/testing.ts";
import { openWorld, questionTask, type World } from "../train/text/testing.ts";
import { trainChosenStudent } from "./choose-student.ts";

const choose = ({ store }: World, weights: string, choices?: readonly string[]) =>
  trainChosenStudent({ store, task: questionTask({ weights }, choices), seed: 7, clock: systemClock });

/** Words that nobody has seen twice, and static embeddings that know what each is about. */
async function addRiddles({ store, directory }: World, perSplit: number): Promise<string> {
  const rng = createRng("riddles");
  const word = (): string => Array.from({ length: 12 }, () => String.fromCharCode(97 + rng.integer(26))).join("");
  const words = Array.from({ length: 3 * perSplit }, word);
  for (const [index, split] of Split.entries()) {
    const own = words.slice(index * perSplit, (index + 1) * perSplit);
    const rows = own.map((secret, row) =>
      sampleRow(`${split}-${row}`, { split, input: { kind: "text", text: `what is ${secret}` } }),
    );
    const values = own.map((_, row) => (row % 2 === 0 ? "even" : "odd"));
    await store.rows.put(rows);
    await store.annotations.put(rows.map((row, at) => sampleAnnotation(row, 1, { value: values[at]! })));
    await store.labels.put(
      rows.map(({ id }, at) => ({ rowId: id, value: values[at]!, weight: 1, basis: "agreed", at: 1 }) as const),
    );
  }
  const vocabulary = Object.fromEntries(["[UNK]", ...words].map((entry, id) => [entry, id]));
  const vectors = [0, 0, ...words.flatMap((_, index) => ((index % perSplit) % 2 === 0 ? [1, 0.3] : [0.3, 1]))];
  const tokenizer = {
    version: "1.0",
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: "Whitespace" },
    post_processor: null,
    decoder: null,
    model: {
      type: "WordPiece",
      vocab: vocabulary,
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
    },
  };
  const folder = join(directory, "riddles");
  await mkdir(folder);
  const table = floats(vectors, [words.length + 1, 2]);
  await writeFile(
    join(folder, "model.safetensors"),
    writeSafetensors({ tensors: new Map([["embeddings", table]]), metadata: {} }),
  );
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  await writeFile(join(folder, "config.json"), JSON.stringify({ model_type: "model2vec" }));
  return folder;
}

describe("texts whose task names an encoder and leaves the choice open", () => {
  test("have the cheapest student where the encoder buys nothing, and see what it would have cost", async () => {
    await using world = await openWorld(60);
    const { card, candidates } = await choose(world, encoderFolder("static"));
    // Trees are one more where XGBoost is on the machine.
    const names = candidates!.map(({ name }) => name).filter((name) => name !== "xgboost, words");
    expect(names).toEqual(["linear-text, words alone", "linear-text", "embedding-text"]);
    expect(candidates!.findIndex(({ chosen }) => chosen)).toBe(0);
    expect(candidates!.filter(({ chosen }) => chosen)).toHaveLength(1);
    expect(card.trainer).toBe("linear-text");
    for (const { modelId, sizeBytes, p50Ms } of candidates!) {
      expect(sizeBytes).toBe((await world.store.models.get(modelId))!.sizeBytes);
      expect(p50Ms).toBeGreaterThan(0);
    }
  });

  test("have the embeddings where n-grams know nothing", async () => {
    await using world = await openWorld(0);
    const weights = await addRiddles(world, 80);
    const { card, candidates } = await choose(world, weights, ["even", "odd"]);
    expect(card.trainer).toBe("embedding-text");
    expect(candidates!.at(-1)).toMatchObject({ chosen: true, accuracy: { value: 1 } });
    expect(candidates![0]!.accuracy.value).toBeLessThan(0.8);
  });

  test("say so where the encoder cannot be read: nothing else is taken in its stead", async () => {
    await using world = await openWorld(20);
    const missing = choose(world, join(world.directory, "nowhere"));
    await expect(missing).rejects.toMatchObject({ code: "weights_not_found" });
  });
});
