import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deferralScore } from "../deferral.ts";
import { type AuditRule, auditProbability, auditRuleFor, flatAuditRule } from "./audit-rule.ts";
import { drawsOf } from "./draws.ts";
import { type RouteQuestion, route, routeRow } from "./policy.ts";

const share = fc.double({ min: 0, max: 1, noNaN: true });
const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const draws = fc.record({ uniform: draw, audit: draw });
const barrier = fc.constantFrom("no-champion", "no-certificate", "voided", "student-failed" as const);
const auditRule: fc.Arbitrary<AuditRule> = fc
  .tuple(fc.array(share, { maxLength: 20 }), share)
  .map(([confidences, rate]) => auditRuleFor(confidences, rate));
const question = fc.record({ confidence: share, threshold: share, draws, uniformRate: share, auditRule });

const isAnswered = (asked: RouteQuestion): boolean => route(asked).route !== "escalated";

describe("route", () => {
  test("raising the threshold never raises coverage", () => {
    fc.assert(
      fc.property(question, share, (asked, other) => {
        const higher = Math.max(asked.threshold, other);
        if (isAnswered({ ...asked, threshold: higher })) expect(isAnswered(asked)).toBe(true);
      }),
    );
  });

  test("the draws never decide whether the student answers, only whether the teacher is asked as well", () => {
    fc.assert(
      fc.property(question, draws, (asked, others) => {
        expect(isAnswered({ ...asked, draws: others })).toBe(isAnswered(asked));
      }),
    );
  });

  test("the propensity is the frequency, over the draws, with which the teacher is asked", () => {
    const n = 40_000;
    const asked = {
      confidence: 0.9,
      threshold: 0.8,
      uniformRate: 0.03,
      auditRule: { scale: 2, floor: 0.01, ceiling: 0.5 },
    };
    const routings = Array.from({ length: n }, (_, index) =>
      route({ ...asked, draws: drawsOf("seed", `request ${index}`) }),
    );
    const propensity = 0.03 + 0.97 * 0.2;
    expect(routings.every((routing) => Math.abs(routing.propensity - propensity) < 1e-12)).toBe(true);
    const audited = routings.filter((routing) => routing.route === "audited").length / n;
    // Four standard errors of a frequency near 0.22 in 40,000 draws.
    expect(Math.abs(audited - propensity)).toBeLessThan(4 * Math.sqrt((propensity * (1 - propensity)) / n));
  });

  test("a uniform request reaches the teacher whatever the student says, and an escalation has propensity 1", () => {
    fc.assert(
      fc.property(question, (asked) => {
        const routing = route(asked);
        if (routing.uniform) expect(routing.route).not.toBe("answered");
        if (routing.route === "escalated") expect(routing.propensity).toBe(1);
        else expect(routing.propensity).toBeGreaterThanOrEqual(asked.uniformRate);
      }),
    );
  });

  test("the uniform stream is drawn before the student is heard", () => {
    fc.assert(
      fc.property(question, share, (asked, confidence) => {
        expect(route({ ...asked, confidence }).uniform).toBe(route(asked).uniform);
      }),
    );
  });

  test("behind a barrier nothing is answered, whatever the confidence", () => {
    fc.assert(
      fc.property(question, barrier, (asked, reason) => {
        expect(route({ ...asked, barrier: reason })).toMatchObject({ route: "escalated", reason });
      }),
    );
  });

  test.each([
    ["unsure", { confidence: 0.79 }, false],
    ["unsure", { confidence: 0.79, novelty: 0.6, rule: { novelty: { limit: 0.5, share: 0.02 } } }, false],
    ["unfamiliar", { novelty: 0.6, rule: { novelty: { limit: 0.5, share: 0.02 } } }, false],
    ["unsure", { value: "threat", rule: { never: ["threat"] } }, false],
    ["unfamiliar", { novelty: Number.NaN, rule: { novelty: { limit: 0.5, share: 0.02 } } }, false],
    ["unfamiliar", { novelty: undefined, rule: { novelty: { limit: 0.5, share: 0.02 } } }, false],
    ["student-failed", { confidence: undefined }, false],
    ["student-failed", { confidence: Number.NaN }, false],
    ["no-certificate", { threshold: undefined }, true],
    ["no-champion", { barrier: "no-champion" }, true],
    ["voided", { barrier: "voided" }, true],
  ] as const)("escalates as %s; all traffic is the sample where no input could have been answered", (...row) => {
    const [reason, changes, census] = row;
    const asked = { confidence: 0.9, threshold: 0.8, draws: { uniform: 0.5, audit: 0.5 }, uniformRate: 0.01 };
    const routing = route({ ...asked, auditRule: flatAuditRule(0.02), ...changes });
    expect(routing).toEqual({ route: "escalated", reason, uniform: census, census, propensity: 1 });
  });

  test("a confidence at the threshold is answered", () => {
    const asked = { confidence: 0.8, threshold: 0.8, draws: { uniform: 0.5, audit: 0.5 }, uniformRate: 0 };
    expect(route({ ...asked, auditRule: flatAuditRule(0) }).route).toBe("answered");
  });
});

