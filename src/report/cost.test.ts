import { expect, test } from "vitest";
import { type CostQuestion, costAt, costWorksheet, perThousandAt } from "./cost.ts";
import { present } from "./report-data.ts";

const question: CostQuestion = {
  task: { audit: { uniformRate: 0.01, rate: 0.02 }, costs: { hostingPerMonthUsd: 30, reviewPerRulingUsd: 0.05 } },
  coverage: { value: 0.7, low: 0.6, high: 0.8, n: 400 },
  teacherPerCallUsd: 0.001,
  labellingUsd: 6,
  rulings: 120,
  imagesPerSecond: 100,
  trainingMs: 60_000,
};

const worksheet = (changes: Partial<CostQuestion> = {}) => present(costWorksheet({ ...question, ...changes }))!;

test("a month is the sum of its parts, by the cost identity", () => {
  const { inputs, volumes } = worksheet();
  const million = volumes.find(({ perMonth }) => perMonth === 1_000_000)!;
  const audited = 0.7 * (0.01 + 0.99 * 0.02);
  expect(inputs.auditedShare).toBeCloseTo(audited, 12);
  expect(million.llmUsd).toBeCloseTo(1000, 9);
  expect(million.hostingUsd).toBe(30);
  expect(million.escalationsUsd).toBeCloseTo(300, 9);
  expect(million.auditsUsd).toBeCloseTo(1000 * audited, 9);
  expect(million.rulingsUsd).toBeCloseTo(200 * 0.05, 9);
  expect(million.warmUpUsd).toBeCloseTo((6 + 120 * 0.05) / 12, 9);
  const parts = ["hostingUsd", "escalationsUsd", "auditsUsd", "rulingsUsd", "retrainUsd", "warmUpUsd"] as const;
  expect(million.flywheelUsd).toBeCloseTo(
    parts.reduce((sum, part) => sum + million[part], 0),
    9,
  );
  expect(million.savedShare).toBeCloseTo(1 - million.flywheelUsd / 1000, 12);
});

test("volumes run from ten thousand to ten million a month", () => {
  const volumes = worksheet().volumes.map(({ perMonth }) => perMonth);
  expect(volumes[0]).toBe(10_000);
  expect(volumes.at(-1)).toBe(10_000_000);
});

test("below the break-even the teacher alone is the cheaper, from it on the wheel", () => {
  const { inputs, breakEvenPerMonth } = worksheet();
  expect(costAt(inputs, breakEvenPerMonth! - 2).savedShare).toBeLessThan(0);
  expect(costAt(inputs, breakEvenPerMonth!).savedShare).toBeGreaterThan(0);
});

test("where nothing is answered there is no break-even, no payback, and the wheel costs more", () => {
  const nothing = worksheet({ coverage: { value: 0, low: 0, high: 0, n: 400 } });
  expect(nothing.breakEvenPerMonth).toBeUndefined();
  expect(nothing.paidBackAfter).toBeUndefined();
  expect(nothing.savedPerMonthUsd.value).toBeLessThan(0);
});

test("the range of the saving follows the interval of coverage and holds its value", () => {
  const { savedShare, savedPerMonthUsd, perThousandFlywheelUsd } = worksheet();
  for (const { low, value, high } of [savedShare, savedPerMonthUsd, perThousandFlywheelUsd]) {
    expect(low).toBeLessThan(value);
    expect(value).toBeLessThan(high);
  }
  expect(perThousandFlywheelUsd.low).toBeCloseTo(perThousandAt(question, 0.8)!, 12);
});

test("hosts are added in whole numbers as volume outgrows them", () => {
  const slow = worksheet({ imagesPerSecond: 2 });
  const hosts = slow.volumes.map(({ hostingUsd }) => hostingUsd / 30);
  expect(hosts[0]).toBe(1);
  expect(hosts.at(-1)).toBe(8);
  expect(hosts.every(Number.isInteger)).toBe(true);
});

test("without a price nothing is compared", () => {
  expect(costWorksheet({ ...question, teacherPerCallUsd: 0 })).toHaveProperty("missing");
  expect(perThousandAt({ ...question, teacherPerCallUsd: 0 }, 0.5)).toBeUndefined();
});

test("payback counts labelling and rulings against teacher calls saved", () => {
  const { paidBackAfter, inputs } = worksheet();
  expect(paidBackAfter).toBe(Math.ceil(12 / (0.001 * (0.7 - inputs.auditedShare))));
});
