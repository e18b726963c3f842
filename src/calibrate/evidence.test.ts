import { describe, expect, test } from "vitest";
import { rowId } from "../records.ts";
import { chooseThreshold } from "./choose-threshold.ts";
import { evidence, scoresOf } from "./evidence.ts";
import { fitCalibrator } from "./fit-calibrator.ts";
import { evidenceOf } from "./testing.ts";
import { thresholdGrid } from "./threshold-grid.ts";

const target = { kind: "selective", risk: 0.05, delta: 0.1 } as const;
const identity = { kind: "temperature", temperature: 1 } as const;

describe("evidence", () => {
  test("of one split cannot stand in for the other: leakage does not compile", () => {
    const calibrate = evidenceOf("calibrate", [1, 0], [0]);
    const certify = evidenceOf("certify", [1, 0], [0]);
    const grid = thresholdGrid(scoresOf(identity, calibrate));
    // Each line below must be an error of the type checker; the values themselves would run.
    // @ts-expect-error certify rows must not fit the calibrator
    fitCalibrator(certify);
    // @ts-expect-error certify rows must not place the grid
    thresholdGrid(scoresOf(identity, certify));
    // @ts-expect-error calibrate rows must not certify
    chooseThreshold({ certify: scoresOf(identity, calibrate), grid, target });
    expect(chooseThreshold({ certify: scoresOf(identity, certify), grid, target }).kind).toBe("none");
  });

  test("refuses shapes that do not match, logits that are not finite, labels that are no class", () => {
    const row = { rowIds: [rowId("a")], k: 2, logits: Float32Array.of(0, 1), reference: Int32Array.of(1) };
    expect(() => evidence("certify", { ...row, k: 3 })).toThrow("certify: 1 rows of 3 classes, but 2 logits");
    expect(() => evidence("certify", { ...row, logits: Float32Array.of(0, NaN) })).toThrow("row a class 1: logit NaN");
    expect(() => evidence("certify", { ...row, reference: Int32Array.of(2) })).toThrow("reference 2 of 2 classes");
  });
});
