import fc from "fast-check";
import { expect, test } from "vitest";
import { createRng } from "../../../math/random.ts";
import { argmaxRows } from "../../../math/softmax.ts";
import { openSession } from "../../../onnx/session.ts";
import { floats } from "../../../onnx/tensor.ts";
import { headNetwork } from "./head-network.ts";
import { type Labelled, NEAREST, votesOutOfFold } from "./neighbour-votes.ts";
import { readGolden } from "./testing.ts";

const oneHot = (classIndices: Int32Array, k: number): Float32Array =>
  Float32Array.from({ length: classIndices.length * k }, (_, at) =>
    Number(classIndices[Math.floor(at / k)] === at % k),
  );

function labelled(
  n: number,
  seed: string,
  { width = 5, k = 3 } = {},
): Labelled & { readonly classIndices: Int32Array } {
  const rng = createRng(seed);
  const embeddings = new Float32Array(n * width);
  for (let row = 0; row < n; row++) {
    const own = Float64Array.from({ length: width }, () => rng.normal());
    embeddings.set(
      own.map((value) => value / Math.hypot(...own)),
      row * width,
    );
  }
  const classIndices = Int32Array.from({ length: n }, () => rng.integer(k));
  const targets = oneHot(classIndices, k);
  return { embeddings, width, k, targets, folds: Int32Array.from({ length: n }, (_, row) => row % 4), classIndices };
}

const cosine = ({ embeddings, width }: Labelled, a: number, b: number): number => {
  let sum = 0;
  for (let j = 0; j < width; j++) sum += embeddings[a * width + j]! * embeddings[b * width + j]!;
  return sum;
};

/** Shares of the five nearest rows of other folds, one row at a time. */
function naiveShares(data: Labelled, row: number): number[] {
  const others = [...data.folds.keys()].filter((other) => data.folds[other] !== data.folds[row]);
  const nearest = others.toSorted((a, b) => cosine(data, row, b) - cosine(data, row, a)).slice(0, NEAREST);
  return Array.from({ length: data.k }, (_, c) => {
    return nearest.reduce((sum, other) => sum + data.targets[other * data.k + c]!, 0) / NEAREST;
  });
}

test("a row's votes are those of the five nearest in other folds, none of them impossible", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 20, max: 60 }), fc.string(), async (n, seed) => {
      const data = labelled(n, seed);
      const votes = await votesOutOfFold(data, { threads: 1 });
      for (let row = 0; row < n; row++) {
        naiveShares(data, row).forEach((share, c) => {
          expect(Math.exp(votes[row * data.k + c]!)).toBeCloseTo(0.9 * share + 0.1 / data.k, 5);
        });
      }
    }),
    { numRuns: 10 },
  );
});

test("what a row's own fold says of it is never heard", async () => {
  const data = labelled(40, "apart");
  const before = await votesOutOfFold(data, { threads: 1 });
  const targets = data.targets.slice();
  for (let row = 0; row < 40; row += 4) targets.set([0, 0, 1], row * data.k); // fold 0 tells another story
  const after = await votesOutOfFold({ ...data, targets }, { threads: 1 });
  for (let row = 0; row < 40; row += 4)
    expect(after.slice(row * 3, row * 3 + 3)).toEqual(before.slice(row * 3, row * 3 + 3));
  expect(after).not.toEqual(before);
});

const golden: {
  readonly width: number;
  readonly k: number;
  readonly embeddings: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly votes: readonly (readonly number[])[];
} = readGolden("embedding-head.json");

test("the votes of the head that serves are scikit-learn's, and its novelty is the distance to its own class", async () => {
  const { width, k } = golden;
  const rows = 40;
  const embeddings = Float32Array.from(golden.embeddings.slice(0, rows).flat());
  const classIndices = Int32Array.from(golden.labels.slice(0, rows));
  const targets = oneHot(classIndices, k);
  const linear = { weights: new Float32Array(width * k), bias: new Float32Array(k) };
  const model = headNetwork({
    data: { embeddings, width, k, targets },
    classIndices,
    linear,
    shares: { linear: 1, votes: 1 },
  });
  await using head = await openSession(model, { threads: 1 });
  const asked = golden.embeddings.slice(rows);
  const { logits, novelty } = await head.run({ embeddings: floats(asked.flat(), [asked.length, width]) });
  const votes = Float64Array.from(logits!.data as Float32Array, Math.exp);
  golden.votes.flat().forEach((share, index) => {
    expect(votes[index]).toBeCloseTo(0.9 * share + 0.1 / k, 5);
  });
  const said = argmaxRows(logits!.data as Float32Array, k);
  asked.forEach((own, row) => {
    const cosines = golden.embeddings
      .slice(0, rows)
      .filter((_, other) => classIndices[other] === said[row])
      .map((other) => own.reduce((sum, value, j) => sum + value * other[j]!, 0));
    const nearest = cosines.toSorted((a, b) => b - a).slice(0, NEAREST);
    const expected = 1 - nearest.reduce((sum, value) => sum + Math.max(0, value), 0) / NEAREST;
    expect(Number(novelty!.data[row])).toBeCloseTo(expected, 4);
  });
});
