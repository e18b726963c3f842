import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../clock.ts";
import { createRng } from "../../../math/random.ts";
import { argmaxRows } from "../../../math/softmax.ts";
import type { Store } from "../../../store/contract.ts";
import type { Task, TaskDefinition } from "../../../task.ts";
import { loadStudent } from "../../load-student.ts";
import { trainStudent } from "../../train-student.ts";
import { openWorld, questionTask, sentence, topics } from "../testing.ts";
import { encoderFolder } from "./testing.ts";

const taskWith = (weights: string, student: TaskDefinition["student"] = {}): Task =>
  questionTask({ trainer: "embedding-text", weights, ...student });
const staticTask = taskWith(encoderFolder("static"));
const networkTask = taskWith(encoderFolder("network"));

type More = {
  readonly signal?: AbortSignal;
  readonly progress?: (update: { readonly stage: string; readonly done: number }) => void;
};
const train = (store: Store, task: Task, more: More = {}) =>
  trainStudent({ store, task, seed: 7, clock: systemClock, ...more });

const asked = ["where is my card", "", "手机 👍🏽", "the rate of the dollar", "card ".repeat(500)].map(
  (text) => ({ kind: "text", text }) as const,
);

describe.each([
  {
    name: "static embeddings",
    least: 0.8,
    task: staticTask,
    files: ["model.safetensors", "tokenizer.json", "config.json"],
  },
  {
    name: "a network",
    least: 0.5, // its weights are random
    task: networkTask,
    files: ["encoder.onnx", "tokenizer.json", "config.json", "pooling.json", "sentence_bert_config.json"],
  },
])("a student on $name", ({ task, files, least }) => {
  test("learns what texts are about, and says so of rows that it has not seen", async () => {
    await using world = await openWorld(90);
    const { store } = world;
    const card = await train(store, task);
    expect(card).toMatchObject({ trainer: "embedding-text", inputKind: "text", trainingRows: 90 });
    expect(Object.keys(card.files ?? {}).sort()).toEqual(files.toSorted());
    expect(card.options).toMatchObject({ penalty: expect.any(Number), shares: { linear: expect.any(Number) } });
    const labels = new Map<string, string>();
    for await (const { row, label } of store.labels.list({})) labels.set(row.id, label.value);
    for (const [basis, rows] of [
      ["held-out", 180],
      ["out-of-fold", 90],
    ] as const) {
      const predictions = await Array.fromAsync(store.predictions.ofModel(card.id, basis));
      const right = predictions.filter(
        ({ rowId, logits }) => card.classes[argmaxRows(logits, 3)[0]!] === labels.get(rowId),
      );
      expect(predictions).toHaveLength(rows);
      expect(right.length / rows).toBeGreaterThan(least);
    }
  });

  test("answers the same once it is loaded, from its own folder alone, one by one or together", async () => {
    await using world = await openWorld(30);
    const { store, directory } = world;
    const weights = join(directory, "encoder");
    await cp(task.student.weights!, weights, { recursive: true });
    const card = await train(store, taskWith(weights));
    await rm(weights, { recursive: true });
    await using student = await loadStudent(store.models.folder(card.id), { threads: 1 });
    const together = await student.predictLogits(asked);
    expect(together.every(Number.isFinite)).toBe(true);
    for (const [row, input] of asked.entries()) {
      const alone = await student.predictLogits([input]);
      alone.forEach((value, c) => {
        expect(together[row * 3 + c]).toBeCloseTo(value, 4);
      });
    }
    for await (const { rowId, logits, novelty } of store.predictions.ofModel(card.id, "held-out")) {
      const [row] = await store.rows.getMany([rowId]);
      const input = row!.input as (typeof asked)[number];
      const again = await student.predictLogits([{ ...input }]);
      again.forEach((value, c) => {
        expect(value).toBeCloseTo(logits[c]!, 4);
      });
      expect((await student.novelty!([{ ...input }]))[0]).toBeCloseTo(novelty!, 4);
    }
  });

  test("the same rows give the same model", async () => {
    await using one = await openWorld(30);
    await using other = await openWorld(30);
    const [a, b] = [await train(one.store, task), await train(other.store, task)];
    expect(b.id).toBe(a.id);
    expect(b.sha256).toBe(a.sha256);
    expect(b.files).toEqual(a.files);
  });
});

