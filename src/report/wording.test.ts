import { expect, test } from "vitest";
import { type Certificate, modelId } from "../records.ts";
import type { PolicySection } from "./report-data.ts";
import { certificateClauses, noCertificateText, standingOf } from "./wording.ts";

const certificate: Certificate = {
  target: { kind: "regret", risk: 0.03, delta: 0.1 },
  deltaSpent: 0.0608,
  reference: "teacher",
  bound: 0.0273,
  n: 383,
  accepted: 211,
  errors: 6,
  dataHash: "d",
  modelId: modelId("m"),
  promptVersion: "f73e",
  issuedAt: 0,
};

const policy: PolicySection = {
  policyId: "p",
  target: certificate.target,
  reference: "teacher",
  threshold: 0.976,
  certificate,
  promptChanged: false,
  coverage: { value: 0.55, low: 0.5, high: 0.6, n: 383 },
  selectiveRisk: { value: 0.028, low: 0.011, high: 0.061, n: 211 },
  warnings: [],
  curve: { missing: "", next: "" },
  thresholds: [],
};

const clauses = (changes: Partial<PolicySection> = {}, changed: Partial<Certificate> = {}) => {
  const context = { teacher: "google/gemini-2.5-flash", teacherAccuracy: undefined };
  const list = certificateClauses({ ...policy, ...changes }, { ...certificate, ...changed }, context);
  return Object.fromEntries(list.map(({ name, text }) => [name, text.replaceAll("\u202f", " ")]));
};

test("the certificate says what is promised, to whom, how surely, against whom, and what voids it", () => {
  const said = clauses();
  expect(said["What is promised"]).toBe(
    "Of all requests, at most 3 % get an answer from the student that differs from what the teacher says.",
  );
  expect(said["To whom"]).toContain("383 rows");
  expect(said["How sure"]).toContain("at least 93.9 %");
  expect(said["How sure"]).toContain("δ = 0.061, its part of the 0.1 allowed over all certificates");
  expect(said["How sure"]).toContain("6 wrong in 383; upper bound 2.73 %");
  expect(said["What counts as right"]).toContain("google/gemini-2.5-flash");
  expect(said["What counts as right"]).toContain("not known");
  expect(said["In force"]).toContain("211 of the 383");
  expect(said["What voids it"]).toContain("f73e");
  expect(said).not.toHaveProperty("Of the truth");
});

test("a selective promise counts the answers given, not all requests", () => {
  const said = clauses({}, { target: { kind: "selective", risk: 0.05, delta: 0.1 } });
  expect(said["What is promised"]).toContain("Of the answers that the student gives, at most 5 %");
  expect(said["How sure"]).toContain("6 wrong in 211");
});

test("what rulings say of the truth is added where there are any", () => {
  const truth = { bound: 0.114, delta: 0.2, rulings: 120, teacherErrors: 6 };
  expect(clauses({ truth })["Of the truth"]).toContain("At most 11.4 % of all requests get a wrong answer");
});

test("a policy stands certified only while nothing has voided it", () => {
  const { certificate: _, threshold: __, ...bare } = policy;
  expect(standingOf(undefined)).toBe("none");
  expect(standingOf(policy)).toBe("certified");
  expect(standingOf({ ...policy, promptChanged: true })).toBe("voided");
  expect(standingOf({ ...policy, voided: "the monitor alarmed" })).toBe("voided");
  expect(standingOf(bare)).toBe("uncertified");
});

test("without a certificate the reason is given, and the rows that would mend it", () => {
  const { certificate: _, ...bare } = policy;
  const noCertificate = { reason: "no threshold keeps the risk", moreRowsNeeded: 240 };
  expect(noCertificateText({ ...bare, noCertificate })).toBe(
    "No threshold keeps the risk. At the error rates seen, about 240 more certify rows would do.",
  );
  expect(noCertificateText({ ...bare, noCertificate: { reason: "too weak." } })).toContain("has to get better first");
});

test("the recall of a class and classes that are never answered are clauses of their own, with their numbers and what is not watched", () => {
  const recall = [{ value: "threat", recall: 0.95, bound: 0.9512, n: 61, missed: 0, delta: 0.05 }];
  const said = clauses({ never: ["spam"] }, { recall });
  expect(said["Recall of threat"]).toContain("at least 95 % are not answered with another class");
  expect(said["Recall of threat"]).toContain("0 missed in 61; lower bound 95.12 %");
  expect(said["Recall of threat"]).toContain("not monitored");
  expect(said["Never answered"]).toBe("Where the student says spam, the teacher is asked.");
  expect(clauses()).not.toHaveProperty("Never answered");
});
