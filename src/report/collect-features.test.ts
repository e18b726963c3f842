import { describe, expect, test } from "vitest";
import { featuresOf, warningsOf } from "./collect-features.ts";
import { featuresPart } from "./page/features.ts";
import type { StudentSection } from "./report-data.ts";

const options = { shap: { age: 0.2, spending: 0.9 }, gain: { spending: 12 }, warnings: ['column "id" is ignored'] };

const page = (changes: object): string => {
  const card = { options: { ...options, ...changes } };
  const section = { features: featuresOf(card), warnings: warningsOf(card) } as unknown as StudentSection;
  return featuresPart(section).markup;
};

describe("features on the page", () => {
  test("come with the one that moves answers most first; what no tree splits on gains nothing", () => {
    expect(featuresOf({ options })).toEqual([
      { name: "spending", shap: 0.9, gain: 12 },
      { name: "age", shap: 0.2, gain: 0 },
    ]);
    expect(page({})).toMatch(/spending.*0\.900.*age/s);
    expect(page({})).toContain("column &#34;id&#34; is ignored");
  });

  test("are absent where a student has none by name", () => {
    expect([featuresOf({ options: {} }), warningsOf({ options: {} })]).toEqual([[], []]);
    expect(page({ shap: undefined, warnings: undefined }).trim()).toBe("");
  });

  test("are cut where they are many, and say so", () => {
    const shap = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`word ${index}`, index]));
    expect(page({ shap })).toMatch(/The first 20 of 30/);
    expect(page({ shap })).not.toContain("word 5<");
  });
});
