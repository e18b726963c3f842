import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { readOnnx } from "../onnx/proto.ts";
import type { Prediction } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { collectNeighbours, readNeighbours, writeNeighbours } from "./feature-neighbours.ts";
import { ArchitectureName } from "./image/architecture.ts";
import { loadImageStudent, openImageStudent } from "./image/load-image-student.ts";
import { loadStudent, readModelFolder } from "./load-student.ts";
import { neighboursFile } from "./neighbours-file.ts";
import { predictHeldOut, studentInput } from "./predict-held-out.ts";
import { addPhotos, openWorld, tintedPixels, tintTask, type World } from "./testing.ts";
import { trainStudent } from "./train-student.ts";

const normalisation = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;

const onnxTask = ({ weights }: World, changes = {}) =>
  tintTask({
    trainer: "onnx",
    weights,
    normalisation: { mean: [...normalisation.mean], std: [...normalisation.std] },
    epochs: 3,
    learningRate: 0.01,
    ...changes,
  });

const given = (world: World, changes = {}) => ({
  store: world.store,
  task: onnxTask(world, changes),
  seed: 1,
  clock: systemClock,
  threads: 1,
});

async function predictionsOf(store: Store, id: Prediction["modelId"], basis: Prediction["basis"]) {
  return await Array.fromAsync(store.predictions.ofModel(id, basis));
}

/** Share of the predictions whose argmax is the label in force. */
async function accuracyOf(store: Store, predictions: readonly Prediction[]): Promise<number> {
  const right = await Promise.all(
    predictions.map(async ({ rowId, logits }) => {
      const value = logits[0]! > logits[1]! ? "red" : "green";
      return (await store.labels.get(rowId))?.value === value;
    }),
  );
  return right.filter(Boolean).length / right.length;
}

