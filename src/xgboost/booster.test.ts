import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { createRng } from "../math/random.ts";
import { readOnnx } from "../onnx/proto.ts";
import { createBooster } from "./booster.ts";
import { xgboostToOnnx } from "./convert.ts";
import { createMatrix, type FeatureType, type Matrix } from "./matrix.ts";
import { loadXgboost } from "./native.ts";
import type { XgboostParameters } from "./parameters.ts";
import { library, needsLibrary, randomTable, runOnnx, type Table, walk } from "./testing.ts";
import { trainBooster } from "./train.ts";
import { parseTreeModel } from "./tree-model.ts";
import { treesToOnnx } from "./trees-to-onnx.ts";

type Case = {
  readonly name: string;
  readonly parameters: XgboostParameters;
  readonly rounds: number;
  readonly classes: number;
  readonly earlyStoppingRounds: number | null;
  readonly trainRows: number;
  readonly data: readonly (number | null)[];
  readonly labels: readonly number[];
  readonly weights: readonly number[];
  readonly featureNames: readonly string[];
  readonly featureTypes: readonly FeatureType[];
  readonly scores: readonly number[];
  readonly kept: number;
  readonly values: readonly number[];
  readonly margins: readonly number[];
  readonly contributions: readonly number[];
  readonly gain: Readonly<Record<string, number>>;
  /** As Python wrote it. */
  readonly model: string;
};

const golden = readGolden<readonly Case[]>("xgboost-models");

const columnsOf = ({ featureTypes }: Case): number => featureTypes.length;
const dataOf = ({ data }: Case): Float32Array => Float32Array.from(data, (value) => value ?? Number.NaN);
const allRows = (one: Case) => ({ data: dataOf(one), rows: one.labels.length, columns: columnsOf(one) });

function matrixOf(one: Case, from: number, to: number): Matrix {
  const { featureNames, featureTypes, labels, weights } = one;
  const columns = columnsOf(one);
  return createMatrix({
    data: dataOf(one).slice(from * columns, to * columns),
    rows: to - from,
    columns,
    labels: Float32Array.from(labels.slice(from, to)),
    weights: Float32Array.from(weights.slice(from, to)),
    featureNames,
    featureTypes,
    threads: 1,
  });
}

/** The margin of two classes is a logit of 0 and the margin; of more, the logits themselves. */
const logitsOf = (margins: ArrayLike<number>, classes: number): number[] =>
  classes === 2 ? Array.from(margins).flatMap((margin) => [0, margin]) : Array.from(margins);

const float32 = { rtol: 1e-5, atol: 1e-5 };

describe.each(golden.cases)("trees that Python has trained: $name", (one) => {
  const model = treesToOnnx(parseTreeModel(new TextEncoder().encode(one.model)));

  test("say the same walked in process", () => {
    expectClose(walk(model, allRows(one)), logitsOf(one.margins, one.classes), float32);
  });

  test("become ONNX in one call", () => {
    const onnx = readOnnx(xgboostToOnnx(new TextEncoder().encode(one.model)));
    expectClose(walk(onnx, allRows(one)), logitsOf(one.margins, one.classes), float32);
  });

  test("are read as releases before 2 write them: NaN for the threshold of a set", () => {
    const older = one.model.replaceAll("1E-45", "NaN").replaceAll("città", "NaN, Infinity");
    const { trees, featureNames } = parseTreeModel(new TextEncoder().encode(older));
    expect(trees).toEqual(parseTreeModel(new TextEncoder().encode(one.model)).trees);
    expect(featureNames.at(-1)).toBe("NaN, Infinity");
  });

  test("say the same in ONNX Runtime", async () => {
    expectClose(await runOnnx(model, allRows(one)), logitsOf(one.margins, one.classes), float32);
  });
});

