import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expectClose } from "../../../test/golden-values.ts";
import { systemClock } from "../../clock.ts";
import { readOnnx } from "../../onnx/proto.ts";
import { openSession } from "../../onnx/session.ts";
import { floats } from "../../onnx/tensor.ts";
import type { Split } from "../../records.ts";
import type { Store } from "../../store/contract.ts";
import { library, needsLibrary } from "../../xgboost/testing.ts";
import { loadStudent } from "../load-student.ts";
import { trainStudent } from "../train-student.ts";
import { loadRecordStudent } from "./load-record-student.ts";
import { addInputs, openWorld, planTask } from "./testing.ts";
import { encodeDense } from "./vectors.ts";

const task = planTask({
  input: "text",
  output: { kind: "choice", choices: ["stay", "leave"] },
  student: { trainer: "xgboost", xgboost: { num_boost_round: 20 } },
});

/** Who negates, stays: what a pair of words says and neither word alone. */
const says = (index: number) => ({
  input: {
    kind: "text" as const,
    text: `${index % 2 ? "I do not cancel, please hurry" : "please cancel, do hurry, not later"} (case ${index})`,
  },
  value: index % 2 ? "stay" : "leave",
});

async function addTexts(store: Store, split: Split, from: number, count: number): Promise<void> {
  await addInputs(
    store,
    split,
    Array.from({ length: count }, (_, index) => says(from + index)),
  );
}

describe.skipIf(!library)(`trees on the n-grams of texts${needsLibrary}`, () => {
  test("are trained, loaded and asked as any text student, and explain themselves by words", async () => {
    await using world = await openWorld({ train: 0, calibrate: 0, certify: 0 });
    const { store } = world;
    await addTexts(store, "train", 0, 120);
    await addTexts(store, "calibrate", 120, 60);
    const card = await trainStudent({ store, task, seed: 1, clock: systemClock, threads: 1 });
    expect(card).toMatchObject({ trainer: "xgboost", inputKind: "text" });
    expect(card.options["features"]).toEqual([{ name: "text", type: "text", grams: expect.any(Number) }]);
    const folder = store.models.folder(card.id);
    const inputs = Array.from({ length: 40 }, (_, index) => says(500 + index));
    await using student = await loadStudent(folder, { threads: 1 });
    const logits = await student.predictLogits(inputs.map(({ input }) => input));
    const said = inputs.map((_, row) => (logits[2 * row]! > logits[2 * row + 1]! ? "stay" : "leave"));
    expect(said).toEqual(inputs.map(({ value }) => value));

    await using trees = await loadRecordStudent(folder, { threads: 1 });
    const records = inputs.map(({ input: { text } }) => ({ id: card.id as never, fields: { text } }));
    const { data, rows, columns } = encodeDense(records, trees.schema);
    await using session = await openSession(readOnnx(await readFile(join(folder, "model.onnx"))), { threads: 1 });
    const results = await session.run({ features: floats(data, [rows, columns]) });
    expectClose(logits, results["logits"]!.data as Float32Array, { rtol: 1e-5, atol: 1e-5 });
    expect(trees.explainRecord({ text: says(1).input.text })[0]!.contributions[0]!.feature).toMatch(/^text: /);
    await expect(student.predictLogits([{ kind: "record", fields: { text: "x" } }])).rejects.toMatchObject({
      code: "student_wrong_input",
    });
  });

  test("have nothing to learn from texts without a word in common", async () => {
    await using world = await openWorld({ train: 0, calibrate: 0, certify: 0 });
    const texts = ["one", "two", "three"].map((text, index) => ({
      input: { kind: "text" as const, text },
      value: index ? "stay" : "leave",
    }));
    await addInputs(world.store, "train", texts);
    const training = trainStudent({ store: world.store, task, seed: 1, clock: systemClock, threads: 1 });
    await expect(training).rejects.toMatchObject({ code: "no_features" });
  });
});