describe("training a student", () => {
  test("leaves a model, its card, held-out and out-of-fold predictions", async () => {
    await using world = await openWorld({ train: 120, calibrate: 52, certify: 40 });
    const { store } = world;
    const card = await trainStudent(given(world));
    expect(card).toMatchObject({ trainer: "onnx:tiny", classes: ["red", "green"], trainingRows: 120, seed: "1" });
    expect(await store.models.get(card.id)).toEqual(card);
    expect(await readdir(store.models.folder(card.id))).toEqual(["card.json", "model.onnx", "neighbours.safetensors"]);
    expect(await readdir(join(store.models.folder(card.id), ".."))).toEqual([card.id]);

    const heldOut = await predictionsOf(store, card.id, "held-out");
    expect(heldOut).toHaveLength(92);
    expect(await accuracyOf(store, heldOut)).toBeGreaterThan(0.9);
    const outOfFold = await predictionsOf(store, card.id, "out-of-fold");
    expect(outOfFold).toHaveLength(120);
    expect(await accuracyOf(store, outOfFold)).toBeGreaterThan(0.8);
  });

  test("finds the model that the same inputs have made", async () => {
    await using world = await openWorld({ train: 40, calibrate: 4, certify: 4 });
    const first = await trainStudent(given(world, { finetune: "head" }));
    const stages: string[] = [];
    const again = await trainStudent({
      ...given(world, { finetune: "head" }),
      progress: ({ stage }) => stages.push(stage),
    });
    expect(again).toEqual(first);
    expect(stages).toEqual([]);
    const { id: withOtherSeed } = await trainStudent({ ...given(world, { finetune: "head" }), seed: 2 });
    expect(withOtherSeed).not.toBe(first.id);
    const [row] = await addPhotos(world.store, "train", 1);
    await world.store.labels.put([{ rowId: row!.id, value: "green", weight: 1, basis: "person", at: 2 }]);
    expect((await trainStudent(given(world, { finetune: "head" }))).id).not.toBe(first.id);
  });

  test("keeps the backbone frozen below 50 rows a class, and where it is told to", async () => {
    await using world = await openWorld({ train: 60, calibrate: 0, certify: 0 });
    const kernel = async (changes: object) => {
      const { id } = await trainStudent(given(world, changes));
      const model = readOnnx(await readFile(join(world.store.models.folder(id), "model.onnx")));
      return model.graph.initialisers.get("conv_stem.weight")?.data;
    };
    const frozen = await kernel({ finetune: "head" });
    expect(await kernel({ finetune: "auto" })).toEqual(frozen);
    expect(await kernel({ finetune: "all" })).not.toEqual(frozen);
  });

  test("keeps the heads of its folds as a committee where the backbone stays frozen, and only there", async () => {
    await using world = await openWorld({ train: 40, calibrate: 20, certify: 20 });
    const { store } = world;
    const plain = await trainStudent(given(world, { finetune: "head" }));
    const card = await trainStudent(given(world, { finetune: "head", committee: "folds" }));
    expect(card).toMatchObject({ members: 5, files: { "members.onnx": expect.any(String) } });
    expect(card.id).not.toBe(plain.id);
    const heldOut = await predictionsOf(store, card.id, "held-out");
    expect(heldOut.map(({ logits }) => logits)).toEqual(
      (await predictionsOf(store, plain.id, "held-out")).map(({ logits }) => logits),
    );
    expect(heldOut.every(({ dissent }) => dissent !== undefined && dissent <= 5)).toBe(true);
    const whole = await trainStudent(given(world, { finetune: "all", epochs: 1, committee: "folds" }));
    expect(whole).not.toHaveProperty("members");
    expect(whole.id).toBe((await trainStudent(given(world, { finetune: "all", epochs: 1 }))).id);
  });

  test("continues a run that was killed, to the model that it would have made", async () => {
    await using world = await openWorld({ train: 120, calibrate: 0, certify: 0 });
    await using other = await openWorld({ train: 120, calibrate: 0, certify: 0 });
    const script = `
      import { readFileSync } from "node:fs";
      const { openSqliteStore } = await import(${JSON.stringify(new URL("../store/sqlite.ts", import.meta.url).href)});
      const { trainStudent } = await import(${JSON.stringify(new URL("./train-student.ts", import.meta.url).href)});
      const store = await openSqliteStore({ directory: ${JSON.stringify(world.directory)} });
      const clock = { now: () => 0, sleep: async () => {} };
      const progress = ({ stage, done }) => { if (stage === "train") console.log(done); };
      await trainStudent({ store, clock, progress, task: ${JSON.stringify(onnxTask(world))}, seed: 1, threads: 1 });
    `;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of child.stdout) if (Number(String(line).trim().split("\n").at(-1)) >= 6) break;
    child.kill("SIGKILL");
    await once(child, "exit");
    const continued = await trainStudent(given(world));
    const whole = await trainStudent(given(other));
    expect(continued).toMatchObject({ id: whole.id, sha256: whole.sha256 });
  });

  test.each(ArchitectureName)("trains %s from scratch", async (trainer) => {
    await using world = await openWorld({ train: 24, calibrate: 2, certify: 2 });
    const task = tintTask({ trainer, imageSize: 32, epochs: 1, batchSize: 12 });
    const card = await trainStudent({ ...given(world), task });
    expect(card.history).toHaveLength(1);
    const folder = world.store.models.folder(card.id);
    const model = readOnnx(await readFile(join(folder, "model.onnx")));
    expect(model.graph.nodes.some(({ opType }) => opType === "BatchNormalization")).toBe(false);
    expect(model.metadata).toMatchObject({ task: "classify", names: "{0: 'red', 1: 'green'}", imgsz: "[32, 32]" });
    expect(await predictionsOf(world.store, card.id, "held-out")).toHaveLength(4);
  });

  test("goes on from a model of its own, head and all", async () => {
    await using world = await openWorld({ train: 120, calibrate: 0, certify: 0 });
    const { store } = world;
    const first = await trainStudent(given(world));
    const weights = join(store.models.folder(first.id), "model.onnx");
    await addPhotos(store, "certify", 40);
    const further = await trainStudent(given(world, { weights, epochs: 1, learningRate: 1e-5, finetune: "all" }));
    expect(further).toMatchObject({ trainer: "onnx:tiny", history: [{ epoch: 0 }] });
    const weightOf = async ({ id }: typeof first) => {
      const model = readOnnx(await readFile(join(store.models.folder(id), "model.onnx")));
      return [...(model.graph.initialisers.get("head.weight")!.data as Float32Array)];
    };
    const [before, after] = [await weightOf(first), await weightOf(further)];
    expect(after).not.toEqual(before);
    before.forEach((value, index) => {
      expect(after[index]).toBeCloseTo(value, 2);
    });
  });

  test("says what is missing", async () => {
    await using world = await openWorld({ train: 0, calibrate: 0, certify: 0 });
    await expect(trainStudent(given(world))).rejects.toMatchObject({ code: "no_training_rows" });
    const [red] = await addPhotos(world.store, "train", 1);
    await expect(trainStudent(given(world))).rejects.toMatchObject({ code: "one_class_only" });
    await world.store.labels.put([{ rowId: red!.id, value: "blue", weight: 1, basis: "person", at: 2 }]);
    await expect(trainStudent(given(world))).rejects.toMatchObject({ code: "unknown_label" });
    await addPhotos(world.store, "train", 8);
    const silent = onnxTask(world, { normalisation: undefined });
    await expect(trainStudent({ ...given(world), task: silent })).rejects.toMatchObject({
      code: "unknown_preprocessing",
    });
    const nameless = tintTask({ trainer: "onnx" });
    await expect(trainStudent({ ...given(world), task: nameless })).rejects.toMatchObject({
      code: "student_bad_option",
    });
    const unknown = tintTask({ trainer: "resnet" });
    await expect(trainStudent({ ...given(world), task: unknown })).rejects.toMatchObject({ code: "unknown_trainer" });
  });
});