test.each([
  ["nothing", ""],
  ["half of one", golden.cases[0]!.model.slice(0, 2_000)],
  ["another JSON", "{}"],
])("%s is no saved model, and is refused with what would be one", (_, saved) => {
  expect(() => xgboostToOnnx(new TextEncoder().encode(saved))).toThrow(
    expect.objectContaining({ code: "xgboost_bad_model", hint: expect.stringContaining("save_model") }),
  );
});

describe.skipIf(library?.version !== "3.2.0")(`against Python's XGBoost 3.2.0${needsLibrary}`, () => {
  test.each(golden.cases)("the same calls train the same model: $name", async (one) => {
    using train = matrixOf(one, 0, one.trainRows);
    using validation = matrixOf(one, one.trainRows, one.labels.length);
    using whole = matrixOf(one, 0, one.labels.length);
    const { parameters, rounds } = one;
    const earlyStoppingRounds = one.earlyStoppingRounds ?? undefined;
    const trained = await trainBooster({ matrix: train, validation, parameters, rounds, earlyStoppingRounds });
    using booster = trained.booster;
    expect(booster.rounds).toBe(one.kept);
    expect(trained.ended).toBe(one.scores.length < rounds ? "early" : "rounds");
    expectClose(trained.scores, one.scores, golden);
    expectClose(booster.predict(whole, "value").values, one.values, golden);
    expectClose(booster.predict(whole, "margin").values, one.margins, golden);
    const { values, dims } = booster.predict(whole, "contributions");
    expect(dims).toEqual([one.labels.length, one.classes === 2 ? 1 : one.classes, columnsOf(one) + 1]);
    expectClose(values.slice(0, one.contributions.length), one.contributions, golden);
    expect(Object.keys(booster.gain()).sort()).toEqual(Object.keys(one.gain).sort());
    for (const [name, gain] of Object.entries(one.gain)) expectClose(booster.gain()[name]!, gain, golden);
  });

  test("a model of Python's is loaded, and saved again in either format", () => {
    const [one] = golden.cases;
    using whole = matrixOf(one!, 0, one!.labels.length);
    using loaded = createBooster({ model: new TextEncoder().encode(one!.model) });
    for (const format of ["json", "ubj"] as const) {
      using again = createBooster({ model: loaded.save(format) });
      expectClose(again.predict(whole, "margin").values, one!.margins, golden);
    }
  });
});

const objectiveOf = (classes: number): XgboostParameters =>
  classes === 2 ? { objective: "binary:logistic" } : { objective: "multi:softprob", num_class: classes };

const matrixOfTable = (table: Table) => createMatrix({ ...table, threads: 1 });

describe.skipIf(!library)(`trees of any table${needsLibrary}`, () => {
  const shape = fc.record({
    classes: fc.integer({ min: 2, max: 4 }),
    rows: fc.integer({ min: 20, max: 200 }),
    featureTypes: fc.array(fc.constantFrom("q", "i", "c"), { minLength: 1, maxLength: 6 }),
    seed: fc.nat(),
  });

  test("say in ONNX Runtime, and walked in process, what the library says", async () => {
    await fc.assert(
      fc.asyncProperty(shape, fc.constantFrom(1, 4, 100), async (given, max_cat_to_onehot) => {
        const rng = createRng(given.seed);
        const table = randomTable(given, rng);
        using matrix = matrixOfTable(table);
        const parameters = { ...objectiveOf(given.classes), max_depth: 5, max_cat_to_onehot, nthread: 1 };
        const { booster } = await trainBooster({ matrix, parameters, rounds: 6 });
        using kept = booster;
        // Rows it has not seen, among them categories it has not seen.
        const other = randomTable({ ...given, rows: 50 }, rng);
        other.data.forEach((value, index) => {
          if (given.featureTypes[index % table.columns] === "c" && value === 3) other.data[index] = 1000;
        });
        using unseen = matrixOfTable(other);
        const expected = logitsOf(kept.predict(unseen, "margin").values, given.classes);
        const trees = parseTreeModel(kept.save("json"));
        expect(parseTreeModel(kept.save("ubj"))).toEqual(trees);
        const model = treesToOnnx(trees);
        expectClose(walk(model, other), expected, float32);
        expectClose(await runOnnx(model, other), expected, float32);
      }),
      { numRuns: 25 },
    );
  });

  test("contributions sum to the margin", async () => {
    const table = randomTable({ rows: 100, classes: 3, featureTypes: ["q", "c", "i"] }, createRng(1));
    using matrix = matrixOfTable(table);
    const { booster } = await trainBooster({ matrix, parameters: objectiveOf(3), rounds: 5 });
    using kept = booster;
    const { values } = kept.predict(matrix, "contributions");
    const sums = Array.from({ length: 300 }, (_, cell) => values.slice(cell * 4, cell * 4 + 4).reduce((a, b) => a + b));
    expectClose(sums, kept.predict(matrix, "margin").values, { rtol: 1e-4, atol: 1e-4 });
  });
});

