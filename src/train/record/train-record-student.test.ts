import { readdir, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expectClose } from "../../../test/golden-values.ts";
import { systemClock } from "../../clock.ts";
import { readOnnx } from "../../onnx/proto.ts";
import { openSession } from "../../onnx/session.ts";
import { floats } from "../../onnx/tensor.ts";
import type { ModelCard, Prediction } from "../../records.ts";
import type { Store } from "../../store/contract.ts";
import type { Task } from "../../task.ts";
import { createBooster } from "../../xgboost/booster.ts";
import { createMatrix } from "../../xgboost/matrix.ts";
import { library, needsLibrary } from "../../xgboost/testing.ts";
import { readModelFolder } from "../load-student.ts";
import { neighboursFile } from "../neighbours-file.ts";
import { trainStudent } from "../train-student.ts";
import { loadRecordStudent, openRecordStudent } from "./load-record-student.ts";
import { readNeighbours, writeNeighbours } from "./neighbours.ts";
import { addRecords, customer, openWorld, plans, planTask, type World } from "./testing.ts";
import { described } from "./training-table.ts";
import { encodeDense, encodeRecords } from "./vectors.ts";

const given = ({ store }: World, task: Task = planTask()) => ({ store, task, seed: 1, clock: systemClock, threads: 1 });
const small = (xgboost: object = {}) => planTask({ student: { xgboost: { num_boost_round: 20, ...xgboost } } });

async function predictionsOf(store: Store, { id }: ModelCard, basis: Prediction["basis"]) {
  return await Array.fromAsync(store.predictions.ofModel(id, basis));
}

async function accuracyOf(store: Store, predictions: readonly Prediction[]): Promise<number> {
  const right = await Promise.all(
    predictions.map(async ({ rowId, logits }) => {
      const best = logits.indexOf(Math.max(...logits));
      return (await store.labels.get(rowId))?.value === plans[best];
    }),
  );
  return right.filter(Boolean).length / right.length;
}

