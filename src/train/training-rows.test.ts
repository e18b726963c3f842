import { expect, test } from "vitest";
import { type Label, type Row, rowId } from "../records.ts";
import { addPhotos, openWorld, tintTask } from "./testing.ts";
import { readTrainingSet, readValidationRows } from "./training-rows.ts";

const label = (row: Row, changes: Partial<Label> = {}): Label => ({
  rowId: row.id,
  value: "red",
  weight: 1,
  basis: "agreed",
  at: 1,
  ...changes,
});

test("weights are label weight times propensity weight, at most ten, with mean 1", async () => {
  await using world = await openWorld({ train: 0, calibrate: 0, certify: 0 });
  const rows = await addPhotos(world.store, "train", 2);
  const rare = { ...rows[0]!, id: rowId("e".repeat(64)), uniform: false, propensity: 0.01 };
  await world.store.rows.put([rare]);
  await world.store.labels.put([
    label(rows[0]!, { weight: 0.5 }),
    label(rows[1]!, { value: "green" }),
    label(rare, { weight: 0.8 }),
  ]);
  const set = await readTrainingSet(world.store, tintTask());
  const weights = new Map(set.rows.map(({ id, weight }) => [id, weight]));
  expect(weights.get(rows[1]!.id)! / weights.get(rows[0]!.id)!).toBeCloseTo(2);
  expect(weights.get(rare.id)! / weights.get(rows[0]!.id)!).toBeCloseTo((0.8 * 10) / 0.5);
  expect([...weights.values()].reduce((sum, weight) => sum + weight, 0) / 3).toBeCloseTo(1);
});

test("what passes disagree about becomes a soft target", async () => {
  await using world = await openWorld({ train: 2, calibrate: 0, certify: 0 });
  const [row] = await addPhotos(world.store, "train", 1);
  await world.store.labels.put([label(row!, { basis: "split", distribution: { red: 0.75, green: 0.25 } })]);
  const { rows } = await readTrainingSet(world.store, tintTask());
  const target = rows.find(({ id }) => id === row!.id)!.target;
  expect([...target]).toEqual([0.75, 0.25]);
});

test("only the train split trains, and the hash tells data apart", async () => {
  await using world = await openWorld({ train: 6, calibrate: 4, certify: 4 });
  const set = await readTrainingSet(world.store, tintTask());
  expect(set.rows).toHaveLength(6);
  expect((await readTrainingSet(world.store, tintTask())).hash).toBe(set.hash);
  const fewer = await readTrainingSet(world.store, tintTask(), ({ id }) => id !== set.rows[0]!.id);
  expect(fewer.rows).toHaveLength(5);
  expect(fewer.hash).not.toBe(set.hash);
  await world.store.labels.put([label({ id: set.rows[0]!.id } as Row, { value: "green", basis: "person" })]);
  expect((await readTrainingSet(world.store, tintTask())).hash).not.toBe(set.hash);
});

test("early stopping watches uniform calibrate rows, where there are enough", async () => {
  await using world = await openWorld({ train: 2, calibrate: 49, certify: 60 });
  expect(await readValidationRows(world.store, tintTask())).toEqual([]);
  await addPhotos(world.store, "calibrate", 55);
  const rows = await readValidationRows(world.store, tintTask());
  const calibrate = await Array.fromAsync(world.store.rows.list({ split: "calibrate" }));
  expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(calibrate.map(({ id }) => id)));
});
