import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { expectedCalibrationError } from "../math/calibration-error.ts";
import { createRng } from "../math/random.ts";
import { argmaxRows } from "../math/softmax.ts";
import type { Calibrator } from "../records.ts";
import { applyCalibrator, calibrateRow } from "./calibrator.ts";
import { scoresOf } from "./evidence.ts";
import { crossValidatedLoss, fitCalibrator, fitters } from "./fit-calibrator.ts";
import { fitTemperature } from "./fit-temperature.ts";
import { evidenceOf, madeUp } from "./testing.ts";

type Golden = {
  readonly k: number;
  readonly students: {
    readonly logits: number[];
    readonly reference: number[];
    readonly temperature: number;
    readonly temperature_confidence: number[];
    readonly a: number;
    readonly b: number;
    readonly c: number;
    readonly beta_confidence: number[];
    readonly isotonic_confidence: number[];
  }[];
};

const calibrators = fc.oneof(
  fc.record({ kind: fc.constant("temperature" as const), temperature: fc.double({ min: 0.05, max: 20, noNaN: true }) }),
  fc.record({
    kind: fc.constant("beta" as const),
    temperature: fc.double({ min: 0.05, max: 20, noNaN: true }),
    a: fc.double({ min: 0, max: 5, noNaN: true }),
    b: fc.double({ min: 0, max: 5, noNaN: true }),
    c: fc.double({ min: -5, max: 5, noNaN: true }),
  }),
  fc.record({
    kind: fc.constant("isotonic" as const),
    temperature: fc.double({ min: 0.05, max: 20, noNaN: true }),
    score: fc.constant([0.3, 0.5, 0.8, 0.95]),
    correctness: fc.constant([0.2, 0.2, 0.7, 1]),
  }),
);
const rows = fc.array(
  fc.array(
    fc.integer({ min: -400, max: 400 }).map((tenth) => tenth / 10),
    { minLength: 3, maxLength: 3 },
  ),
  {
    minLength: 1,
    maxLength: 20,
  },
);

const pairsOf = (n: number) => Array.from({ length: n * n }, (_, pair) => [Math.floor(pair / n), pair % n] as const);

