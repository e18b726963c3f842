/** @file Every chart for which a report has the figures, in the order of the wheel. */

import { confidenceThreshold, present, type ReportData } from "../report-data.ts";
import { classMeasuresChart } from "./class-measures.ts";
import { confidenceChart } from "./confidence.ts";
import { confusionChart } from "./confusion.ts";
import { costVolumeChart } from "./cost-volume.ts";
import type { Chart } from "./draw.ts";
import { latencyChart } from "./latency.ts";
import { reliabilityChart } from "./reliability.ts";
import { riskCoverageChart } from "./risk-coverage.ts";
import { accuracyChart, accuracyPoints, escalationChart, escalationPoints } from "./rounds.ts";
import { thresholdsChart, tradePoints } from "./thresholds.ts";
import { trainingChart } from "./training.ts";

export function chartsOf(data: ReportData): readonly Chart[] {
  return [...studentCharts(data), ...policyCharts(data), ...servingCharts(data)];
}

function studentCharts(data: ReportData): readonly Chart[] {
  const [student, evaluation, calibration] = [
    present(data.student),
    present(data.evaluation),
    present(data.calibration),
  ];
  return [
    ...(evaluation ? [confusionChart(evaluation), classMeasuresChart(evaluation)] : []),
    ...(student && student.history.length > 1 ? [trainingChart(student)] : []),
    ...(calibration
      ? [reliabilityChart(calibration), confidenceChart(calibration, confidenceThreshold(present(data.policy)))]
      : []),
  ];
}

function policyCharts({ policy }: ReportData): readonly Chart[] {
  const section = present(policy);
  const curve = section && present(section.curve);
  return [
    ...(section && curve ? [riskCoverageChart(curve, section.target)] : []),
    ...(section && curve && tradePoints(section.thresholds).length > 0
      ? [thresholdsChart(section.thresholds, curve)]
      : []),
  ];
}

function servingCharts({ latency, rounds, sinceLastRound, cost }: ReportData): readonly Chart[] {
  const [timed, worksheet] = [present(latency), present(cost)];
  return [
    ...(timed ? [latencyChart(timed)] : []),
    ...(escalationPoints(rounds, sinceLastRound).length > 0 ? [escalationChart(rounds, sinceLastRound)] : []),
    ...(accuracyPoints(rounds).length > 0 ? [accuracyChart(rounds)] : []),
    ...(worksheet ? [costVolumeChart(worksheet)] : []),
  ];
}
