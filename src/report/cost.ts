/**
 * @file The cost worksheet, by the cost identity of SCIENCE D11:
 *
 *   cost a request = hosting + (1 − coverage + audited) · teacher call + rulings + retraining + labelling, spread out
 *
 * Everything that a month costs is in it, what came before (labelling, rulings) too. The assumptions are printed with the
 * figures; where one favours a side, it says which.
 */

import type { Estimate } from "../records.ts";
import type { Task } from "../task.ts";
import { count, duration, percent, usd } from "./format.ts";
import type { CostInputs, CostSection, Range, Section, VolumeCost } from "./report-data.ts";

const VOLUMES = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000] as const;
/** The volume at which the headline and `summary.json` quote cost. */
export const REFERENCE_VOLUME = 1_000_000;
const WARM_UP_MONTHS = 12;
const RETRAININGS_PER_MONTH = 4;
/** Mean load of a host as a share of what it can do: traffic comes in peaks. */
const UTILISATION = 0.25;
const SECONDS_PER_MONTH = (365.25 * 24 * 3600) / 12;
/** A person sees this share of audits (SCIENCE D8), up to a number that settles the estimate whatever the volume. */
const RULED_SHARE_OF_AUDITS = 0.1;
const RULINGS_PER_MONTH_AT_MOST = 200;

export type CostQuestion = {
  readonly task: Pick<Task, "audit" | "costs">;
  /** Share of traffic that the student answers; zero where nothing is certified. */
  readonly coverage: Estimate;
  /** Mean price of one teacher answer; 0 where it is unknown. */
  readonly teacherPerCallUsd: number;
  /** Everything spent on the teacher except for live traffic. */
  readonly labellingUsd: number;
  readonly rulings: number;
  readonly imagesPerSecond?: number | undefined;
  readonly trainingMs: number;
};

export function costWorksheet(question: CostQuestion): Section<CostSection> {
  if (!(question.teacherPerCallUsd > 0)) {
    return {
      missing: "The teacher's answers carry no price, so nothing can be compared.",
      next: "teacher.price in the config",
    };
  }
  const inputs = costInputs(question);
  const at = (coverage: number) => costAt({ ...inputs, ...shares(question, coverage) }, REFERENCE_VOLUME);
  const [value, low, high] = [at(inputs.coverage.value), at(inputs.coverage.low), at(inputs.coverage.high)];
  const range = (read: (cost: VolumeCost) => number): Range => ordered(read(value), read(low), read(high));
  const breakEvenPerMonth = fewestRequests((volume) => costAt(inputs, volume).savedShare > 0);
  const paidBackAfter = paybackOf(inputs);
  return {
    inputs,
    volumes: VOLUMES.map((volume) => costAt(inputs, volume)),
    ...(breakEvenPerMonth !== undefined && { breakEvenPerMonth }),
    ...(paidBackAfter !== undefined && { paidBackAfter }),
    referenceVolume: REFERENCE_VOLUME,
    perThousandLlmUsd: 1000 * inputs.teacherPerCallUsd,
    perThousandFlywheelUsd: range(({ flywheelUsd }) => (1000 * flywheelUsd) / REFERENCE_VOLUME),
    savedShare: range(({ savedShare }) => savedShare),
    savedPerMonthUsd: range(({ llmUsd, flywheelUsd }) => llmUsd - flywheelUsd),
    assumptions: assumptionsOf(question, inputs),
  };
}

/** USD for a thousand requests at the reference volume, if the student answered `coverage` of the traffic. */
export function perThousandAt(question: CostQuestion, coverage: number): number | undefined {
  if (!(question.teacherPerCallUsd > 0)) return undefined;
  const inputs = { ...costInputs(question), ...shares(question, coverage) };
  return (1000 * costAt(inputs, REFERENCE_VOLUME).flywheelUsd) / REFERENCE_VOLUME;
}

/** Shares of traffic at a coverage: answered, and shown to the teacher although the student could answer. */
function shares({ task: { audit } }: CostQuestion, coverage: number) {
  const auditedShare = coverage * (audit.uniformRate + (1 - audit.uniformRate) * audit.rate);
  return { coverage: { value: coverage, low: coverage, high: coverage, n: 0 }, auditedShare };
}

function costInputs(question: CostQuestion): CostInputs {
  const { task, coverage, imagesPerSecond, trainingMs } = question;
  const hostingPerMonthUsd = task.costs.hostingPerMonthUsd;
  return {
    teacherPerCallUsd: question.teacherPerCallUsd,
    ...shares(question, coverage.value),
    coverage,
    hostingPerMonthUsd,
    ...(imagesPerSecond && { hostCapacityPerMonth: imagesPerSecond * UTILISATION * SECONDS_PER_MONTH }),
    reviewPerRulingUsd: task.costs.reviewPerRulingUsd,
    rulingsPerMonthAtMost: RULINGS_PER_MONTH_AT_MOST,
    warmUpUsd: { labelling: question.labellingUsd, rulings: question.rulings * task.costs.reviewPerRulingUsd },
    warmUpMonths: WARM_UP_MONTHS,
    retrainPerMonthUsd: (RETRAININGS_PER_MONTH * hostingPerMonthUsd * trainingMs) / (1000 * SECONDS_PER_MONTH),
  };
}

