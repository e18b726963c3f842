/** @file Writes a commented config: the first thing that a new user reads after the README. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FlywheelError } from "../errors.ts";
import { configsIn } from "./config.ts";

/** @returns the path written @throws FlywheelError `config_exists`, under whichever of its names */
export async function initWorkspace(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const [found] = await configsIn(directory);
  if (found !== undefined) {
    throw new FlywheelError("config_exists", `${found} exists already`, { hint: "edit it, or name another --dir" });
  }
  const path = join(directory, "flywheel.config.ts");
  await writeFile(path, template, { flag: "wx" });
  return path;
}

const template = `import type { TaskDefinition } from "llm-flywheel";

export default {
  name: "fruit",
  // "image", "text" (CSV, JSONL, JSON, Parquet, text files, logs of an LLM) or "record" (rows of features).
  input: "image",
  // Texts and records: what the columns are. Gold only ever measures; it is never a feature.
  // columns: { text: "sentence", gold: "label", id: "nr" },
  // columns: { features: { age: "number", plan: "category", vip: "boolean" }, gold: "churned" },
  // Texts with further columns are records: how often words and pairs of words occur, beside the other features.
  // columns: { features: { subject: "text", body: "text", sender: "category", attachments: "number" } },

  // One of K labels ("choice"), yes / no ("predicate"), or ordered levels ("score", levels: ["calm", "cross", "furious"]).
  // Several at once, in one call to the teacher, each certified for itself: instead of output, fields: { NAME: {
  // instructions, output, target? }, … } and answer: "each" (field by field) or "together" (the whole row or none of it),
  // in a FieldsTaskDefinition. Gold then has a column a field.
  output: {
    kind: "choice",
    choices: [
      "apple",
      { value: "pear", description: "any pear, green ones too" },
      { value: "sweet_pepper", synonyms: ["bell pepper", "capsicum"] },
    ],
  },
  instructions: "Which fruit or vegetable does the photo show?",

  // google/…, openai/…, anthropic/…, or compatible/… with a baseUrl (OpenRouter, Ollama, vLLM).
  // The key is read from the environment (GOOGLE_GENERATIVE_AI_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY, or the
  // variable that you name in apiKeyEnv), and is never stored.
  teacher: {
    model: "google/gemini-2.5-flash",
    // secondModel: "openai/gpt-5-mini", // pass 2 by another model: agreement then means more
    // baseUrl: "http://127.0.0.1:11434/v1",
    // price: { inputPerMillionUsd: 0.3, outputPerMillionUsd: 2.5 }, // overrides the bundled price list
  },

  // Images: mobilenet-v3-small, mobilenet-v2, mobilenet-v4-conv-small, or "onnx" with any ONNX classifier in \`weights\`.
  // Texts: linear-text, xgboost (on counts of words), or embedding-text and encoder-text with an encoder in \`weights\` (a
  // folder, or a hub name: docs/text.md). Records: xgboost. "auto" compares those that fit, and takes the cheapest of the best.
  student: {
    trainer: "mobilenet-v3-small",
    // weights: "hf:timm/mobilenetv3_small_100.lamb_in1k",
    // weights: "hf:sentence-transformers/all-MiniLM-L6-v2", // texts; or "hf:minishlab/potion-base-8M", static and small
    // committee: "folds", // further students that may say what is not to be answered; kept only where they help
  },

  // regret: at most 3 % of ALL traffic may be answered locally and wrong.
  // selective: at most that share of what is ANSWERED locally may be wrong.
  // Kept with probability 1 − delta; certified against the teacher, or against people's rulings.
  target: { kind: "regret", risk: 0.03, delta: 0.1 },
  reference: "teacher",

  // A hard stop for everything that the teacher is ever asked in this workspace.
  budgetUsd: 5,

  // uniformRate: share of all traffic that is labelled whatever the student says; it certifies and monitors.
  // rate: mean share of confident traffic that is audited besides.
  audit: { uniformRate: 0.01, rate: 0.02 },

  // When the teacher is down or over budget: answer-flagged, refuse, or queue.
  whenTeacherDown: "answer-flagged",
} satisfies TaskDefinition;
`;
