import { expect, test } from "vitest";
import { createRng } from "../../../math/random.ts";
import { logSoftmax, softmax } from "../../../math/softmax.ts";
import { type HeadData, type LinearHead, openHeadFitter } from "./fit-head.ts";
import { readGolden } from "./testing.ts";

const golden: {
  readonly atol: number;
  readonly width: number;
  readonly k: number;
  readonly embeddings: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly weights: readonly number[];
  readonly logistic: Readonly<Record<string, readonly (readonly number[])[]>>;
} = readGolden("embedding-head.json");
const { width, k } = golden;

const data: HeadData = {
  embeddings: Float32Array.from(golden.embeddings.flat()),
  width,
  k,
  targets: Float32Array.from(
    golden.labels.flatMap((label) => Array.from({ length: k }, (_, c) => Number(c === label))),
  ),
  weights: Float64Array.from(golden.weights),
};

/** `[n, k]`, number by number. */
function logitsOf({ embeddings, weights }: HeadData, head: LinearHead): Float64Array {
  return Float64Array.from({ length: weights.length * k }, (_, index) => {
    const [row, c] = [Math.floor(index / k), index % k];
    let sum = head.bias[c]!;
    for (let j = 0; j < width; j++) sum += embeddings[row * width + j]! * head.weights[j * k + c]!;
    return sum;
  });
}

function objective(own: HeadData, head: LinearHead, penalty: number): number {
  const logs = logSoftmax(logitsOf(own, head), k);
  const total = own.weights.reduce((sum, weight) => sum + weight, 0);
  const loss = logs.reduce(
    (sum, log, index) => sum - own.weights[Math.floor(index / k)]! * own.targets[index]! * log,
    0,
  );
  const squares = head.weights.reduce((sum, weight) => sum + weight ** 2, 0);
  return loss / total + (penalty / 2) * (squares / width);
}

test.each(Object.entries(golden.logistic))(
  "with penalty %s it says what scikit-learn says",
  async (penalty, expected) => {
    await using fitter = await openHeadFitter(data, { threads: 1 });
    const head = await fitter.fit(Number(penalty));
    const probabilities = softmax(logitsOf(data, head), k);
    expected.flat().forEach((value, index) => {
      expect(Math.abs(probabilities[index]! - value)).toBeLessThanOrEqual(golden.atol);
    });
  },
);

test("nowhere near is the objective lower, of soft targets too", async () => {
  const targets = softmax(data.targets, k, 0.5);
  const soft: HeadData = { ...data, targets: Float32Array.from(targets) };
  await using fitter = await openHeadFitter(soft, { threads: 1 });
  const head = await fitter.fit(0.03);
  const least = objective(soft, head, 0.03);
  const rng = createRng("around");
  for (let trial = 0; trial < 50; trial++) {
    const moved = {
      weights: head.weights.map((weight) => weight + 0.05 * rng.normal()),
      bias: head.bias.map((bias) => bias + 0.05 * rng.normal()),
    };
    expect(objective(soft, moved, 0.03)).toBeGreaterThan(least);
  }
});

test("rows left out, and rows of weight 0, teach nothing", async () => {
  await using whole = await openHeadFitter(data, { threads: 1 });
  const isUsed = (row: number): boolean => row % 3 !== 0;
  const head = await whole.fit(0.1, { isUsed });
  await using weighed = await openHeadFitter(
    { ...data, weights: data.weights.map((weight, row) => (isUsed(row) ? weight : 0)) },
    { threads: 1 },
  );
  const other = await weighed.fit(0.1);
  const nonsense = data.embeddings.map((value, index) => (isUsed(Math.floor(index / width)) ? value : 9));
  await using blind = await openHeadFitter({ ...data, embeddings: nonsense }, { threads: 1 });
  const third = await blind.fit(0.1, { isUsed });
  expect(other).toEqual(head);
  third.weights.forEach((weight, index) => {
    expect(weight).toBeCloseTo(head.weights[index]!, 4);
  });
});