describe("a row of several fields", () => {
  const rows = fc.record({
    fields: fc.array(question, { minLength: 1, maxLength: 5 }),
    together: fc.boolean(),
    othersAnswer: fc.boolean(),
    draws: fc.record({ uniform: share, audit: share }),
    uniformRate: share,
  });

  test("has one uniform draw, one census and one propensity for all of them", () => {
    fc.assert(
      fc.property(rows, (row) => {
        const routings = routeRow(row);
        for (const { uniform, census, propensity } of routings)
          expect({ uniform, census, propensity }).toEqual({
            uniform: routings[0]!.uniform,
            census: routings[0]!.census,
            propensity: routings[0]!.propensity,
          });
        const isEscalated = routings.some(({ route }) => route === "escalated");
        if (isEscalated) expect(routings[0]!.propensity).toBe(1);
        // One question answers them all: where one field goes to the teacher, none is answered without it.
        if (isEscalated) expect(routings.map(({ route }) => route)).not.toContain("answered");
      }),
    );
  });

  test("is answered whole or not at all where the task says so, and field by field where it does not", () => {
    fc.assert(
      fc.property(rows, (row) => {
        const apart = routeRow({ ...row, together: false });
        const whole = routeRow({ ...row, together: true });
        const isSure = apart.map(({ route }) => route !== "escalated");
        expect(whole.every(({ route }) => route !== "escalated")).toBe(isSure.every((sure) => sure));
        expect(whole.some(({ route }) => route !== "escalated")).toBe(isSure.every((sure) => sure));
        for (const [index, routing] of whole.entries()) {
          if (routing.route === "escalated" && isSure[index]) expect(routing.reason).toBe("together");
          // Alone, the field would have been answered just where it is answered apart.
          const alone = route({ ...row.fields[index]!, draws: row.draws, uniformRate: row.uniformRate });
          expect(alone.route !== "escalated").toBe(isSure[index]);
        }
      }),
    );
  });

  test("is audited as often as the field that asks for it most", () => {
    const ask = (rate: number) => ({ confidence: 0.9, threshold: 0.8, auditRule: flatAuditRule(rate) });
    const row = { fields: [ask(0.1), ask(0.4)], together: false, othersAnswer: false, uniformRate: 0.2 };
    const routings = routeRow({ ...row, draws: { uniform: 0.9, audit: 0.3 } });
    expect(routings.map(({ route }) => route)).toEqual(["audited", "audited"]);
    for (const { propensity } of routings) expect(propensity).toBeCloseTo(0.2 + 0.8 * 0.4, 12);
  });

  test("is no census while a field that was not asked for might answer other requests", () => {
    const barred = { barrier: "no-champion", auditRule: flatAuditRule(0) } as const;
    const row = { fields: [barred], together: false, draws: { uniform: 0.5, audit: 0.5 }, uniformRate: 0.1 };
    expect(routeRow({ ...row, othersAnswer: false })[0]).toMatchObject({ census: true, uniform: true });
    expect(routeRow({ ...row, othersAnswer: true })[0]).toMatchObject({ census: false, uniform: false, propensity: 1 });
  });
});