/** One month at one volume. */
export function costAt(inputs: CostInputs, perMonth: number): VolumeCost {
  const { teacherPerCallUsd, coverage, auditedShare, warmUpUsd } = inputs;
  const hosts = inputs.hostCapacityPerMonth ? Math.max(1, Math.ceil(perMonth / inputs.hostCapacityPerMonth)) : 1;
  const rulings = Math.min(RULED_SHARE_OF_AUDITS * auditedShare * perMonth, inputs.rulingsPerMonthAtMost);
  const llmUsd = perMonth * teacherPerCallUsd;
  const parts = {
    hostingUsd: hosts * inputs.hostingPerMonthUsd,
    escalationsUsd: perMonth * (1 - coverage.value) * teacherPerCallUsd,
    auditsUsd: perMonth * auditedShare * teacherPerCallUsd,
    rulingsUsd: rulings * inputs.reviewPerRulingUsd,
    retrainUsd: inputs.retrainPerMonthUsd,
    warmUpUsd: (warmUpUsd.labelling + warmUpUsd.rulings) / inputs.warmUpMonths,
  };
  const flywheelUsd = Object.values(parts).reduce((sum, part) => sum + part, 0);
  return { perMonth, llmUsd, ...parts, flywheelUsd, savedShare: 1 - flywheelUsd / llmUsd };
}

/** Requests, at the saving on teacher calls, after which labelling and rulings so far are paid for. */
function paybackOf({ teacherPerCallUsd, coverage, auditedShare, warmUpUsd }: CostInputs): number | undefined {
  const savedPerRequest = teacherPerCallUsd * (coverage.value - auditedShare);
  return savedPerRequest > 0 ? Math.ceil((warmUpUsd.labelling + warmUpUsd.rulings) / savedPerRequest) : undefined;
}

const LARGEST_VOLUME = 1e11;

/** The first volume, on a fine geometric grid and then exactly, at which `pays` holds. Hosts come in steps: scan first. */
function fewestRequests(pays: (volume: number) => boolean): number | undefined {
  let low = 1;
  while (!pays(low * 1.05)) {
    low *= 1.05;
    if (low > LARGEST_VOLUME) return undefined;
  }
  let high = low * 1.05;
  while (high - low > 1) {
    const middle = (low + high) / 2;
    if (pays(middle)) high = middle;
    else low = middle;
  }
  return Math.ceil(high);
}

const ordered = (value: number, one: number, other: number): Range => ({
  value,
  low: Math.min(value, one, other),
  high: Math.max(value, one, other),
});

function assumptionsOf({ task, imagesPerSecond, trainingMs }: CostQuestion, inputs: CostInputs): readonly string[] {
  const { audit } = task;
  return [
    `A teacher answer costs ${usd(inputs.teacherPerCallUsd)}, the mean of the answers so far, on both sides. Live traffic asks once; the second pass is for labelling only.`,
    `Traffic looks like the rows measured here: coverage ${percent(inputs.coverage.value)}. Ranges follow the interval of coverage alone.`,
    `Audited although confident: ${percent(audit.uniformRate)} of all traffic and ${percent(audit.rate)} of the rest that the student answers. The teacher alone is charged no audits, which favours it.`,
    `A person rules on ${percent(RULED_SHARE_OF_AUDITS, 0)} of audits, at most ${count(RULINGS_PER_MONTH_AT_MOST)} a month, at ${usd(inputs.reviewPerRulingUsd)} each.`,
    hostingAssumption(inputs, imagesPerSecond),
    `Retraining ${RETRAININGS_PER_MONTH} times a month takes ${duration(trainingMs)} of one host each time.`,
    `Labelling and rulings so far (${usd(inputs.warmUpUsd.labelling + inputs.warmUpUsd.rulings)}) are spread over ${WARM_UP_MONTHS} months.`,
    "Nobody's working time is counted on either side except rulings: setting the wheel up is not, nor is keeping a prompt in shape. Prices of teachers tend to fall, which favours the teacher.",
  ];
}

function hostingAssumption(
  { hostingPerMonthUsd, hostCapacityPerMonth }: CostInputs,
  perSecond: number | undefined,
): string {
  const host = `One host costs ${usd(hostingPerMonthUsd)} a month whether it works or not`;
  if (!hostCapacityPerMonth || !perSecond)
    return `${host}; how much it can serve has not been measured, so one is assumed to do.`;
  return `${host} and serves ${count(hostCapacityPerMonth / 1e6)} million requests: ${count(perSecond)} a second at ${percent(UTILISATION, 0)} mean load.`;
}
