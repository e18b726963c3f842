import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../clock.ts";
import type { StudentInput } from "../../contracts.ts";
import { argmaxRows } from "../../math/softmax.ts";
import { openSession } from "../../onnx/session.ts";
import { floats, tensor } from "../../onnx/tensor.ts";
import type { ModelId, Prediction } from "../../records.ts";
import type { Store } from "../../store/contract.ts";
import type { Task } from "../../task.ts";
import { defaultNgrams } from "../../text/options.ts";
import { TextEncoder } from "../../text/text-encoder.ts";
import { readVocabulary } from "../../text/vocabulary-file.ts";
import { loadStudent, readModelFolder } from "../load-student.ts";
import { membersFile } from "../members.ts";
import { modelFile } from "../model-folder.ts";
import { type TrainStudentOptions, trainStudent } from "../train-student.ts";
import { LinearFitter, learnVocabulary } from "./linear-work.ts";
import { openLinearStudent } from "./load-linear-student.ts";
import { openWorld, questionTask, sentence, topics, type World } from "./testing.ts";
import { neighboursFile, vocabularyFile } from "./text-files.ts";

type More = Pick<TrainStudentOptions, "signal" | "threads" | "progress" | "outOfFold">;

const train = (store: Store, task: Task, more: More = {}) =>
  trainStudent({ store, task, seed: 7, clock: systemClock, ...more });

test("learns what texts are about, and says so of rows that it has not seen", async () => {
  await using world = await openWorld(90);
  const { store } = world;
  const card = await train(store, questionTask());
  expect(card).toMatchObject({
    trainer: "linear-text",
    inputKind: "text",
    trainingRows: 90,
    classes: Object.keys(topics),
  });
  expect(card.options).toMatchObject({ words: [1, 2], characters: [3, 5], heaviest: { card: expect.any(Array) } });
  expect(Object.keys(card.files ?? {})).toEqual([vocabularyFile, neighboursFile]);
  const labels = new Map<string, string>();
  for await (const { row, label } of store.labels.list({})) labels.set(row.id, label.value);
  for (const [basis, rows] of [
    ["held-out", 180],
    ["out-of-fold", 90],
  ] as const) {
    let right = 0;
    let count = 0;
    for await (const { rowId, logits } of store.predictions.ofModel(card.id, basis)) {
      right += Number(card.classes[argmaxRows(logits, 3)[0]!] === labels.get(rowId));
      count += 1;
    }
    expect(count).toBe(rows);
    expect(right / count).toBeGreaterThan(0.9);
  }
});

test("keeps the models of its folds as a committee where it is asked to, and is the same student for all that", async () => {
  await using one = await openWorld(60);
  await using other = await openWorld(60);
  const plain = await train(one.store, questionTask());
  const card = await train(other.store, questionTask({ committee: "folds" }));
  expect(card.id).not.toBe(plain.id);
  expect(card).toMatchObject({ members: 5, files: { [membersFile]: expect.any(String) } });
  expect(plain).not.toHaveProperty("members");
  const said = async ({ store }: World, id: ModelId, basis: Prediction["basis"]) =>
    (await Array.fromAsync(store.predictions.ofModel(id, basis))).map(({ logits }) => logits);
  for (const basis of ["held-out", "out-of-fold"] as const) {
    expect(await said(other, card.id, basis)).toEqual(await said(one, plain.id, basis));
  }
  const heldOut = await Array.fromAsync(other.store.predictions.ofModel(card.id, "held-out"));
  expect(heldOut.every(({ dissent }) => dissent !== undefined && dissent >= 0 && dissent <= 5)).toBe(true);
  const outOfFold = await Array.fromAsync(other.store.predictions.ofModel(card.id, "out-of-fold"));
  expect(outOfFold.every(({ dissent }) => dissent === undefined)).toBe(true);

  await using student = await loadStudent(other.store.models.folder(card.id), { threads: 1 });
  const inputs = ["card lost", "euro price", "手机", "", "my top card rate"].map(
    (text) => ({ kind: "text", text }) as const,
  );
  const together = await student.committee!.dissent(inputs);
  const alone = await Promise.all(inputs.map((input) => student.committee!.dissent([input])));
  expect([...together]).toEqual(alone.flatMap((dissent) => [...dissent]));
  // What it sees at once is the same, in whatever order it is asked, and after it has seen something else.
  const looks = inputs.map((input) => student.look!(input));
  expect(looks.map((look) => look.dissent!())).toEqual([...together]);
  expect(looks.map((look) => look.novelty!())).toEqual([...(await student.novelty!(inputs))]);
  expect(looks.map((look) => look.dissent!())).toEqual([...together]);
  const k = student.classes.length;
  const logits = await student.predictLogits(inputs);
  expect(looks.map((look) => [...look.logits])).toEqual(
    inputs.map((_, row) => [...logits.subarray(row * k, (row + 1) * k)]),
  );
  const files = await readModelFolder(other.store.models.folder(card.id));
  await using members = await openSession(files.files.get(membersFile)!, { threads: 1 });
  expect(members.outputs[0]?.dims).toEqual([expect.anything(), 15]);

  const path = join(other.store.models.folder(card.id), membersFile);
  await writeFile(path, (await readFile(path)).reverse());
  await expect(loadStudent(other.store.models.folder(card.id), { threads: 1 })).rejects.toMatchObject({
    code: "model_corrupt",
  });
});

