/** @file How much could be answered locally, at which risk: one curve for one decision, with its certified points. */

import * as Plot from "@observablehq/plot";
import { type Chart, chart } from "../report/charts/draw.ts";
import { legend } from "../report/charts/marks.ts";
import { riskCoverageFrame, thinned } from "../report/charts/risk-coverage.ts";
import { colours } from "../report/charts/theme.ts";
import { percent, sample } from "../report/format.ts";
import type { FieldStudy } from "./study-decision.ts";

/** @param nth makes its name its own on the page */
export function decisionChart({ curve, levels, agreement }: FieldStudy, nth: string): Chart {
  const points = thinned(curve, 300);
  const certified = levels.flatMap(({ risk, coverage, bound }) =>
    bound === undefined ? [] : [{ coverage: coverage.value, risk: bound, allowed: risk }],
  );
  const mostRisk = Math.max(0.1, ...points.map(({ risk }) => risk)) * 1.1;
  const text = {
    name: `decision-${nth}`,
    title: "Answered locally, and answered otherwise than by the LLM",
    basis: `against the LLM’s answers, ${sample(agreement.n)}`,
    description: describe(certified),
  };
  return chart(text, (size) => ({
    height: size === "wide" ? 340 : 330,
    ...riskCoverageFrame({ mostRisk, coverage: "share of calls answered locally" }, [
      Plot.line(points, { x: "coverage", y: "risk", stroke: colours.student, strokeWidth: 2 }),
      Plot.dot(certified, {
        x: "coverage",
        y: "risk",
        r: 5,
        fill: colours.certified,
        stroke: colours.surface,
        strokeWidth: 2,
      }),
      ...legend([
        { text: "seen on held-out calls", colour: colours.student, shape: "line" },
        { text: "certified", colour: colours.certified, shape: "circle" },
      ]),
    ]),
  }));
}

function describe(certified: readonly { readonly coverage: number; readonly allowed: number }[]): string {
  if (certified.length === 0) return "Nothing could be certified on so few calls.";
  const points = certified.map(
    ({ coverage, allowed }) => `${percent(coverage)} at a risk of at most ${percent(allowed, 0)}`,
  );
  return `Certified: ${points.join(", ")}.`;
}