describe("calibrators", () => {
  const golden = readGolden<Golden>("calibrate-calibrators");

  test.each(golden.cases.students)("agree with SciPy and scikit-learn (T = $temperature, a = $a)", (student) => {
    const data = evidenceOf("calibrate", student.logits, student.reference);
    const confidence = (calibrator: Calibrator) => applyCalibrator(calibrator, data.logits, golden.cases.k).confidence;
    expectClose(fitTemperature(data), student.temperature, golden);
    expectClose(confidence(fitters.temperature(data)), student.temperature_confidence, golden);
    expectClose(confidence(fitters.beta(data)), student.beta_confidence, golden);
    expectClose(confidence(fitters.isotonic(data)), student.isotonic_confidence, golden);
  });

  test("never change the answer; confidence is a probability, the answer's own, and rows sum to 1", () => {
    fc.assert(
      fc.property(calibrators, rows, (calibrator, logits) => {
        const { predicted, confidence, probabilities } = applyCalibrator(calibrator, logits.flat(), 3);
        expect(predicted).toEqual(argmaxRows(logits.flat(), 3));
        confidence.forEach((value, row) => {
          expect(value >= 0 && value <= 1).toBe(true);
          expect(probabilities[row * 3 + predicted[row]!]).toBe(value);
          const sum = probabilities.subarray(row * 3, row * 3 + 3).reduce((total, p) => total + p, 0);
          expect(Math.abs(sum - 1)).toBeLessThan(1e-9);
        });
      }),
    );
  });

  test("a batch is its rows one by one, and JSON changes nothing", () => {
    fc.assert(
      fc.property(calibrators, rows, (calibrator, logits) => {
        const revived: Calibrator = JSON.parse(JSON.stringify(calibrator));
        const { predicted, confidence } = applyCalibrator(calibrator, logits.flat(), 3);
        logits.forEach((one, row) => {
          const single = calibrateRow(revived, one);
          expect([single.top, single.confidence]).toEqual([predicted[row], confidence[row]]);
        });
      }),
    );
  });

  test("keep the order that the temperature gives, ties apart", () => {
    fc.assert(
      fc.property(calibrators, rows, (calibrator, logits) => {
        const plain = applyCalibrator({ kind: "temperature", temperature: calibrator.temperature }, logits.flat(), 3);
        const { confidence } = applyCalibrator(calibrator, logits.flat(), 3);
        for (const [surer, other] of pairsOf(logits.length)) {
          if (plain.confidence[surer]! <= plain.confidence[other]!) continue;
          expect(confidence[surer]!).toBeGreaterThanOrEqual(confidence[other]! - 1e-12);
        }
      }),
    );
  });

  test("isotonic plateaus do not tie: a threshold can still part their rows", () => {
    const calibrator = { kind: "isotonic", temperature: 1, score: [0.5, 0.9], correctness: [0.8, 0.8] } as const;
    const [low, high] = applyCalibrator(calibrator, [1, 0, 1.5, 0], 2).confidence;
    expect(high!).toBeGreaterThan(low!);
  });

  test.each(["temperature", "beta", "isotonic"] as const)(
    "%s makes a boasting student honest on rows it never saw",
    (kind) => {
      const rng = createRng(`boast/${kind}`);
      const student = { k: 4, skill: 1.6, boast: 3, rng };
      const fitted = fitters[kind](madeUp("calibrate", { ...student, n: 1500 }));
      const held = madeUp("certify", { ...student, n: 1500 });
      const ece = (calibrator: Calibrator) => {
        const { score, correct } = scoresOf(calibrator, held);
        return expectedCalibrationError({ confidence: score, correct }, { rng, resamples: 1 }).value;
      };
      expect(ece({ kind: "temperature", temperature: 1 })).toBeGreaterThan(0.08);
      expect(ece(fitted)).toBeLessThan(0.05);
    },
  );
});

describe("the choice of calibrator", () => {
  const rows = (n: number, boast = 2) => madeUp("calibrate", { n, k: 3, skill: 1.5, boast, rng: createRng(`n/${n}`) });

  test("follows the number of rows", () => {
    expect(fitCalibrator(rows(29))).toEqual({ kind: "temperature", temperature: 1 });
    expect(fitCalibrator(rows(199)).kind).toBe("temperature");
    expect(fitCalibrator(rows(1001)).kind).toBe("isotonic");
  });

  test("between 200 and 1,000 rows takes the lower cross-validated loss", () => {
    // Bounded confidence that temperature cannot repair: a third of the sure answers are wrong at random.
    const rng = createRng("noise");
    const clean = rows(900, 4);
    const reference = clean.reference.map((label) => (rng.next() < 0.3 ? (label + 1) % 3 : label));
    for (const data of [rows(600), { ...clean, reference }]) {
      const [temperature, beta] = [
        crossValidatedLoss(data, fitters.temperature),
        crossValidatedLoss(data, fitters.beta),
      ];
      expect(fitCalibrator(data).kind).toBe(beta < temperature ? "beta" : "temperature");
    }
    expect(fitCalibrator({ ...clean, reference }).kind).toBe("beta");
  });

  test("a student without errors is left as it is, and labels it does not know count as wrong", () => {
    const perfect = evidenceOf("calibrate", [3, 0, 0, 3], [0, 1]);
    expect(fitTemperature(perfect)).toBe(1);
    const unknown = evidenceOf("calibrate", [3, 0, 0, 3], [0, -1]);
    expect([...scoresOf({ kind: "temperature", temperature: 1 }, unknown).correct]).toEqual([1, 0]);
    expect(Number.isFinite(fitTemperature(unknown))).toBe(true);
  });
});
