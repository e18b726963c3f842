/** @file Confusion matrix: rows the truth, columns the student, shaded by the share of the row. */

import * as Plot from "@observablehq/plot";
import { count, percent, shorten } from "../format.ts";
import type { EvaluationSection } from "../report-data.ts";
import { basisOf } from "../wording.ts";
import { type Chart, chart } from "./draw.ts";
import { labelMargin } from "./marks.ts";
import { colours } from "./theme.ts";

export type ConfusionCell = {
  readonly truth: string;
  readonly student: string;
  readonly count: number;
  /** Of the rows of that truth. */
  readonly share: number;
  readonly right: boolean;
};

/** Cells past this many classes are too small to read; those with most errors are drawn, the table has them all. */
export const MOST_CLASSES_DRAWN = 24;

/** The classes drawn, in the task's order. */
export function classesDrawn({ classes, confusion }: EvaluationSection): readonly string[] {
  if (classes.length <= MOST_CLASSES_DRAWN) return classes;
  const errors = classes.map((_, i) => errorsAround(confusion, i));
  const worst = [...classes.keys()].sort((a, b) => errors[b]! - errors[a]! || a - b).slice(0, MOST_CLASSES_DRAWN);
  return worst.sort((a, b) => a - b).map((index) => classes[index]!);
}

function errorsAround(confusion: EvaluationSection["confusion"], index: number): number {
  const missed = confusion[index]!.reduce((sum, n) => sum + n, 0);
  const claimed = confusion.reduce((sum, row) => sum + row[index]!, 0);
  return missed + claimed - 2 * confusion[index]![index]!;
}

/** Every pair of drawn classes that occurs. */
export function confusionCells(evaluation: EvaluationSection): readonly ConfusionCell[] {
  const { classes, confusion } = evaluation;
  const drawn = new Set(classesDrawn(evaluation));
  return classes.flatMap((truth, i) => {
    const support = confusion[i]!.reduce((sum, n) => sum + n, 0);
    return classes.flatMap((student, j) => {
      const cell = confusion[i]![j]!;
      if (cell === 0 || !drawn.has(truth) || !drawn.has(student)) return [];
      return [{ truth, student, count: cell, share: cell / support, right: i === j }];
    });
  });
}

export function confusionChart(evaluation: EvaluationSection): Chart {
  const cells = confusionCells(evaluation);
  const domain = classesDrawn(evaluation);
  const text = {
    name: "confusion",
    title: "Confusion matrix",
    basis: basisOf(evaluation),
    description: `Counts of held-out rows by true class and by the student's answer. ${describeWorst(cells)}`,
  };
  return chart(text, (size, width) => {
    const longest = size === "wide" ? 18 : domain.length > 12 ? 8 : 13;
    const short = (label: string) => shorten(label, longest);
    const marginLeft = labelMargin(domain.map(short), { least: 40, most: 140 });
    const side = (width - marginLeft - 8) / domain.length;
    const turned = side < Math.max(...domain.map((label) => 7 * short(label).length));
    const marginTop = turned ? 26 + labelMargin(domain.map(short), { least: 20, most: 130 }) : 50;
    const height = marginTop + domain.length * Math.min(Math.max(side, 13), size === "wide" ? 58 : 52) + 8;
    return {
      height,
      marginLeft,
      marginRight: 8,
      marginTop,
      marginBottom: 8,
      x: { domain, axis: null },
      y: { domain, axis: null },
      opacity: { domain: [0, 1], range: [0.06, 1] },
      marks: [
        Plot.axisX({ anchor: "top", tickSize: 0, tickFormat: short, tickRotate: turned ? -90 : 0, label: null }),
        Plot.axisY({ tickSize: 0, tickFormat: short, label: null }),
        axisName("truth", { dx: -marginLeft, dy: -8 }),
        axisName("student’s answer", { dx: 0, dy: 14 - marginTop }),
        ...cellMarks(cells, side >= 22),
      ],
    };
  });
}

/** Beside the corner where rows and columns meet. */
function axisName(name: string, place: { readonly dx: number; readonly dy: number }): Plot.Markish {
  return Plot.text([name], {
    ...place,
    frameAnchor: "top-left",
    lineAnchor: "middle",
    textAnchor: "start",
    fill: colours.muted,
  });
}

function cellMarks(cells: readonly ConfusionCell[], numbered: boolean): Plot.Markish[] {
  const place = { x: "student", y: "truth", inset: 1, rx: 3, fillOpacity: "share", title: cellTitle } as const;
  const numbers = { x: "student", y: "truth", text: (cell: ConfusionCell) => count(cell.count) } as const;
  const onDark = cells.filter((cell) => cell.share > 0.55);
  return [
    Plot.cell(
      cells.filter((cell) => cell.right),
      { ...place, fill: colours.student },
    ),
    Plot.cell(
      cells.filter((cell) => !cell.right),
      { ...place, fill: colours.error },
    ),
    ...(numbered
      ? [
          Plot.text(onDark, { ...numbers, fill: colours.surface, fontWeight: 600 }),
          Plot.text(
            cells.filter((cell) => cell.share <= 0.55),
            { ...numbers, fill: colours.ink },
          ),
        ]
      : []),
  ];
}

function cellTitle({ truth, student, count: n, share }: ConfusionCell): string {
  return `${truth} answered as ${student}: ${count(n)} (${percent(share)} of ${truth})`;
}

function describeWorst(cells: readonly ConfusionCell[]): string {
  const worst = cells.filter((cell) => !cell.right).sort((a, b) => b.count - a.count)[0];
  return worst ? `Most frequent mistake: ${cellTitle(worst)}.` : "No mistakes.";
}
