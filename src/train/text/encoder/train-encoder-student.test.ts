import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../clock.ts";
import type { Progress, StudentInput } from "../../../contracts.ts";
import { argmaxRows } from "../../../math/softmax.ts";
import { openSession } from "../../../onnx/session.ts";
import type { ModelCard, Prediction } from "../../../records.ts";
import type { Store } from "../../../store/contract.ts";
import type { TaskDefinition } from "../../../task.ts";
import { loadStudent, readModelFolder } from "../../load-student.ts";
import { modelFile } from "../../model-folder.ts";
import { trainStudent } from "../../train-student.ts";
import { encoderFolder } from "../embedding/testing.ts";
import { openWorld, questionTask, sentence } from "../testing.ts";
import { openReading } from "./reading.ts";
import { tokenFeeds } from "./token-feeds.ts";

/** Its weights are random: there is all to learn, and little time to. */
const student = {
  trainer: "encoder-text",
  weights: encoderFolder("network"),
  learningRate: 3e-3,
  batchSize: 16,
  epochs: 2,
} as const;

type More = { readonly signal?: AbortSignal; readonly progress?: Progress };

const train = (store: Store, changes: TaskDefinition["student"] = {}, more: More = {}) =>
  trainStudent({
    store,
    task: questionTask({ ...student, ...changes }),
    seed: 7,
    clock: systemClock,
    threads: 1,
    ...more,
  });

const asked: readonly StudentInput[] = (["card", "rate", "top"] as const).flatMap((topic, index) => [
  { kind: "text", text: sentence(topic, `asked/${index}`) },
  { kind: "text", text: `${topic}?` },
  { kind: "text", text: `${sentence(topic, "long")} `.repeat(30) },
]);

test("learns what texts are about, and says so of rows that it has not seen", async () => {
  await using world = await openWorld(90);
  const { store } = world;
  const card = await train(store, { epochs: 10, batchSize: 8 });
  expect(card).toMatchObject({ trainer: "encoder-text", inputKind: "text", trainingRows: 90 });
  expect(card.options).toMatchObject({ maxTokens: expect.any(Number), validationRows: 90, headRate: 10, epochs: 10 });
  expect(card.history.at(-1)!.loss).toBeLessThan(card.history[0]!.loss);
  expect(Object.keys(card.files ?? {}).sort()).toEqual(
    ["config.json", "neighbours.safetensors", "pooling.json", "sentence_bert_config.json", "tokenizer.json"].sort(),
  );
  const [heldOut, outOfFold] = [
    await shareRight(store, card, "held-out"),
    await shareRight(store, card, "out-of-fold"),
  ];
  expect([heldOut.rows, outOfFold.rows]).toEqual([180, 90]);
  expect(heldOut.right).toBeGreaterThan(0.7); // one in three by chance
  expect(heldOut.right).toBeGreaterThan(outOfFold.right + 0.1); // of a head on the encoder as it was
});

async function shareRight(store: Store, { id, classes }: ModelCard, basis: Prediction["basis"]) {
  const labels = new Map<string, string>();
  for await (const { row, label } of store.labels.list({})) labels.set(row.id, label.value);
  let [right, rows] = [0, 0];
  for await (const { rowId, logits } of store.predictions.ofModel(id, basis)) {
    right += Number(classes[argmaxRows(logits, classes.length)[0]!] === labels.get(rowId));
    rows += 1;
  }
  return { right: right / rows, rows };
}

test("says how unlike a text is to those of its class, the same for a text alone and among others", async () => {
  await using world = await openWorld(60);
  const card = await train(world.store, { epochs: 4 });
  await using loaded = await loadStudent(world.store.models.folder(card.id), { threads: 1 });
  const [taught] = await Array.fromAsync(world.store.labels.list({ split: "train" }));
  const inputs = [...asked, { kind: "text", text: "Кот сидит на окне 🪟" }] as const;
  const novelties = await loaded.novelty!(inputs);
  for (const [row, input] of inputs.entries()) {
    const [alone] = await loaded.novelty!([{ ...input }]);
    expect(alone).toBeCloseTo(novelties[row]!, 5);
  }
  expect(taught?.row.input.kind).toBe("text");
  if (taught?.row.input.kind !== "text") return;
  const [own] = await loaded.novelty!([{ kind: "text", text: taught.row.input.text }]);
  expect(own).toBeLessThan(0.01); // it is one of them, but for rounding to a byte
  expect(novelties.at(-1)).toBeGreaterThan(own!);
});

test("what was trained is what is served: any other program gets the same logits from model.onnx, filled up or not", async () => {
  await using world = await openWorld(24);
  const card = await train(world.store, { epochs: 1 });
  const folder = world.store.models.folder(card.id);
  await using loaded = await loadStudent(folder, { threads: 1 });
  const { files } = await readModelFolder(folder);
  await using session = await openSession(files.get(modelFile)!, { threads: 1 });
  const { encode, maxTokens } = openReading({ files, source: folder });
  const ids = asked.map((input) => encode(input.kind === "text" ? input.text : ""));
  expect(Math.max(...ids.map(({ length }) => length))).toBe(maxTokens);
  const { logits } = await session.run(tokenFeeds(session.inputs, ids, maxTokens));
  const served = await loaded.predictLogits(asked);
  expect([...served]).toEqual([...(logits!.data as Float32Array)].map((value) => expect.closeTo(value, 4)));
  const single = await Promise.all(asked.map((input) => loaded.predictLogits([input])));
  expect([...served]).toEqual(single.flatMap((own) => [...own]).map((value) => expect.closeTo(value, 5)));
  expect(await loaded.predictLogits([])).toHaveLength(0);
});

test("a training that is stopped continues to its end, and leaves no work behind", async () => {
  await using world = await openWorld(24);
  const controller = new AbortController();
  const progress: Progress = ({ stage }) => {
    if (stage === "train") controller.abort(new Error("stop"));
  };
  await expect(train(world.store, { epochs: 1 }, { signal: controller.signal, progress })).rejects.toMatchObject({
    code: "training_interrupted",
    retryable: true,
  });
  const card = await train(world.store, { epochs: 1 });
  expect(card.history).toHaveLength(1);
  expect(existsSync(`${world.store.models.folder(card.id)}.training`)).toBe(false);
});

describe("what cannot be fine-tuned is refused with what to do instead", () => {
  test.each<[string, TaskDefinition["student"], RegExp]>([
    ["no encoder named", { weights: undefined }, /`weights` is missing/],
    ["the head alone", { finetune: "head" }, /finetune is "head"/],
    ["a table of token vectors", { weights: encoderFolder("static") }, /no network/],
  ])("%s", async (_, changes, message) => {
    await using world = await openWorld(12);
    const refused = train(world.store, changes);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toMatchObject({
      code: "student_bad_option",
      hint: expect.stringMatching(/embedding-text/),
    });
  });
});
