import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { dawidSkene } from "./dawid-skene.ts";
import { createRng } from "./random.ts";
import { argmaxRows } from "./softmax.ts";

type Case = {
  readonly n: number;
  readonly w: number;
  readonly k: number;
  readonly row: number[];
  readonly annotator: number[];
  readonly label: number[];
  readonly gold: number[];
  readonly posterior: number[];
  readonly confusion: number[];
  readonly iterations: number;
};

/** Three annotators over `nRows` rows of two classes, right with the probability given; the third always says 0. */
function simulate(nRows: number, accuracy: readonly [number, number]) {
  const rng = createRng("dawid-skene");
  const truth = Int32Array.from({ length: nRows }, () => rng.integer(2));
  const said = [...truth].flatMap((right, row) => [
    { row, annotator: 0, label: rng.next() < accuracy[0] ? right : 1 - right },
    { row, annotator: 1, label: rng.next() < accuracy[1] ? right : 1 - right },
    { row, annotator: 2, label: 0 },
  ]);
  const column = (of: "row" | "annotator" | "label") => Int32Array.from(said, (annotation) => annotation[of]);
  const input = {
    nRows,
    nAnnotators: 3,
    k: 2,
    row: column("row"),
    annotator: column("annotator"),
    label: column("label"),
  };
  return { truth, input };
}

describe("Dawid–Skene", () => {
  test("agrees with the formulae in NumPy, gold clamped", () => {
    const golden = readGolden<Case>("math-dawid-skene");
    const { n, w, k, row, annotator, label, gold, posterior, confusion, iterations } = golden.cases;
    const fit = dawidSkene({
      nRows: n,
      nAnnotators: w,
      k,
      row: Int32Array.from(row),
      annotator: Int32Array.from(annotator),
      label: Int32Array.from(label),
      gold: Int32Array.from(gold),
    });
    expectClose(fit.posterior, posterior, golden);
    expectClose(fit.confusion, confusion, golden);
    expect([fit.iterations, fit.converged]).toEqual([iterations, true]);
  });

  test("gold tells it whom to believe: a majority of the useless is overruled", () => {
    const { truth, input } = simulate(600, [0.95, 0.5]);
    const accuracy = (gold: Int32Array) => {
      const answers = argmaxRows(dawidSkene({ ...input, gold }).posterior, 2);
      return answers.reduce((right, answer, row) => right + Number(answer === truth[row]), 0) / truth.length;
    };
    const gold = truth.map((right, row) => (row % 10 === 0 ? right : -1));
    const majority = truth.reduce((right, class_, row) => {
      const votes = [0, 1, 2].reduce((sum, w) => sum + input.label[row * 3 + w]!, 0);
      return right + Number(Number(votes > 1) === class_);
    }, 0);
    expect(majority / truth.length).toBeLessThan(0.8);
    expect(accuracy(gold)).toBeGreaterThan(0.93);
  });

  test("gold rows stay what they are, whatever is said of them", () => {
    const { input } = simulate(20, [0.9, 0.9]);
    const gold = new Int32Array(20).fill(-1);
    gold[3] = 1;
    expect([...dawidSkene({ ...input, gold }).posterior.subarray(6, 8)]).toEqual([0, 1]);
  });

  test("a row that nobody labelled gets the class shares", () => {
    const { input } = simulate(30, [0.9, 0.9]);
    const fit = dawidSkene({ ...input, nRows: 31 });
    expectClose(fit.posterior.subarray(60), fit.shares, { rtol: 1e-4, atol: 1e-4 });
  });

  test("refuses labels that are no class", () => {
    const { input } = simulate(5, [0.9, 0.9]);
    expect(() => dawidSkene({ ...input, label: input.label.map(() => 2) })).toThrow("label[0] must be a class index");
    expect(() => dawidSkene({ ...input, gold: new Int32Array(5).fill(7) })).toThrow("gold must lie in [-1, 2)");
  });
});