describe.skipIf(!library)(`training${needsLibrary}`, () => {
  const table = randomTable({ rows: 200, classes: 2, featureTypes: ["q", "q", "c"] }, createRng(5));
  const parameters = { ...objectiveOf(2), nthread: 1, seed: 3 };

  test("that is interrupted stops between rounds, keeps them, and goes on to the model it would have made", async () => {
    using matrix = matrixOfTable(table);
    const stop = new AbortController();
    const onRound = ({ round }: { readonly round: number }) => {
      if (round === 4) stop.abort();
    };
    const part = await trainBooster({ matrix, parameters, rounds: 10, onRound, signal: stop.signal });
    using first = part.booster;
    expect([part.ended, first.rounds]).toEqual(["interrupted", 4]);
    const start = { model: first.save("ubj"), scores: part.scores };
    using continued = (await trainBooster({ matrix, parameters, rounds: 10, start })).booster;
    using whole = (await trainBooster({ matrix, parameters, rounds: 10 })).booster;
    expect(continued.predict(matrix, "margin")).toEqual(whole.predict(matrix, "margin"));
  });

  test("lets the event loop turn between rounds", async () => {
    using matrix = matrixOfTable(table);
    let turns = 0;
    let next = setImmediate(function turn() {
      turns += 1;
      next = setImmediate(turn);
    });
    using _booster = (await trainBooster({ matrix, parameters, rounds: 20 })).booster;
    clearImmediate(next);
    expect(turns).toBeGreaterThanOrEqual(19);
  });

  test("with a monotone constraint never lets the margin fall as the feature grows", async () => {
    using matrix = matrixOfTable(table);
    const constrained = { ...parameters, monotone_constraints: [1, 0, 0] };
    using booster = (await trainBooster({ matrix, parameters: constrained, rounds: 10 })).booster;
    const rows = 50;
    const data = Float32Array.from({ length: rows * 3 }, (_, i) => (i % 3 === 0 ? (i - 75) / 25 : Number.NaN));
    using rising = createMatrix({ data, rows, columns: 3, featureTypes: table.featureTypes, threads: 1 });
    const margins = booster.predict(rising, "margin").values;
    margins.slice(1).forEach((margin, index) => {
      expect(margin).toBeGreaterThanOrEqual(margins[index]!);
    });
  });

  test("refuses memory that has been freed, and frees it once", async () => {
    const matrix = matrixOfTable(table);
    const { booster } = await trainBooster({ matrix, parameters, rounds: 1 });
    const gone = expect.objectContaining({ code: "xgboost_disposed" });
    matrix[Symbol.dispose]();
    matrix[Symbol.dispose]();
    expect(() => booster.predict(matrix, "margin")).toThrow(gone);
    booster[Symbol.dispose]();
    booster[Symbol.dispose]();
    expect(() => booster.rounds).toThrow(gone);
    expect(() => booster.save("json")).toThrow(gone);
  });

  test("of a sparse table are those of the same table with its gaps as NaN", async () => {
    const kept = Array.from(table.data, (value, at) => [at, value] as const).filter(
      ([, value]) => !Number.isNaN(value),
    );
    const { rows, columns } = table;
    const sparse = {
      rows,
      columns,
      starts: Int32Array.from({ length: rows + 1 }, (_, row) => kept.filter(([at]) => at < row * columns).length),
      indices: Int32Array.from(kept, ([at]) => at % columns),
      values: Float32Array.from(kept, ([, value]) => value),
    };
    using dense = matrixOfTable(table);
    using same = createMatrix({ ...table, data: sparse, threads: 1 });
    const predicted = async (matrix: Matrix) => {
      const { booster } = await trainBooster({ matrix, parameters, rounds: 5 });
      using owned = booster;
      return { values: owned.predict(matrix, "margin").values, across: owned.predict(dense, "contributions").values };
    };
    expect(await predicted(same)).toEqual(await predicted(dense));
    const stray = { ...sparse, indices: sparse.indices.with(0, columns) };
    for (const broken of [stray, { ...sparse, starts: sparse.starts.slice(1) }, { ...sparse, rows: rows - 1 }]) {
      expect(() => createMatrix({ ...table, data: broken, threads: 1 })).toThrow(
        expect.objectContaining({ code: "xgboost_shape_mismatch" }),
      );
    }
  });

  test("refuses what cannot be", async () => {
    using matrix = matrixOfTable(table);
    const train = (changes: XgboostParameters) =>
      trainBooster({ matrix, parameters: { ...parameters, ...changes }, rounds: 1 });
    await expect(train({ max_dept: 3 })).rejects.toMatchObject({ code: "xgboost_unknown_parameter" });
    await expect(train({ objective: "multi:nonsense" })).rejects.toMatchObject({ code: "xgboost_failed" });
    await expect(trainBooster({ matrix, parameters, rounds: 1, earlyStoppingRounds: 2 })).rejects.toMatchObject({
      code: "xgboost_no_validation",
    });
    const infinite = { ...table, data: table.data.with(7, Number.POSITIVE_INFINITY) };
    expect(() => matrixOfTable(infinite)).toThrow(expect.objectContaining({ code: "xgboost_failed" }));
    expect(() => matrixOfTable({ ...table, rows: 7 })).toThrow(
      expect.objectContaining({ code: "xgboost_shape_mismatch" }),
    );
    expect(() => createBooster({ model: Uint8Array.of(1, 2, 3) })).toThrow(
      expect.objectContaining({ code: "xgboost_bad_model" }),
    );
  });
});