describe.skipIf(!library)(`training on records${needsLibrary}`, () => {
  test("keeps the trees of its folds as a committee where it is asked to, and is the same student for all that", async () => {
    await using one = await openWorld({ train: 250, calibrate: 60, certify: 60 });
    await using other = await openWorld({ train: 250, calibrate: 60, certify: 60 });
    const xgboost = { num_boost_round: 20 };
    const plain = await trainStudent(given(one, planTask({ student: { xgboost } })));
    const card = await trainStudent(given(other, planTask({ student: { xgboost, committee: "folds" } })));
    expect(card.id).not.toBe(plain.id);
    expect(card).toMatchObject({ members: 5, files: { "member-1.onnx": expect.any(String) } });
    const heldOut = await predictionsOf(other.store, card, "held-out");
    expect(heldOut.map(({ logits }) => logits)).toEqual(
      (await predictionsOf(one.store, plain, "held-out")).map(({ logits }) => logits),
    );
    const dissents = heldOut.map(({ dissent }) => dissent!);
    expect(Math.min(...dissents)).toBe(0);
    expect(Math.max(...dissents)).toBeGreaterThan(0);
    expect(Math.max(...dissents)).toBeLessThanOrEqual(5);
    await using student = await loadRecordStudent(other.store.models.folder(card.id), { threads: 1 });
    const inputs = ["a", "b", "c", "d"].map((name) => ({ kind: "record", fields: customer(name).fields }) as const);
    const together = await student.committee!.dissent(inputs);
    const alone = await Promise.all(inputs.map((input) => student.committee!.dissent([input])));
    expect([...together]).toEqual(alone.flatMap((dissent) => [...dissent]));
  });

  test("leaves a model, its schema, its trees, held-out and out-of-fold predictions", async () => {
    await using world = await openWorld({ train: 500, calibrate: 100, certify: 200 });
    const { store } = world;
    const card = await trainStudent(given(world));
    expect(card).toMatchObject({ trainer: "xgboost", inputKind: "record", classes: plans, trainingRows: 500 });
    expect(card.options).toMatchObject({
      validationRows: 100,
      features: [
        { name: "age", type: "number" },
        { name: "contract", type: "category", categories: 3 },
        { name: "spending", type: "number" },
        { name: "student", type: "boolean" },
      ],
      ignored: [{ name: "customerId" }],
    });
    expect(card.options["warnings"]).toEqual([expect.stringMatching(/"customerId" is ignored: it is nearly unique/)]);
    expect(Object.keys(card.options["gain"] ?? {}).sort()).toEqual(["age", "contract", "spending", "student"]);
    expect(
      Object.keys(card.options["shap"] ?? {})
        .slice(0, 2)
        .sort(),
    ).toEqual(["contract", "spending"]);
    expect(card.options["rounds"]).toBeLessThan(200);
    expect(card.history.length).toBeGreaterThan(Number(card.options["rounds"]));
    expect((await readdir(store.models.folder(card.id))).sort()).toEqual([
      "booster.ubj",
      "card.json",
      "features.json",
      "model.onnx",
      "neighbours.safetensors",
    ]);
    const heldOut = await predictionsOf(store, card, "held-out");
    expect(heldOut).toHaveLength(300);
    expect(heldOut.every(({ novelty }) => novelty! >= 0 && novelty! < 0.5)).toBe(true);
    expect(await accuracyOf(store, heldOut)).toBeGreaterThan(0.75);
    const outOfFold = await predictionsOf(store, card, "out-of-fold");
    expect(outOfFold).toHaveLength(500);
    expect(Math.abs((await accuracyOf(store, outOfFold)) - (await accuracyOf(store, heldOut)))).toBeLessThan(0.1);
  });

  test("is served in process as by ONNX Runtime, by the library, and one by one", async () => {
    await using world = await openWorld({ train: 200, calibrate: 0, certify: 0 });
    const card = await trainStudent(given(world, small()));
    const folder = world.store.models.folder(card.id);
    await using student = await loadRecordStudent(folder, { threads: 1 });
    const inputs = Array.from({ length: 100 }, (_, index) => ({
      kind: "record" as const,
      fields: customer(`new-${index}`).fields,
    }));
    const logits = await student.predictLogits(inputs);
    expect(logits).toEqual(Float32Array.from(inputs.flatMap(({ fields }) => [...student.predictRecord(fields)])));

    const records = inputs.map(({ fields }) => ({ id: card.id as never, fields }));
    const { data, rows, columns } = encodeDense(records, student.schema);
    const model = readOnnx(await readFile(join(folder, "model.onnx")));
    await using session = await openSession(model, { threads: 1 });
    const results = await session.run({ features: floats(data, [rows, columns]) });
    expectClose(logits, results["logits"]!.data as Float32Array, { rtol: 1e-5, atol: 1e-5 });
    expect(JSON.parse(model.metadata["flywheel.features"]!)).toEqual(student.schema.features);

    const { fields } = inputs[0]!;
    const explained = student.explainRecord(fields);
    expect(explained.map(({ label }) => label)).toEqual(plans);
    const sums = explained.map(({ bias, contributions }) =>
      contributions.reduce((sum, each) => sum + each.contribution, bias),
    );
    expectClose(sums, student.predictRecord(fields), { rtol: 1e-4, atol: 1e-4 });
  });

  test("finds records strange that are unlike those of their class", async () => {
    await using world = await openWorld({ train: 300, calibrate: 0, certify: 0 });
    const card = await trainStudent(given(world, small()));
    const folder = world.store.models.folder(card.id);
    await using student = await loadRecordStudent(folder, { threads: 1 });
    const inputs = Array.from({ length: 60 }, (_, index) => ({
      kind: "record" as const,
      fields: customer(`new-${index}`).fields,
    }));
    const novelty = await student.novelty!(inputs);
    expect(await student.novelty!(inputs.toReversed())).toEqual(novelty.toReversed());
    expect(novelty).toEqual(Float32Array.from(inputs, ({ fields }) => student.noveltyOf!(fields)));
    const usual = novelty.toSorted();
    const { fields } = customer("new-1");
    const strange = [
      { ...fields, spending: 1e6 },
      { ...fields, contract: "for ever" },
      { ...fields, age: -400, spending: null },
    ];
    for (const one of strange) expect(student.noveltyOf!(one)).toBeGreaterThan(usual[57]!);
    expect(student.noveltyOf!({ ...fields, spending: 1e9 })).toBeGreaterThan(student.noveltyOf!(strange[0]!));
    // What no tree looks at makes nobody strange, and what cannot be read is counted once.
    expect(student.noveltyOf!({ ...fields, customerId: "?" })).toBe(student.noveltyOf!(fields));
    expect(student.unread.categories.size).toBe(0);
    await expect(student.novelty!([{ kind: "record", fields: { ...fields, age: "old" } }])).rejects.toMatchObject({
      code: "feature_type_changed",
    });
  });

  test("is refused where its neighbours are not those of its schema; without them every record is familiar", async () => {
    await using world = await openWorld({ train: 100, calibrate: 0, certify: 0 });
    const card = await trainStudent(given(world, small()));
    const model = await readModelFolder(world.store.models.folder(card.id));
    const own = readNeighbours(model.files.get(neighboursFile)!, plans.length);
    expect(readNeighbours(writeNeighbours(own), plans.length)).toEqual(own);
    const columns = own.columns.map((column) => column + 3);
    for (const bytes of [
      new Uint8Array(9),
      writeNeighbours({ ...own, columns }),
      writeNeighbours({ ...own, classStarts: own.classStarts.subarray(1) }),
      writeNeighbours({ ...own, classStarts: own.classStarts.toReversed() }),
      writeNeighbours({ ...own, values: own.values.map(() => Number.POSITIVE_INFINITY) }),
    ]) {
      const damaged = { ...model, files: new Map([...model.files, [neighboursFile, bytes]]) };
      await expect(openRecordStudent(damaged, { threads: 1 })).rejects.toMatchObject({ code: "model_corrupt" });
    }
    const earlier = { ...model, files: new Map([...model.files].filter(([name]) => name !== neighboursFile)) };
    await using student = await openRecordStudent(earlier, { threads: 1 });
    expect([student.novelty, student.noveltyOf]).toEqual([undefined, undefined]);
  });

  test("of two classes gives the logit of the second", async () => {
    await using world = await openWorld({ train: 0, calibrate: 0, certify: 0 });
    const columns = { keep: ["n"] };
    const task = planTask({ output: { kind: "predicate" }, columns, student: { xgboost: { num_boost_round: 10 } } });
    const rows = Array.from({ length: 100 }, (_, n) => ({ fields: { n }, value: String(n < 50) }));
    await addRecords(world.store, "train", rows);
    const card = await trainStudent(given(world, task));
    await using student = await loadRecordStudent(world.store.models.folder(card.id), { threads: 1 });
    const [sure, opposite] = [student.predictRecord({ n: 3 }), student.predictRecord({ n: 90 })];
    expect(card.classes).toEqual(["true", "false"]);
    expect([sure[0], opposite[0]]).toEqual([0, 0]);
    expect([sure[1]! < 0, opposite[1]! > 0]).toEqual([true, true]);
    expect(student.explainRecord({ n: 3 })).toMatchObject([{ label: "false", contributions: [{ feature: "n" }] }]);
  });

  test.each([
    ["goes on", {}, 6],
    ["starts again where it draws rows or columns", { subsample: 0.8, colsample_bynode: 0.7 }, 1],
  ])("that is stopped %s, to the model that it would have made", async (_how, sampled, firstRound) => {
    await using world = await openWorld({ train: 300, calibrate: 60, certify: 0 });
    await using other = await openWorld({ train: 300, calibrate: 60, certify: 0 });
    const task = small(sampled);
    const stop = new AbortController();
    const progress = ({ stage, done }: { readonly stage: string; readonly done: number }) => {
      if (stage === "train" && done === 5) stop.abort();
    };
    await expect(trainStudent({ ...given(world, task), progress, signal: stop.signal })).rejects.toMatchObject({
      code: "training_interrupted",
      retryable: true,
    });
    const stages: number[] = [];
    const continued = await trainStudent({
      ...given(world, task),
      progress: ({ stage, done }) => {
        if (stage === "train") stages.push(done);
      },
    });
    expect(stages[0]).toBe(firstRound);
    const whole = await trainStudent(given(other, task));
    expect(continued).toMatchObject({ id: whole.id, sha256: whole.sha256, history: whole.history });
  });

  test("finds the model that the same inputs have made; other parameters make another", async () => {
    await using world = await openWorld({ train: 60, calibrate: 0, certify: 0 });
    const first = await trainStudent(given(world, small()));
    expect(await trainStudent(given(world, small()))).toEqual(first);
    expect((await trainStudent(given(world, small({ max_depth: 2 })))).id).not.toBe(first.id);
  });

  test("weighs soft targets and labels of little weight", async () => {
    await using world = await openWorld({ train: 0, calibrate: 0, certify: 0 });
    const soft = { distribution: { basic: 0.7, family: 0.3 }, basis: "split" } as const;
    await addRecords(world.store, "train", [
      ...Array.from({ length: 60 }, (_, n) => ({ fields: { n, side: "left" }, value: "basic", label: soft })),
      ...Array.from({ length: 60 }, (_, n) => ({ fields: { n, side: "right" }, value: "plus" })),
    ]);
    const task = planTask({ student: { xgboost: { num_boost_round: 60, lambda: 0, min_child_weight: 0 } } });
    const card = await trainStudent(given(world, task));
    await using student = await loadRecordStudent(world.store.models.folder(card.id), { threads: 1 });
    const exponentials = student.predictRecord({ n: 30, side: "left" }).map(Math.exp);
    const sum = exponentials.reduce((a, b) => a + b);
    expect(exponentials[0]! / sum).toBeCloseTo(0.7, 1);
    expect(exponentials[1]! / sum).toBeCloseTo(0.3, 1);
  });

  test("reads text and columns together", async () => {
    await using world = await openWorld({ train: 0, calibrate: 0, certify: 0 });
    const says = (index: number) =>
      index % 3 === 0 ? "I want to cancel this [now] <please>" : "how do I pay my bill here";
    const rows = Array.from({ length: 120 }, (_, index) => ({
      fields: { note: `${says(index)}, ticket ${index} of mine`, age: index % 7 },
      value: index % 3 === 0 ? "basic" : index % 7 > 3 ? "plus" : "family",
    }));
    await addRecords(world.store, "train", rows);
    const card = await trainStudent(given(world, small()));
    expect(card.options["features"]).toEqual([
      { name: "age", type: "number" },
      { name: "note", type: "text", grams: expect.any(Number) },
    ]);
    await using student = await loadRecordStudent(world.store.models.folder(card.id), { threads: 1 });
    const fields = { note: "cancel it", age: 6 };
    const logits = student.predictRecord(fields);
    expect(logits.indexOf(Math.max(...logits))).toBe(0);
    const [basic] = student.explainRecord(fields);
    expect(student.explain?.({ kind: "record", fields })).toEqual(student.explainRecord(fields));
    expect(basic!.contributions[0]!.feature).toMatch(/^note: /);
    const sum = basic!.contributions.reduce((total, { contribution }) => total + contribution, basic!.bias);
    expect(sum).toBeCloseTo(logits[0]!, 4);
  });

  test("reads texts and columns together, sparse in training and at serving alike", async () => {
    await using world = await openWorld({ train: 0, calibrate: 0, certify: 0 });
    const polite = ["thank you very much", "please be quick", "good day to you"];
    const rows = Array.from({ length: 300 }, (_, index) => ({
      fields: {
        note: `${index % 2 ? "do not cancel" : "cancel now"}, ${polite[index % 3]}, case ${index}`,
        age: index % 9,
      },
      value: index % 2 === 0 ? "basic" : index % 9 > 4 ? "plus" : "family",
    }));
    await addRecords(world.store, "train", rows);
    const card = await trainStudent(given(world, small()));
    const folder = world.store.models.folder(card.id);
    await using student = await loadRecordStudent(folder, { threads: 1 });
    const records = rows.slice(0, 60).map(({ fields }) => ({ id: card.id as never, fields }));
    const walked = Float32Array.from(records.flatMap(({ fields }) => [...student.predictRecord(fields)]));

    const sparse = encodeRecords(records, student.schema);
    expect(sparse.data).not.toBeInstanceOf(Float32Array);
    using matrix = createMatrix({ ...sparse, ...described(student.schema.features), threads: 1 });
    using booster = createBooster({ model: await readFile(join(folder, "booster.ubj")) });
    expectClose(walked, booster.predict(matrix, "margin").values, { rtol: 1e-5, atol: 1e-5 });

    const { data, rows: count, columns } = encodeDense(records, student.schema);
    await using session = await openSession(readOnnx(await readFile(join(folder, "model.onnx"))), { threads: 1 });
    const results = await session.run({ features: floats(data, [count, columns]) });
    expectClose(walked, results["logits"]!.data as Float32Array, { rtol: 1e-5, atol: 1e-5 });
    expect(Object.keys(card.options["gain"] ?? {})).toEqual(expect.arrayContaining(["age", "note: cancel now"]));
    const shap = Object.entries(card.options["shap"] ?? {}).filter(([name]) => name !== "age");
    expect(shap.every(([, mean]) => Number(mean) > 0)).toBe(true);
  });

  test("keeps to monotone constraints by name", async () => {
    await using world = await openWorld({ train: 200, calibrate: 0, certify: 0 });
    const binary = planTask({
      output: { kind: "choice", choices: ["low", "high"] },
      student: { xgboost: { num_boost_round: 30, monotone_constraints: { spending: 1 } } },
    });
    await using other = await openWorld({ train: 0, calibrate: 0, certify: 0 });
    const noisy = Array.from({ length: 200 }, (_, index) => {
      const { fields } = customer(`m-${index}`);
      return { fields, value: Number(fields["spending"]) + 40 * Math.sin(index) > 50 ? "high" : "low" };
    });
    await addRecords(other.store, "train", noisy);
    const card = await trainStudent(given(other, binary));
    await using student = await loadRecordStudent(other.store.models.folder(card.id), { threads: 1 });
    const margins = Array.from({ length: 100 }, (_, spending) => student.predictRecord({ spending, age: 40 })[1]!);
    margins.slice(1).forEach((margin, index) => {
      expect(margin).toBeGreaterThanOrEqual(margins[index]!);
    });
    const unknown = small({ monotone_constraints: { shoe: 1 } });
    await expect(trainStudent(given(world, unknown))).rejects.toMatchObject({ code: "student_bad_option" });
    const unordered = small({ monotone_constraints: { contract: 1 } });
    await expect(trainStudent(given(world, unordered))).rejects.toMatchObject({
      code: "student_bad_option",
      message: expect.stringContaining("a category"),
    });
  });

  test("predicts nothing of a held-out row that it cannot read: the router would escalate it", async () => {
    await using world = await openWorld({ train: 80, calibrate: 3, certify: 3 });
    await addRecords(world.store, "certify", [{ fields: { age: "old" }, value: "plus" }]);
    const card = await trainStudent(given(world, small()));
    expect(await predictionsOf(world.store, card, "held-out")).toHaveLength(6);
  });

  test("says what is wrong with the rows", async () => {
    await using world = await openWorld({ train: 0, calibrate: 0, certify: 0 });
    const train = () => trainStudent(given(world, small()));
    await expect(train()).rejects.toMatchObject({ code: "no_training_rows" });
    await addRecords(world.store, "train", [{ fields: { n: 1 }, value: "basic" }]);
    await expect(train()).rejects.toMatchObject({ code: "one_class_only" });
    await addRecords(world.store, "train", [{ fields: { n: 3, x: 4 }, value: "plus" }]);
    const card = await train();
    expect(card.options["warnings"]).toEqual(
      ["1 training row:", "no training rows:", "1 training row:"].map((count, index) =>
        expect.stringContaining(`class "${plans[index]}" has ${count}`),
      ),
    );
    await addRecords(world.store, "train", [{ fields: { n: 1e300 }, value: "plus" }]);
    await expect(train()).rejects.toMatchObject({
      code: "feature_not_finite",
      message: expect.stringMatching(/row [0-9a-f]{64}: column "n"/),
    });
    const other = planTask({ student: { trainer: "mobilenet-v2" } });
    await expect(trainStudent(given(world, other))).rejects.toMatchObject({ code: "unknown_trainer" });
  });
});

