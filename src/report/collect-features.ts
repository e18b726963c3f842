/** @file What a student of records reads, and how much each part moves its answer: from the options on its card. */

import { z } from "zod";
import type { ModelCard } from "../records.ts";
import type { FeatureSection } from "./report-data.ts";

const Importances = z.record(z.string(), z.number());
const Found = z.object({ shap: Importances, gain: Importances });

/** The largest first; none for students that have no features by name. */
export function featuresOf({ options }: Pick<ModelCard, "options">): readonly FeatureSection[] {
  const parsed = Found.safeParse(options);
  if (!parsed.success) return [];
  const { shap, gain } = parsed.data;
  return Object.entries(shap)
    .map(([name, value]) => ({ name, shap: value, gain: gain[name] ?? 0 }))
    .sort((a, b) => b.shap - a.shap);
}

const Warned = z.object({ warnings: z.array(z.string()) });

/** What training had to say of its columns and classes. */
export function warningsOf({ options }: Pick<ModelCard, "options">): readonly string[] {
  const parsed = Warned.safeParse(options);
  return parsed.success ? parsed.data.warnings : [];
}