test("the same rows give the same model, whatever the number of threads", async () => {
  await using one = await openWorld(40);
  await using other = await openWorld(40);
  const [a, b] = [
    await train(one.store, questionTask(), { threads: 1 }),
    await train(other.store, questionTask(), { threads: 3 }),
  ];
  expect(a.id).toBe(b.id);
  expect(a.sha256).toBe(b.sha256);
  expect(a.files).toEqual(b.files);
});

describe.each([
  { name: "two classes", topics: ["card", "rate"], text: {} },
  { name: "three classes", topics: ["card", "rate", "top"], text: { classWeight: "balanced" } },
  { name: "hashed features", topics: ["card", "rate", "top"], text: { hashed: 10 } },
  { name: "words alone", topics: ["card", "rate"], text: { characters: false } },
] as const)("a student of $name", ({ topics: names, text }) => {
  test("answers as ONNX Runtime does on its file", async () => {
    await using world = await openWorld(30, names);
    const card = await train(world.store, questionTask({ text }, names));
    const files = await readModelFolder(world.store.models.folder(card.id));
    await using student = await openLinearStudent(files);
    await using session = await openSession(files.files.get(modelFile)!, { threads: 1 });
    const encoder = new TextEncoder(readVocabulary(files.files.get(vocabularyFile)!));
    const texts = [
      "",
      "\0\ud800",
      "手机 👍🏽 naïve",
      sentence("card", "x"),
      sentence("rate", "y"),
      "card ".repeat(5000),
    ];
    for (const one of texts) {
      encoder.encode(one);
      const count = Math.max(encoder.count, 1); // one padded feature of value 0 for a text without any
      const indices = tensor(
        "int64",
        [1, count],
        BigInt64Array.from({ length: count }, (_, at) => BigInt(encoder.columns[at] ?? 0)),
      );
      const values = floats(
        Float32Array.from({ length: count }, (_, at) => (at < encoder.count ? encoder.values[at]! : 0)),
        [1, count],
      );
      const { logits } = await session.run({ indices, values });
      const ours = await student.predictLogits([{ kind: "text", text: one }]);
      expect(ours.every(Number.isFinite)).toBe(true);
      ours.forEach((value, index) => {
        expect(value).toBeCloseTo(Number(logits!.data[index]), 4);
      });
      expect([...student.logitsOf(one)]).toEqual([...ours]);
    }
  });
});

test("a batch is answered as its texts one by one", async () => {
  await using world = await openWorld(30);
  const card = await train(world.store, questionTask());
  await using student = await loadStudent(world.store.models.folder(card.id), { threads: 1 });
  const batch = Array.from({ length: 300 }, (_, index) => ({
    kind: "text" as const,
    text: sentence("card", `b${index % 7}`),
  }));
  const together = await student.predictLogits(batch);
  const alone = await Promise.all(batch.slice(0, 7).map((one) => student.predictLogits([one])));
  alone.forEach((logits, row) => {
    expect([...together.subarray(3 * row, 3 * row + 3)]).toEqual([...logits]);
  });
  const controller = new AbortController();
  controller.abort(new Error("enough"));
  await expect(student.predictLogits(batch, controller.signal)).rejects.toThrow("enough");
  const record = { kind: "record", fields: {} } as const;
  await expect(student.predictLogits([record])).rejects.toMatchObject({ code: "student_wrong_input" });
});

test("what is about something else is more novel than what was held out, and held-out rows carry theirs", async () => {
  await using world = await openWorld(60);
  const { store } = world;
  const card = await train(store, questionTask());
  await using student = await loadStudent(store.models.folder(card.id), { threads: 1 });
  const heldOut = await Array.fromAsync(store.predictions.ofModel(card.id, "held-out"));
  const rows = await store.rows.getMany(heldOut.map(({ rowId }) => rowId));
  const inputs = new Map(rows.map(({ id, input }) => [id, input as StudentInput]));
  for (const { rowId, novelty } of heldOut.slice(0, 20)) {
    expect([novelty]).toEqual([...(await student.novelty!([inputs.get(rowId)!]))]);
  }
  const usual = heldOut.map(({ novelty }) => novelty!).sort((a, b) => a - b);
  const strange = ["", "quarterly glucose infusion", "手机手机手机 ??", "the goalkeeper saved a penalty in Turin"];
  const novelty = await student.novelty!(strange.map((text) => ({ kind: "text", text })));
  for (const value of novelty) expect(value).toBeGreaterThan(usual[Math.floor(0.98 * usual.length)]!);
});