describe.skipIf(!library)(`a loaded student${needsLibrary}`, () => {
  test("counts what it cannot read, and refuses what it must not guess", async () => {
    await using world = await openWorld({ train: 80, calibrate: 0, certify: 0 });
    const card = await trainStudent(given(world, small()));
    await using student = await loadRecordStudent(world.store.models.folder(card.id), { threads: 1 });
    const warned: string[] = [];
    const listen = ({ message }: Error) => warned.push(message);
    process.on("warning", listen);
    const fields = { age: 30, spending: 20, contract: "monthly", shoe: 43 };
    expect(student.predictRecord({ ...fields, contract: "weekly" })).toEqual(
      student.predictRecord({ age: 30, spending: 20 }),
    );
    student.predictRecord(fields);
    expect([...student.unread.features, ...student.unread.categories]).toEqual([
      ["shoe", 2],
      ["contract", 1],
    ]);
    await new Promise(setImmediate);
    process.off("warning", listen);
    expect(warned.filter((message) => message.includes('"shoe"'))).toHaveLength(1);
    const wrong = [
      { kind: "record", fields },
      { kind: "record", fields: { age: "old" } },
    ] as const;
    await expect(student.predictLogits(wrong)).rejects.toMatchObject({
      code: "feature_type_changed",
      message: expect.stringMatching(/row 2: column "age"/),
    });
    await expect(student.predictLogits([{ kind: "text", text: "x" }])).rejects.toMatchObject({
      code: "student_wrong_input",
    });
  });

  test("is whole or is refused; its trees are XGBoost's own file too", async () => {
    await using world = await openWorld({ train: 80, calibrate: 0, certify: 0 });
    const card = await trainStudent(given(world, small()));
    const folder = world.store.models.folder(card.id);
    using booster = createBooster({ model: await readFile(join(folder, "booster.ubj")) });
    expect(booster.rounds).toBe(20);
    await truncate(join(folder, "features.json"), 100);
    await expect(loadRecordStudent(folder, { threads: 1 })).rejects.toMatchObject({ code: "model_corrupt" });
  });
});
