import { describe, expect, test } from "vitest";
import { createRng, shuffle } from "../../math/random.ts";
import { meanLogLoss } from "../mean-log-loss.ts";
import { chooseHead, type HeadData } from "./head.ts";

/** Two informative features of wildly different scale, one constant, the rest noise. */
function data(rows: number, seed: number): HeadData {
  const [rng, width] = [createRng(seed), 12];
  const classIndices = Array.from({ length: rows }, (_, row) => row % 3);
  const features = Float32Array.from({ length: rows * width }, (_, index) => {
    const classIndex = classIndices[Math.floor(index / width)]!;
    const column = index % width;
    if (column === 0) return 1000 * (classIndex + 0.5 * rng.normal());
    if (column === 1) return 0.001 * ((classIndex === 1 ? 1 : 0) + 0.3 * rng.normal());
    return column === 2 ? 7 : rng.normal();
  });
  const oneHot = (classIndex: number) => Float32Array.from([0, 1, 2], (c) => (c === classIndex ? 1 : 0));
  return {
    features,
    width,
    classes: 3,
    rows: classIndices.map((c) => ({ target: oneHot(c), classIndex: c, weight: 1 })),
  };
}

const argMax = (values: Float32Array): number => values.indexOf(Math.max(...values));

const share = (rows: HeadData["rows"], logits: Float32Array): number =>
  rows.filter(({ classIndex }, row) => argMax(logits.subarray(3 * row, 3 * row + 3)) === classIndex).length /
  rows.length;

describe("a head", async () => {
  const options = { seed: 1, threads: 1 };
  const train = data(240, 1);
  const { head, outOfFold } = await chooseHead(train, options);

  test("works on the features as they are, whatever their scale", () => {
    const fresh = data(300, 2);
    const logits = Float32Array.from({ length: 900 }, (_, index) => {
      const [row, c] = [Math.floor(index / 3), index % 3];
      const own = fresh.features.subarray(row * 12, row * 12 + 12);
      return own.reduce((sum, value, j) => sum + value * head.weights[c * 12 + j]!, head.bias[c]!);
    });
    expect(share(fresh.rows, logits)).toBeGreaterThan(0.85);
  });

  test("tells out of fold what it would have told of rows it never saw", async () => {
    expect(share(train.rows, outOfFold)).toBeGreaterThan(0.85);
    const shuffled = { ...train, rows: shuffle(train.rows, createRng(3)) };
    const { outOfFold: blind } = await chooseHead(shuffled, options);
    expect(share(shuffled.rows, blind)).toBeLessThan(0.5);
  });

  test("does not listen to rows without weight", async () => {
    const half = train.rows.map((row, index) => ({ ...row, weight: index < 120 ? 1 : 0 }));
    const lying = half.map((row) => (row.weight > 0 ? row : { ...row, target: Float32Array.from([1, 0, 0]) }));
    const { head: honest } = await chooseHead({ ...train, rows: half }, options);
    const { head: told } = await chooseHead({ ...train, rows: lying }, options);
    expect(told.weights).toEqual(honest.weights);
  });

  test("the log loss of uniform logits is ln K", () => {
    expect(meanLogLoss(train, new Float32Array(720))).toBeCloseTo(Math.log(3), 12);
  });
});