describe("held-out predictions", () => {
  test("are added for rows that have come since", async () => {
    await using world = await openWorld({ train: 20, calibrate: 2, certify: 2 });
    const { store } = world;
    const { task } = given(world, { finetune: "head" });
    const card = await trainStudent({ ...given(world), task });
    const options = { store, task, card, folder: store.models.folder(card.id), threads: 1 };
    expect(await predictHeldOut(options)).toBe(0);
    await addPhotos(store, "certify", 5);
    expect(await predictHeldOut(options)).toBe(3);
    expect(await predictionsOf(store, card.id, "held-out")).toHaveLength(7);
  });
});

describe("a loaded student", () => {
  test("says of a batch what it says of its images one by one", async () => {
    await using world = await openWorld({ train: 40, calibrate: 6, certify: 0 });
    const card = await trainStudent(given(world, { finetune: "head" }));
    await using student = await loadImageStudent(world.store.models.folder(card.id), { threads: 1 });
    const rows = await Array.fromAsync(world.store.rows.list({ split: "calibrate" }));
    const batch = await Promise.all(
      rows.map(async ({ input }) => {
        const bytes = input.kind === "image" ? await world.store.blobs.get(input.blob) : new Uint8Array();
        return { kind: "image", bytes, mediaType: "image/png" } as const;
      }),
    );
    const together = await student.predictLogits(batch);
    // Copies, for a student remembers what it has said of an input.
    const alone = await Promise.all(batch.map((each) => student.predictLogits([{ ...each }])));
    expect(together).toEqual(Float32Array.from(alone.flatMap((logits) => [...logits])));
    const noveltyAlone = await Promise.all(batch.map((each) => student.novelty!([{ ...each }])));
    expect(await student.novelty!(batch)).toEqual(Float32Array.from(noveltyAlone.flatMap((one) => [...one])));
    expect(await student.novelty!(batch.toReversed())).toEqual((await student.novelty!(batch)).toReversed());
    const stored = await predictionsOf(world.store, card.id, "held-out");
    expect(stored.map(({ logits }) => logits)).toEqual(alone);
    expect(stored.map(({ novelty }) => novelty)).toEqual(noveltyAlone.map(([novelty]) => novelty));
    const tensor = Float32Array.from({ length: 3 * 256 }, (_, index) => {
      const [channel, pixel] = [Math.floor(index / 256), index % 256];
      return tintedPixels(0, "x")[3 * pixel + channel]! / 127.5 - 1;
    });
    expect(await student.predictTensor(tensor)).toHaveLength(2);
    await expect(student.predictLogits([{ kind: "text", text: "red" }])).rejects.toMatchObject({
      code: "student_wrong_input",
    });
  });

  test.each([
    ["a head alone", { finetune: "head" }],
    ["a whole network", { finetune: "all", epochs: 1 }],
    ["a network from scratch", { trainer: "mobilenet-v3-small", weights: undefined, imageSize: 32, epochs: 1 }],
  ])("finds its training photos familiar and others strange: %s", async (_, changes) => {
    await using world = await openWorld({ train: 24, calibrate: 0, certify: 0 });
    const card = await trainStudent(given(world, changes));
    const folder = world.store.models.folder(card.id);
    await using student = await loadImageStudent(folder, { threads: 1 });
    const rows = await Array.fromAsync(world.store.rows.list({ split: "train" }));
    const known = await Promise.all(rows.map(async ({ input }) => await studentInput(input, world.store.blobs)));
    const blue = await sharp({ create: { width: 16, height: 16, channels: 3, background: "#00f" } })
      .png()
      .toBuffer();
    const logits = await student.predictLogits(known);
    const labels = await Promise.all(rows.map(async ({ id }) => (await world.store.labels.get(id))?.value));
    const isRight = (row: number) => (logits[2 * row]! > logits[2 * row + 1]! ? "red" : "green") === labels[row];
    const novelty = await student.novelty!(known);
    const familiar = novelty.filter((_, row) => isRight(row));
    expect(familiar.length).toBeGreaterThan(0);
    expect(Math.max(...familiar)).toBeLessThan(0.01);
    const [strange] = await student.novelty!([{ kind: "image", bytes: blue, mediaType: "image/png" }]);
    expect(strange).toBeGreaterThan(0.1);
    expect(readOnnx(await readFile(join(folder, "model.onnx"))).graph.outputs.map(({ name }) => name)).toEqual([
      "logits",
    ]);
  });

  test("without neighbours, as earlier versions wrote it, takes every photo for familiar", async () => {
    await using world = await openWorld({ train: 20, calibrate: 0, certify: 0 });
    const card = await trainStudent(given(world, { finetune: "head" }));
    const { files } = await readModelFolder(world.store.models.folder(card.id));
    const earlier = new Map([["model.onnx", files.get("model.onnx")!]]);
    await using student = await openImageStudent({ folder: "earlier", card, files: earlier }, { threads: 1 });
    expect(student.novelty).toBeUndefined();
  });

  test("is refused where its neighbours are not those of its network", async () => {
    await using world = await openWorld({ train: 20, calibrate: 0, certify: 0 });
    const card = await trainStudent(given(world, { finetune: "head" }));
    const model = await readModelFolder(world.store.models.folder(card.id));
    const own = model.files.get(neighboursFile)!;
    const features = Float32Array.of(1, 2, 3, 4);
    for (const bytes of [
      own.subarray(0, -1),
      new Uint8Array(),
      writeNeighbours(collectNeighbours(features, Int32Array.of(0, 1, 2))), // of two numbers, not of eight
      writeNeighbours(collectNeighbours(features, Int32Array.of(0, 1, 1, 2))), // of three classes
      writeNeighbours({ ...readNeighbours(own, 2), classStarts: Int32Array.of(0, 30, 20) }),
    ]) {
      const damaged = { ...model, files: new Map([...model.files, [neighboursFile, bytes]]) };
      await expect(openImageStudent(damaged, { threads: 1 })).rejects.toMatchObject({ code: "model_corrupt" });
    }
  });

  test("is refused where its files are missing or damaged", async () => {
    await using world = await openWorld({ train: 20, calibrate: 0, certify: 0 });
    const card = await trainStudent(given(world, { finetune: "head" }));
    const folder = world.store.models.folder(card.id);
    const model = join(folder, "model.onnx");
    const bytes = await readFile(model);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(model, bytes);
    await expect(loadStudent(folder, { threads: 1 })).rejects.toMatchObject({ code: "model_corrupt" });
    await truncate(model, 100);
    await expect(loadStudent(folder, { threads: 1 })).rejects.toMatchObject({ code: "model_corrupt" });
    await writeFile(join(folder, "card.json"), "{");
    await expect(loadStudent(folder, { threads: 1 })).rejects.toMatchObject({ code: "model_corrupt" });
    await expect(loadStudent(join(folder, "absent"), { threads: 1 })).rejects.toMatchObject({ code: "model_missing" });
  });
});