test("the student answers what scores at least the threshold, and only that", () => {
  const novelty = fc.option(fc.double({ min: 0, max: 2 }), { nil: undefined });
  const noveltyLimit = fc.option(fc.record({ limit: share, share }), { nil: undefined });
  fc.assert(
    fc.property(question, novelty, noveltyLimit, (asked, novelty, limit) => {
      const rule = { ...(limit && { novelty: limit }) };
      const scores = deferralScore({ ...asked, novelty }, rule) >= asked.threshold;
      expect(isAnswered({ ...asked, novelty, rule })).toBe(scores);
    }),
  );
});

describe("the audit rule", () => {
  test("its mean over the confidences it was made for is the rate, or below it where nearly all are certain", () => {
    fc.assert(
      fc.property(fc.array(share, { minLength: 1, maxLength: 50 }), share, (confidences, rate) => {
        const rule = auditRuleFor(confidences, rate);
        const mean = confidences.reduce((sum, one) => sum + auditProbability(rule, one), 0) / confidences.length;
        expect(mean).toBeLessThanOrEqual(rate + 1e-9);
        const isReachable = confidences.filter((one) => one < 0.999).length / confidences.length > rate / rule.ceiling;
        if (isReachable) expect(mean).toBeCloseTo(rate, 6);
      }),
      // Found once: next to a confidence of 1 − 4e-13 a bisection of 60 steps stopped short.
      { examples: [[[0.9999999999996233, 0], 0.010275606837606838]] },
    );
  });

  test("audits the less confident more often", () => {
    fc.assert(
      fc.property(auditRule, share, share, (rule, one, other) => {
        const [lower, higher] = [Math.min(one, other), Math.max(one, other)];
        expect(auditProbability(rule, lower)).toBeGreaterThanOrEqual(auditProbability(rule, higher));
      }),
    );
  });

  test("keeps every confident answer's chance at 1 % or more, unless the task asks for less", () => {
    expect(auditProbability(auditRuleFor([0.9, 0.99], 0.02), 1)).toBe(0.01);
    expect(auditProbability(auditRuleFor([0.9, 0.99], 0.001), 1)).toBe(0.001);
    expect(auditProbability(auditRuleFor([0.9, 0.99], 0), 0.9)).toBe(0);
  });

  test("audits everyone alike while no confidences are known", () => {
    expect(auditProbability(auditRuleFor([], 0.02), 0.99)).toBe(0.02);
  });
});

describe("the draws", () => {
  const n = 20_000;
  const sampled = Array.from({ length: n }, (_, index) => drawsOf(7, `request ${index}`));

  test("repeat for the same seed and request, and differ for another of either", () => {
    expect(drawsOf(7, "a")).toEqual(drawsOf(7, "a"));
    expect(drawsOf(8, "a")).not.toEqual(drawsOf(7, "a"));
    expect(drawsOf(7, "b")).not.toEqual(drawsOf(7, "a"));
  });

  test("are uniform: their distribution strays from the diagonal by no more than Kolmogorov's 1e-4 quantile", () => {
    for (const key of ["uniform", "audit"] as const) {
      const sorted = sampled.map((one) => one[key]).sort((a, b) => a - b);
      const distance = Math.max(...sorted.map((value, index) => Math.abs(value - (index + 0.5) / n)));
      expect(distance * Math.sqrt(n)).toBeLessThan(2.23);
    }
  });

  test("do not depend on each other", () => {
    const covariance = sampled.reduce((sum, one) => sum + (one.uniform - 0.5) * (one.audit - 0.5), 0) / n;
    // Each product has deviation 1/12; four standard errors.
    expect(Math.abs(covariance)).toBeLessThan(4 / 12 / Math.sqrt(n));
  });
});