describe("models that cannot serve", () => {
  const [one] = golden.cases;
  const changed = (change: (model: Record<string, Record<string, unknown>>) => void): Uint8Array => {
    const model = JSON.parse(one!.model) as Record<string, Record<string, unknown>>;
    change(model);
    return new TextEncoder().encode(JSON.stringify(model));
  };

  test.each([
    ["another objective", { objective: { name: "reg:squarederror" } }],
    ["a linear booster", { gradient_booster: { name: "gblinear" } }],
  ])("%s", (_what, part) => {
    const json = changed(({ learner }) => Object.assign(learner!, part));
    expect(() => parseTreeModel(json)).toThrow(expect.objectContaining({ code: "xgboost_unsupported_model" }));
  });

  test("what is no model at all", () => {
    expect(() => parseTreeModel(new TextEncoder().encode("[1]"))).toThrow(
      expect.objectContaining({ code: "xgboost_bad_model" }),
    );
  });
});

describe("the library's place", () => {
  test("that is named and wrong is an error, not a reason to look elsewhere", () => {
    expect(() => loadXgboost({ FLYWHEEL_XGBOOST: "/nowhere/libxgboost.so" })).toThrow(
      expect.objectContaining({ code: "xgboost_unusable", message: expect.stringContaining("/nowhere/libxgboost.so") }),
    );
  });
});
