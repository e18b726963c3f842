import { expect, test } from "vitest";
import { createRng } from "../../../math/random.ts";
import { choosePenalty } from "./choose-penalty.ts";
import { type HeadData, openHeadFitter } from "./fit-head.ts";

const [n, width, k] = [80, 4, 2];
const folds = Int32Array.from({ length: n }, (_, row) => row % 5);

/** Two classes about two directions; `noise`: how far from them. */
function problemOf(noise: number, flipped: (row: number) => boolean = () => false) {
  const rng = createRng("penalty");
  const embeddings = new Float32Array(n * width);
  const truth = Int32Array.from({ length: n }, () => rng.integer(2));
  for (const [row, c] of truth.entries()) {
    const own = Float64Array.from({ length: width }, (_, j) => Number(j === c) + noise * rng.normal());
    embeddings.set(
      own.map((value) => value / Math.hypot(...own)),
      row * width,
    );
  }
  const classIndices = truth.map((c, row) => (flipped(row) ? 1 - c : c));
  const targets = Float32Array.from({ length: n * k }, (_, at) => Number(classIndices[Math.floor(at / k)] === at % k));
  const data: HeadData = { embeddings, width, k, targets, weights: new Float64Array(n).fill(1) };
  return { data, folds, classIndices };
}

async function choose(problem: ReturnType<typeof problemOf>) {
  await using fitter = await openHeadFitter(problem.data, { threads: 1 });
  return await choosePenalty(fitter, problem);
}

test("what is noise is held back more than what is plain", async () => {
  const [plain, noisy] = [await choose(problemOf(0.3)), await choose(problemOf(3))];
  expect(plain.penalty).toBeLessThan(noisy.penalty);
  expect(Math.max(...plain.history.map(({ accuracy }) => accuracy))).toBeGreaterThan(0.9);
});

test("of what was tried, what lost least is taken, and nothing after the first rise is tried", async () => {
  const { penalty, history } = await choose(problemOf(1));
  const losses = history.map(({ loss }) => loss);
  const least = losses.indexOf(Math.min(...losses));
  expect(losses.slice(0, least + 1)).toEqual(losses.slice(0, least + 1).toSorted((a, b) => b - a));
  expect(losses.length - least).toBeLessThanOrEqual(2);
  expect(penalty).toBeGreaterThan(0);
});

test("the labels of a fold have no part in what is said of it", async () => {
  const flipped = (row: number): boolean => folds[row] === 3;
  await using one = await openHeadFitter(problemOf(1).data, { threads: 1 });
  await using other = await openHeadFitter(problemOf(1, flipped).data, { threads: 1 });
  const isUsed = (row: number): boolean => folds[row] !== 3;
  expect(await other.fit(0.03, { isUsed })).toEqual(await one.fit(0.03, { isUsed }));
  const stopped = choosePenalty(one, problemOf(1), { signal: AbortSignal.abort(new Error("enough")) });
  await expect(stopped).rejects.toMatchObject({ code: "training_interrupted", retryable: true });
});

test("where the search begins does not change where it ends", async () => {
  const { data } = problemOf(1);
  await using fitter = await openHeadFitter(data, { threads: 1 });
  const cold = await fitter.fit(0.01);
  const warm = await fitter.fit(0.01, { start: await fitter.fit(0.3) });
  cold.weights.forEach((weight, index) => {
    expect(warm.weights[index]).toBeCloseTo(weight, 2);
  });
});