test("a row has no part in what is said of it out of fold", () => {
  const texts = Array.from({ length: 40 }, (_, index) => sentence(index % 2 === 0 ? "card" : "rate", `f${index}`));
  const folds = Int32Array.from(texts, (_, index) => index % 5);
  const heldOut = (change: (index: number) => boolean): Float32Array => {
    const { vocabulary, counts } = learnVocabulary(texts, defaultNgrams);
    const targets = Float32Array.from({ length: 80 }, (_, at) => {
      const row = Math.floor(at / 2);
      return Number((row % 2 === at % 2) !== (change(row) && folds[row] === 3));
    });
    const { documentFrequency } = vocabulary;
    const weights = new Float64Array(40).fill(1);
    const fitter = new LinearFitter({ counts, documentFrequency, minDocuments: 2, k: 2, targets, weights, folds });
    return fitter.fit({ fold: 3, c: 3 }).heldOut;
  };
  expect([...heldOut(() => true)]).toEqual([...heldOut(() => false)]);
});

test("says how far it is, to the last fit", async () => {
  await using world = await openWorld(30);
  const heard: { readonly stage: string; readonly done: number; readonly total?: number }[] = [];
  await trainStudent({
    store: world.store,
    task: questionTask(),
    seed: 7,
    clock: systemClock,
    progress: (update) => heard.push(update),
  });
  expect(heard.filter(({ stage }) => stage === "n-grams").at(-1)).toMatchObject({ done: 60, total: 60 });
  const fits = heard.filter(({ stage }) => stage === "train");
  expect(fits.at(-1)!.done).toBe(fits.at(-1)!.total);
  expect(fits.every(({ done }, index) => index === 0 || done >= fits[index - 1]!.done)).toBe(true);
});

test("without out-of-fold predictions it is the same model, sooner", async () => {
  const task = questionTask({ text: { c: [1] } });
  await using usual = await openWorld(60);
  await using quick = await openWorld(60);
  const fits = { usual: 0, quick: 0 };
  const counting = (which: keyof typeof fits): More => ({
    progress: ({ stage, total = 0 }) => {
      if (stage === "train") fits[which] = total;
    },
  });
  const card = await train(usual.store, task, counting("usual"));
  const same = await train(quick.store, task, { ...counting("quick"), outOfFold: false });
  expect(same).toMatchObject({ id: card.id, sizeBytes: card.sizeBytes, options: { chosenC: 1 } });
  expect(fits).toEqual({ usual: 6, quick: 1 });
  const outOfFold = ({ store }: typeof usual) => Array.fromAsync(store.predictions.ofModel(card.id, "out-of-fold"));
  expect([(await outOfFold(usual)).length, (await outOfFold(quick)).length]).toEqual([60, 0]);
});

test("a training that is stopped says so and leaves nothing behind", async () => {
  await using world = await openWorld(30);
  const stopped = train(world.store, questionTask(), { signal: AbortSignal.abort(new Error("SIGINT")) });
  await expect(stopped).rejects.toMatchObject({ code: "training_interrupted", retryable: true });
  expect(await train(world.store, questionTask())).toMatchObject({ trainingRows: 30 });
});

test("texts with nothing in common, and trainers of other inputs, are refused", async () => {
  await using world = await openWorld(6);
  const alone = questionTask({ text: { minDocuments: 50 } });
  await expect(train(world.store, alone)).rejects.toMatchObject({ code: "empty_vocabulary", hint: expect.any(String) });
  await expect(train(world.store, questionTask({ trainer: "mobilenet-v2" }))).rejects.toMatchObject({
    code: "unknown_trainer",
  });
  const warned = await train(world.store, questionTask());
  expect(warned.options["warnings"]).toContain(
    'class "card" has 2 training rows: the student can hardly know it; label more of it',
  );
});

test("a vocabulary that is not the one written is noticed", async () => {
  await using world = await openWorld(30);
  const card = await train(world.store, questionTask());
  const folder = world.store.models.folder(card.id);
  const path = join(folder, vocabularyFile);
  const bytes = await readFile(path);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(path, bytes);
  await expect(loadStudent(folder, { threads: 1 })).rejects.toMatchObject({ code: "model_corrupt" });
});