test("an input is embedded once for its answer and its novelty, and others are refused", async () => {
  await using world = await openWorld(60);
  const { store } = world;
  const card = await train(store, staticTask);
  await using student = await loadStudent(store.models.folder(card.id), { threads: 1 });
  const novelty = await student.novelty!(asked);
  await student.predictLogits(asked);
  expect(await student.novelty!(asked)).toEqual(novelty);
  expect(novelty.every((value) => value >= 0 && value <= 1)).toBe(true);
  expect(novelty[1]).toBe(1); // of an empty text nothing is known
  await expect(student.predictLogits([{ kind: "record", fields: {} }])).rejects.toMatchObject({
    code: "student_wrong_input",
  });
  await expect(student.predictLogits(asked, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
});

test("what says nothing of what the task is about is more novel than what was held out", async () => {
  await using world = await openWorld(60);
  const { store } = world;
  const card = await train(store, staticTask);
  const heldOut = await Array.fromAsync(store.predictions.ofModel(card.id, "held-out"));
  const usual = heldOut.map(({ novelty }) => novelty!).sort((a, b) => a - b);
  await using student = await loadStudent(store.models.folder(card.id), { threads: 1 });
  const strange = ["", "Ärger heißt ÅNGSTRÖM", "أين بطاقتي؟", "カードはどこですか"];
  const novelty = await student.novelty!(strange.map((text) => ({ kind: "text", text })));
  for (const value of novelty) expect(value).toBeGreaterThan(usual[Math.floor(0.9 * usual.length)]!);
});

test("a training that was stopped goes on from the texts that it has embedded", async () => {
  await using world = await openWorld(300);
  const { store } = world;
  const controller = new AbortController();
  const embedded: number[] = [];
  const stop = ({ stage, done }: { readonly stage: string; readonly done: number }): void => {
    if (stage === "embed" && done >= 256) controller.abort(new Error("SIGINT"));
  };
  const stopped = train(store, staticTask, { signal: controller.signal, progress: stop });
  await expect(stopped).rejects.toMatchObject({ code: "training_interrupted", retryable: true });
  const card = await train(store, staticTask, {
    progress: ({ stage, done }) => void (stage === "embed" && embedded.push(done)),
  });
  expect(Math.min(...embedded)).toBeGreaterThan(256);
  await using other = await openWorld(300);
  expect((await train(other.store, staticTask)).sha256).toBe(card.sha256);
});

test("a student without an encoder, and one whose folder was damaged, say so", async () => {
  await using world = await openWorld(30);
  const { store } = world;
  await expect(train(store, questionTask({ trainer: "embedding-text" }))).rejects.toMatchObject({
    code: "student_bad_option",
    hint: expect.stringContaining("hf:"),
  });
  const card = await train(store, staticTask);
  const folder = store.models.folder(card.id);
  const bytes = await readFile(join(folder, "model.safetensors"));
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(join(folder, "model.safetensors"), bytes);
  await expect(loadStudent(folder, { threads: 1 })).rejects.toMatchObject({ code: "model_corrupt" });
  await rm(join(folder, "tokenizer.json"));
  await rm(join(folder, "model.safetensors"));
  await expect(loadStudent(folder, { threads: 1 })).rejects.toMatchObject({ code: "model_missing" });
});

test("soft targets and a class of one row are learned from", async () => {
  await using world = await openWorld(31, ["card", "rate"]);
  const { store } = world;
  const rng = createRng("soft");
  for await (const { row, label } of store.labels.list({ split: "train" })) {
    const share = 0.6 + 0.4 * rng.next();
    const other = label.value === "card" ? "rate" : "card";
    await store.labels.put([{ ...label, rowId: row.id, distribution: { [label.value]: share, [other]: 1 - share } }]);
  }
  const card = await train(
    store,
    questionTask({ trainer: "embedding-text", weights: encoderFolder("static") }, ["card", "rate"]),
  );
  await using student = await loadStudent(store.models.folder(card.id), { threads: 1 });
  const inputs = Object.keys(topics)
    .slice(0, 2)
    .map((topic, index) => ({ kind: "text", text: sentence(topic as "card", `s${index}`) }) as const);
  expect([...argmaxRows(await student.predictLogits(inputs), 2)]).toEqual([0, 1]);
});
