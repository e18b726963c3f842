/** @file How fast the student answers, measured here, and how that compares with the teacher. */

import { applyCalibrator } from "../calibrate/calibrator.ts";
import type { Student, StudentInput } from "../contracts.ts";
import { bestScore } from "../deferral.ts";
import { quantiles } from "../math/quantile.ts";
import type { Policy } from "../records.ts";
import type { LatencyQuantiles, LatencySection, Section } from "./report-data.ts";

export type LatencyMeasurement = {
  readonly singleMs: readonly number[];
  readonly imagesPerSecond: number;
};

export type MeasureOptions = {
  readonly student: Student;
  /** A sample of real inputs; fewer are repeated. */
  readonly inputs: readonly StudentInput[];
  /** Milliseconds of any origin, with fractions. */
  readonly nowMs: () => number;
  readonly signal?: AbortSignal | undefined;
};

/** Under a committee a decision is more than the student's: its members are asked wherever the router would ask them. */
export function asServed(student: Student, policy: Policy | undefined): Student {
  const { committee, threshold = Number.POSITIVE_INFINITY } = policy ?? {};
  if (!policy || !committee) return student;
  return {
    ...student,
    async predictLogits(batch, signal) {
      const logits = await student.predictLogits(batch, signal);
      const { confidence } = applyCalibrator(policy.calibrator, logits, student.classes.length);
      const asked = batch.filter((_, row) => bestScore(confidence[row]!, committee) >= threshold);
      if (asked.length > 0) await student.committee?.dissent(asked, signal);
      return logits;
    },
  };
}

const WARM_UPS = 3;
const SINGLES = 40;
const BATCH_SIZE = 16;
const BATCHES = 4;

/** Rows one by one, as a caller waits for them, then in batches. The first few are not counted: they load and allocate. */
export async function measureLatency(options: MeasureOptions): Promise<LatencyMeasurement> {
  const { inputs } = options;
  const some = (from: number, size: number) =>
    Array.from({ length: size }, (_, index) => inputs[(from + index) % inputs.length]!);
  for (let turn = 0; turn < WARM_UPS; turn++) await timed(options, some(turn, 1));
  const singleMs: number[] = [];
  for (let turn = 0; turn < SINGLES; turn++) singleMs.push(await timed(options, some(turn, 1)));
  await timed(options, some(0, BATCH_SIZE));
  let batchesMs = 0;
  for (let turn = 0; turn < BATCHES; turn++) batchesMs += await timed(options, some(turn * BATCH_SIZE, BATCH_SIZE));
  return { singleMs, imagesPerSecond: (1000 * BATCHES * BATCH_SIZE) / batchesMs };
}

async function timed({ student, nowMs, signal }: MeasureOptions, inputs: readonly StudentInput[]): Promise<number> {
  // New objects, as every request is one: students remember what they said of an input for as long as it lives.
  const batch = inputs.map((input) => ({ ...input }));
  const startedMs = nowMs();
  await student.predictLogits(batch, signal);
  return nowMs() - startedMs;
}

export type ServedLatency = { readonly ms: number; readonly requests: number };

export type LatencySources = {
  readonly measured?: LatencyMeasurement | undefined;
  /** Requests that the student answered alone, by how long they took. */
  readonly served: readonly ServedLatency[];
  readonly teacherMs: readonly number[];
};

export function latencySection({ measured, served, teacherMs }: LatencySources): Section<LatencySection> {
  const student = measured ? quantilesOf(measured.singleMs) : countedQuantiles(served);
  const teacher = quantilesOf(teacherMs);
  if (!student && !teacher) return { missing: "Nothing has been timed yet.", next: "flywheel train" };
  const imagesPerSecond = measured?.imagesPerSecond ?? (student && 1000 / meanOf(served));
  return {
    studentBasis: measured ? "measured" : "served",
    ...(student && { student }),
    ...(teacher && { teacher }),
    ...(imagesPerSecond !== undefined && { imagesPerSecond }),
    ...(student && teacher && { speedup: teacher.p50Ms / student.p50Ms }),
  };
}

function quantilesOf(valuesMs: readonly number[]): LatencyQuantiles | undefined {
  if (valuesMs.length === 0) return undefined;
  const [p50Ms, p95Ms] = quantiles(valuesMs, [0.5, 0.95]);
  return { p50Ms: p50Ms!, p95Ms: p95Ms!, n: valuesMs.length };
}

/** Of values that are sorted and counted. */
function countedQuantiles(served: readonly ServedLatency[]): LatencyQuantiles | undefined {
  const n = requestsIn(served);
  if (n === 0) return undefined;
  const at = (q: number): number => {
    let below = 0;
    const found = served.find(({ requests }) => {
      below += requests;
      return below >= q * n;
    });
    return found!.ms;
  };
  return { p50Ms: at(0.5), p95Ms: at(0.95), n };
}

const meanOf = (served: readonly ServedLatency[]): number =>
  served.reduce((sum, { ms, requests }) => sum + ms * requests, 0) / requestsIn(served);
const requestsIn = (served: readonly ServedLatency[]): number =>
  served.reduce((sum, { requests }) => sum + requests, 0);
