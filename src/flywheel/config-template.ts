/** @file The commented config that `flywheel init` writes: the first thing that a new user reads after the README. */

import type { Task } from "../task.ts";

export type InputKind = Task["input"];

/** A TypeScript module; every line that is not a comment is a choice that the user should look at. */
export function configTemplate(input: InputKind): string {
  const { name, rows, question, student } = examples[input];
  return `import type { TaskDefinition } from "llm-flywheel";

export default {
  name: "${name}",
${rows}

  // One of K labels ("choice"), yes / no ("predicate"), or ordered levels ("score", levels: ["calm", "cross", "furious"]).
  // Several at once, in one call to the teacher, each certified for itself: instead of output, fields: { NAME: {
  // instructions, output, target? }, … } and answer: "each" (field by field) or "together" (the whole row or none of it),
  // in a FieldsTaskDefinition. Gold then has a column a field.
${question}

  // google/…, openai/…, anthropic/…, or compatible/… with a baseUrl (OpenRouter, Ollama, vLLM).
  // The key is read from the environment (GOOGLE_GENERATIVE_AI_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY, or the
  // variable that you name in apiKeyEnv), and is never stored.
  teacher: {
    model: "google/gemini-2.5-flash",
    // secondModel: "openai/gpt-5-mini", // pass 2 by another model: agreement then means more
    // baseUrl: "http://127.0.0.1:11434/v1",
    // price: { inputPerMillionUsd: 0.3, outputPerMillionUsd: 2.5 }, // overrides the bundled price list
  },

${student}

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

  // Decisions are kept for ever; with this, for so many days. Counters, labels and certificates stay.
  // retention: { decisionDays: 90 },
} satisfies TaskDefinition;
`;
}

type Example = {
  readonly name: string;
  /** What a row is, and where its parts stand. */
  readonly rows: string;
  readonly question: string;
  readonly student: string;
};

const committee = `// committee: "folds", // further students that may say what is not to be answered; kept only where they help`;

const examples: { readonly [K in InputKind]: Example } = {
  image: {
    name: "fruit",
    rows: `  // Photos: a folder of them, or a CSV or JSONL that lists them. The other inputs: flywheel init --input text, --input record.
  input: "image",`,
    question: `  output: {
    kind: "choice",
    choices: [
      "apple",
      { value: "pear", description: "any pear, green ones too" },
      { value: "sweet_pepper", synonyms: ["bell pepper", "capsicum"] },
    ],
  },
  instructions: "Which fruit or vegetable does the photo show?",`,
    student: `  // mobilenet-v3-small, mobilenet-v2, mobilenet-v4-conv-small, or "onnx" with any ONNX classifier in \`weights\`. From scratch
  // where there are no weights.
  student: {
    trainer: "mobilenet-v3-small",
    // weights: "hf:timm/mobilenetv3_small_100.lamb_in1k",
    ${committee}
  },`,
  },
  text: {
    name: "tickets",
    rows: `  // Texts: a column of CSV, JSONL, JSON or Parquet, a folder of text files, or the log of an LLM, whose answers are labels for
  // free. With further columns beside them, texts are records. The other inputs: flywheel init --input image, --input record.
  input: "text",
  // The column "text", "input", "sentence", "content" or "message", unless said. Gold only ever measures.
  // columns: { text: "body", gold: "topic", id: "nr" },`,
    question: `  output: {
    kind: "choice",
    choices: [
      "billing",
      { value: "outage", description: "something that worked does not work any more" },
      { value: "how_to", synonyms: ["question", "usage"] },
    ],
  },
  instructions: "What is the customer's message about?",`,
    student: `  // linear-text, xgboost (on counts of words), or, with an encoder in \`weights\` (a folder, or a hub name: docs/text.md),
  // embedding-text and encoder-text. "auto" compares those that fit, and takes the cheapest of the best.
  student: {
    trainer: "auto",
    // weights: "hf:sentence-transformers/all-MiniLM-L6-v2", // or "hf:minishlab/potion-base-8M", static and small
    ${committee}
  },`,
  },
  record: {
    name: "orders",
    rows: `  // Records: rows of CSV, JSONL, JSON or Parquet. The other inputs: flywheel init --input image, --input text.
  input: "record",
  // Every column is a feature but gold, which only ever measures, id, and those to ignore. \`flywheel ingest\` shows the types
  // that it inferred; or name the features, and theirs: number, category, boolean, or text (how often words occur).
  // columns: { gold: "fraud", id: "order_nr", ignore: ["exported_at"] },
  // columns: { features: { amount: "number", country: "category", gift: "boolean", message: "text" }, gold: "fraud" },`,
    question: `  output: { kind: "predicate" },
  instructions: "Does this order look like fraud?",`,
    student: `  // The real XGBoost, with its parameters under their own names (docs/xgboost.md).
  student: {
    trainer: "xgboost",
    // xgboost: { num_boost_round: 200, eta: 0.1, max_depth: 6, monotone_constraints: { amount: 1 } },
    ${committee}
  },`,
  },
};
