import fc from "fast-check";
import { expect, test } from "vitest";
import { createRng } from "../math/random.ts";
import { type Certificate, modelId } from "../records.ts";
import { type Monitor, monitorPolicy, observeRequest, observeStretch, startMonitor, verdictOf } from "./monitor.ts";
import { truthBound } from "./truth-bound.ts";

const certificate = (kind: "regret" | "selective", risk = 0.05): Certificate => ({
  target: { kind, risk, delta: 0.1 },
  deltaSpent: 0.1,
  reference: "teacher",
  bound: risk,
  n: 500,
  accepted: 300,
  errors: 5,
  dataHash: "0",
  modelId: modelId("m"),
  promptVersion: "v1",
  issuedAt: 0,
});

const requests = fc.array(fc.record({ answered: fc.boolean(), wrong: fc.boolean() }), { maxLength: 200 });

test("selective risk counts answered requests alone; regret counts all", () => {
  fc.assert(
    fc.property(requests, (stream) => {
      const answered = stream.filter((request) => request.answered);
      const errors = answered.filter((request) => request.wrong).length;
      expect(monitorPolicy(certificate("selective"), stream)).toMatchObject({ n: answered.length, errors });
      expect(monitorPolicy(certificate("regret"), stream)).toMatchObject({ n: stream.length, errors });
    }),
  );
});

test("what is said of an escalated request cannot matter", () => {
  fc.assert(
    fc.property(requests, (stream) => {
      const forgetful = stream.map(({ answered, wrong }) => ({ answered, wrong: answered && wrong }));
      expect(monitorPolicy(certificate("regret"), stream)).toEqual(monitorPolicy(certificate("regret"), forgetful));
    }),
  );
});

test("alarms when the risk trebles, says so, and stands by it", () => {
  const rng = createRng("drift");
  const bad = Array.from({ length: 300 }, () => ({ answered: true, wrong: rng.next() < 0.15 }));
  const good = Array.from({ length: 300 }, () => ({ answered: true, wrong: false }));
  const verdict = monitorPolicy(certificate("selective"), [...bad, ...good]);
  expect(verdict.kind).toBe("alarm");
  if (verdict.kind !== "alarm") return;
  expect(verdict.alarmedAt).toBeLessThan(300);
  expect(verdict.why).toMatch(/wrong answers in 600 uniform requests: the selective risk is no longer at most 5 %/);
});

test("survives a restart between any two requests", () => {
  const revive = (monitor: Monitor): Monitor => JSON.parse(JSON.stringify(monitor));
  fc.assert(
    fc.property(requests, (stream) => {
      let monitor = startMonitor(certificate("regret"));
      for (const request of stream) monitor = observeRequest(revive(monitor), request);
      expect(verdictOf(monitor)).toEqual(monitorPolicy(certificate("regret"), stream));
    }),
    { numRuns: 20 },
  );
});

test("the truth bound adds what rulings say of the teacher, and both costs", () => {
  const bound = truthBound(certificate("regret", 0.03), { rulings: 150, teacherErrors: 7 }, 0.05);
  // 0.03 + the exact 95 % upper bound of 7 in 150, 0.0857.
  expect(bound.bound).toBeCloseTo(0.03 + 0.0857, 3);
  expect(bound).toMatchObject({ rulings: 150, teacherErrors: 7 });
  expect(bound.delta).toBeCloseTo(0.15, 12);
});

test("a selective certificate does not compose with rulings on all rows", () => {
  const compose = () => truthBound(certificate("selective"), { rulings: 150, teacherErrors: 7 }, 0.05);
  expect(compose).toThrow("got selective against the teacher");
});

test("by stretches it says what it says request by request, and when the alarm sounds", async () => {
  const stretches = fc.array(requests, { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      stretches,
      fc.constantFrom("regret", "selective"),
      fc.double({ min: 0.01, max: 0.4, noNaN: true }),
      async (stream, kind, risk) => {
        let monitor = startMonitor(certificate(kind, risk));
        for (const stretch of stream) {
          const count = (is: (request: (typeof stretch)[number]) => boolean) => stretch.filter(is).length;
          const counts = {
            passed: count(({ answered }) => !answered),
            correct: count(({ answered, wrong }) => answered && !wrong),
            wrong: count(({ answered, wrong }) => answered && wrong),
          };
          monitor = await observeStretch(monitor, counts, async function* () {
            yield* stretch;
          });
        }
        const whole = monitorPolicy(certificate(kind, risk), stream.flat());
        const { evidence, ...said } = verdictOf(monitor);
        expect({ ...said, log: Math.log(evidence) }).toEqual({
          ...Object.fromEntries(Object.entries(whole).filter(([key]) => key !== "evidence")),
          log: expect.closeTo(Math.log(whole.evidence), 6),
        });
      },
    ),
  );
});

test("looks at single requests only where the alarm might sound", async () => {
  const unread = () => {
    throw new Error("nobody need look");
  };
  const quiet = await observeStretch(
    startMonitor(certificate("regret")),
    { passed: 900, correct: 95, wrong: 1 },
    unread,
  );
  expect(verdictOf(quiet)).toMatchObject({ kind: "holding", n: 996, errors: 1 });
});
