/**
 * @file A task: what is decided, by whom, how well and for how much. One schema gives the TypeScript type, the defaults,
 * the validation of a config file, the shape of the teacher's answer and the question on the wire.
 */

import { createHash, hash } from "node:crypto";
import { z } from "zod";
import { Columns } from "./columns.ts";
import { FlywheelError } from "./errors.ts";
import { createSpellingReader, findClash, type SpellingReader } from "./label-spelling.ts";
import { type LabelValue, type RowId, type Split, type SplitShares, TeacherDownPolicy } from "./records.ts";

const share = z.number().min(0).max(1);
const positive = z.number().positive();

const Choice = z.strictObject({
  value: z.string().min(1),
  description: z.string().optional(),
  /** Other spellings that a teacher or a reviewer may use; case, accents and most punctuation need none. */
  synonyms: z.array(z.string()).default([]),
});
export type Choice = z.output<typeof Choice>;

const Level = z.strictObject({ label: z.string().min(1), description: z.string().optional() });

const Output = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("choice"), choices: z.array(Choice).min(2).max(255) }),
  z.strictObject({
    kind: z.literal("predicate"),
    /** Other spellings of yes and no than true, yes, y, t, 1 and false, no, n, f, 0. */
    synonyms: z
      .strictObject({ true: z.array(z.string()).optional(), false: z.array(z.string()).optional() })
      .optional(),
  }),
  /** Levels from the lowest to the highest: a level's value is its place, from 0. */
  z.strictObject({ kind: z.literal("score"), levels: z.array(Level).min(2).max(10) }),
]);
export type Output = z.output<typeof Output>;

const Price = z.strictObject({
  inputPerMillionUsd: z.number().min(0),
  outputPerMillionUsd: z.number().min(0),
});

const TeacherOptions = z.strictObject({
  /** `google/…`, `openai/…`, `anthropic/…`, or `compatible/…` with `baseUrl` (OpenRouter, Ollama, vLLM, our simulator). */
  model: z.string().regex(/^[a-z-]+\/.+$/, "must be provider/model, e.g. google/gemini-2.5-flash"),
  baseUrl: z.url().optional(),
  /** Name of the environment variable that holds the key; the provider's usual one by default. Never the key itself. */
  apiKeyEnv: z.string().optional(),
  /** The model of pass 2 and 3, if it is to be another one than `model`. */
  secondModel: z.string().optional(),
  /** Overrides the price list. */
  price: Price.optional(),
  passes: z.union([z.literal(1), z.literal(2)]).default(2),
  /** Ceiling; the pace adapts below it. */
  maxConcurrency: z.int().min(1).max(1024).default(64),
  timeoutMs: z.int().min(1).default(60_000),
  maxAttempts: z.int().min(1).max(20).default(6),
});
export type TeacherOptions = z.output<typeof TeacherOptions>;

/** Record students: XGBoost's own parameters, under its names in `xgboost.train`; what is left out has XGBoost's default. */
const XgboostOptions = z.strictObject({
  /** Trees for each class. */
  num_boost_round: z.int().min(1).max(100_000).default(200),
  /** Stop after as many rounds without a better log loss on the calibrate split, and keep the best; 0: never. */
  early_stopping_rounds: z.int().min(0).default(20),
  eta: z.number().gt(0).max(1).default(0.1),
  max_depth: z.int().min(0).max(64).default(6),
  min_child_weight: z.number().min(0).optional(),
  gamma: z.number().min(0).optional(),
  max_delta_step: z.number().min(0).optional(),
  subsample: z.number().gt(0).max(1).optional(),
  colsample_bytree: z.number().gt(0).max(1).optional(),
  colsample_bylevel: z.number().gt(0).max(1).optional(),
  colsample_bynode: z.number().gt(0).max(1).optional(),
  lambda: z.number().min(0).optional(),
  alpha: z.number().min(0).optional(),
  scale_pos_weight: positive.optional(),
  tree_method: z.enum(["hist", "approx", "exact"]).default("hist"),
  grow_policy: z.enum(["depthwise", "lossguide"]).optional(),
  max_leaves: z.int().min(0).optional(),
  max_bin: z.int().min(2).optional(),
  num_parallel_tree: z.int().min(1).optional(),
  max_cat_to_onehot: z.int().min(1).optional(),
  max_cat_threshold: z.int().min(1).optional(),
  /** By feature: 1, the score may only rise with it; −1, only fall. Of two classes, the score is the second's. */
  monotone_constraints: z.record(z.string(), z.union([z.literal(-1), z.literal(0), z.literal(1)])).optional(),
});
export type XgboostOptions = z.output<typeof XgboostOptions>;

const NgramRange = z
  .tuple([z.int().min(1).max(8), z.int().min(1).max(8)])
  .refine(([least, most]) => least <= most, "must be [least, most]");

/** Text students: which n-grams are features, and how strongly weights are held back. */
const TextOptions = z.strictObject({
  /** N-grams of words; false: none. */
  words: z.union([NgramRange, z.literal(false)]).default([1, 2]),
  /** N-grams of characters within words; false: none. */
  characters: z.union([NgramRange, z.literal(false)]).default([3, 5]),
  /** N-grams in fewer texts are left out. */
  minDocuments: z.int().min(1).default(2),
  /** Bits of the hash that names a feature: 2^bits features at most for words and for characters; absent: all n-grams. */
  hashed: z.int().min(8).max(24).optional(),
  /** Inverse strengths of the penalty (scikit-learn's C), rising; the best out of fold is taken. */
  c: z.array(positive).min(1).max(12).default([0.3, 1, 3, 10, 30]),
  /** `balanced`: rare classes count for as much as common ones; their confidence then needs the calibrator all the more. */
  classWeight: z.enum(["none", "balanced"]).default("none"),
});
export type TextOptions = z.output<typeof TextOptions>;

const StudentOptions = z.strictObject({
  /**
   * Images: `mobilenet-v3-small`, `mobilenet-v2`, `mobilenet-v4-conv-small`, or `onnx` (any ONNX classifier in `weights`).
   * Texts: `linear-text`, `xgboost` (on counts of words), or, of an encoder in `weights`, `embedding-text` and `encoder-text`
   * (fine-tuned). Records, texts among their columns: `xgboost`. `auto`: of those that the task's input and `weights` allow, the
   * cheapest of the best.
   */
  trainer: z.string().default("auto"),
  /**
   * A `.safetensors` or `.onnx` file, a hub name (`hf:timm/mobilenetv3_small_100.lamb_in1k`), or `imagenet` for the usual one
   * of the trainer's; from scratch where absent. Texts: a folder with an encoder, or its hub name (docs/text.md).
   */
  weights: z.string().optional(),
  /**
   * Checked against what `weights` resolves to; of an encoder, against its ONNX or safetensors file. Of an ONNX file with tensors
   * in files beside it, the hash of all, in order of name: `cat model.onnx model.onnx.data | sha256sum`. 64 hex digits.
   */
  weightsSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Side of the square input, pixels. */
  imageSize: z.int().min(16).max(1024).optional(),
  /**
   * What is subtracted from and what divides each RGB channel of pixels in [0, 1] before they enter the network. Needed
   * for an ONNX file that does not say; the networks of our own know theirs.
   */
  normalisation: z
    .strictObject({ mean: z.tuple([z.number(), z.number(), z.number()]), std: z.tuple([positive, positive, positive]) })
    .optional(),
  epochs: z.int().min(0).optional(),
  batchSize: z.int().min(1).optional(),
  learningRate: z.number().positive().optional(),
  weightDecay: z.number().min(0).optional(),
  labelSmoothing: share.optional(),
  optimiser: z.enum(["adamw", "sgd"]).optional(),
  /**
   * `head`: the backbone stays frozen; `all`: it is unfrozen after the head phase; `auto`: all from 50 rows a class. Texts:
   * with trainer `auto`, `all` tries the encoder fine-tuned as well.
   */
  finetune: z.enum(["auto", "head", "all"]).default("auto"),
  augment: z.boolean().default(true),
  /**
   * What a round starts from: `refit`, the starting weights again (slower, owes nothing to earlier rounds), or `continue`, the
   * champion, for two thirds of the epochs. Either way on every label there is, never on the newest alone.
   */
  rounds: z.enum(["refit", "continue"]).default("refit"),
  threads: z.int().min(1).optional(),
  /**
   * Other students whose disagreement may say, before confidence does, what is not to be answered. `folds`: five, trained with
   * it without one fold each; `predecessors`: the champions before it, four at most. Kept only where calibrate rows show that
   * it is wrong less often at the same coverage (docs/decisions/2026-11-28-committee.md).
   */
  committee: z.enum(["none", "folds", "predecessors"]).default("none"),
  xgboost: XgboostOptions.prefault({}),
  text: TextOptions.prefault({}),
});
export type StudentOptions = z.output<typeof StudentOptions>;

const Target = z.strictObject({
  kind: z.enum(["regret", "selective"]),
  risk: z.number().gt(0).lt(1),
  delta: z.number().gt(0).lt(1).default(0.1),
  /** By class: the share of its rows that must be answered right or escalated, certified as `risk` is (docs/decisions/2026-12-01-rare-classes.md). */
  recall: z.record(z.string(), z.number().gt(0).lt(1)).optional(),
  /** Classes that the student never answers: where it says one, the teacher is asked. */
  never: z.array(z.string().min(1)).min(1).optional(),
});

/** What a task of one output and one of several have in common. */
const common = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]*$/, "must be lower case letters, digits, - and _"),
  input: z.enum(["image", "text", "record"]),
  /** Text and records: which columns of the data are what. */
  columns: Columns.prefault({}),
  teacher: TeacherOptions,
  student: StudentOptions.prefault({}),
  target: Target.default({ kind: "regret", risk: 0.03, delta: 0.1 }),
  /** Whose labels errors are counted against when certifying. */
  reference: z.enum(["teacher", "person"]).default("teacher"),
  splits: z
    .strictObject({ train: share, calibrate: share, certify: share })
    .default({ train: 0.6, calibrate: 0.15, certify: 0.25 })
    .refine((s) => Math.abs(s.train + s.calibrate + s.certify - 1) < 1e-9, "shares must sum to 1"),
  /** Hard stop over the life of the workspace, counting requests in flight; absent: no limit. */
  budgetUsd: z.number().min(0).optional(),
  audit: z
    .strictObject({
      /** Share of all traffic drawn before routing and labelled whatever the student says: certifies and monitors. */
      uniformRate: share.default(0.01),
      /** Mean share of the remaining confident traffic that is audited, more often where confidence is lower. */
      rate: share.default(0.02),
    })
    .prefault({}),
  /** What a challenger may lose in accuracy and still be promoted (paired, one-sided 95 %; SCIENCE D9: one point). */
  promotion: z.strictObject({ margin: share.default(0.01) }).prefault({}),
  whenTeacherDown: z.enum(TeacherDownPolicy).default("answer-flagged"),
  retention: z
    .strictObject({
      /**
       * For how many days the server keeps decisions; for ever where absent. What older ones add to counters, monitors and
       * reports stays, and so do rows, labels and certificates with their evidence.
       */
      decisionDays: z.int().min(1).max(36_500).optional(),
    })
    .prefault({}),
  outOfScope: z
    .strictObject({
      /**
       * Share of traffic of the usual kind that may be escalated for being unlike the training data, so that what is of
       * another kind is, however sure the student is. 0: never.
       */
      share: z.number().min(0).max(0.5).default(0.02),
    })
    .prefault({}),
  /** For the cost worksheet. */
  costs: z
    .strictObject({
      hostingPerMonthUsd: z.number().min(0).default(30),
      reviewPerRulingUsd: z.number().min(0).default(0.05),
    })
    .prefault({}),
});

export const TaskSchema = common.extend({ output: Output, instructions: z.string().min(1) }).readonly();

/** A task with every default filled in. */
export type Task = z.output<typeof TaskSchema> & {
  /** Of one field of a `FieldsTask`: which, and the version of the question in which all of them are asked together. */
  readonly part?: { readonly field: string; readonly promptVersion: string };
};

const Field = z.strictObject({
  instructions: z.string().min(1),
  output: Output,
  /** The task's where absent. */
  target: Target.optional(),
});

/** Names stand on the wire, in columns and in folders; they begin with a letter, or JavaScript would put them into another order. */
const FieldName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,63}$/, "must be lower case letters, digits, - and _, a letter first");
const MAX_FIELDS = 64;

export const FieldsSchema = common
  .extend({
    /** What the inputs are, told to the teacher before the questions. */
    instructions: z.string().default(""),
    /** Several outputs over one input, asked in one call, each certified for itself. */
    fields: z
      .record(FieldName, Field)
      .refine((fields) => Object.keys(fields).length > 0, "must have a field")
      .refine((fields) => Object.keys(fields).length <= MAX_FIELDS, `must have at most ${MAX_FIELDS} fields`),
    /**
     * `each`: the fields that the student is sure of are answered locally, the others by the teacher. `together`: a row is
     * answered locally only if every field of it is that was asked for.
     */
    answer: z.enum(["each", "together"]).default("each"),
  })
  .readonly();

/** A task of several outputs; each field is an ordinary task to the stages (`fields.ts`). */
export type FieldsTask = z.output<typeof FieldsSchema>;
export type AnyTask = Task | FieldsTask;

type OutputDefinition =
  | {
      readonly kind: "choice";
      readonly choices: readonly (
        | string
        | { readonly value: string; readonly description?: string; readonly synonyms?: readonly string[] }
      )[];
    }
  | {
      readonly kind: "predicate";
      readonly synonyms?: { readonly true?: readonly string[]; readonly false?: readonly string[] };
    }
  | {
      readonly kind: "score";
      readonly levels: readonly (string | { readonly label: string; readonly description?: string })[];
    };

/** What a user writes: choices and levels may be plain strings. */
export type TaskDefinition = Omit<z.input<typeof TaskSchema>, "output"> & { readonly output: OutputDefinition };

/** As `TaskDefinition`, of several outputs. */
export type FieldsTaskDefinition = Omit<z.input<typeof FieldsSchema>, "fields"> & {
  readonly fields: Readonly<
    Record<
      string,
      { readonly instructions: string; readonly output: OutputDefinition; readonly target?: z.input<typeof Target> }
    >
  >;
};

/**
 * Validates a definition and fills in the defaults.
 * @throws FlywheelError `invalid_task` naming every field that is wrong
 * @example defineTask({ name: "fruit", input: "image", instructions: "Which fruit is it?",
 *   output: { kind: "choice", choices: ["apple", "pear"] }, teacher: { model: "google/gemini-2.5-flash" } })
 */
export function defineTask(definition: TaskDefinition): Task {
  return parseTask(definition);
}

/** As `defineTask`, for several outputs over one input. */
export function defineFieldsTask(definition: FieldsTaskDefinition): FieldsTask {
  return parseFieldsTask(definition);
}

/** As either, for a value of unknown shape (a JSON config file). */
export function parseAnyTask(value: unknown): AnyTask {
  return isObject(value) && "fields" in value ? parseFieldsTask(value) : parseTask(value);
}

/** As `defineTask`, for a value of unknown shape. */
export function parseTask(value: unknown): Task {
  const task = parseAs(TaskSchema, withOutputObjects(value));
  if (task.columns.gold !== undefined && typeof task.columns.gold !== "string") {
    throw invalidTask("columns.gold names a column for each field, but the task has one output");
  }
  rejectAmbiguous(task);
  rejectForeignTargets(task, task.target);
  return Object.freeze(task);
}

function parseFieldsTask(value: unknown): FieldsTask {
  const task = parseAs(FieldsSchema, withFieldObjects(value));
  for (const [name, { output, target = task.target }] of Object.entries(task.fields)) {
    rejectAmbiguous({ output });
    rejectForeignTargets({ output }, target);
    if (task.answer === "together" && target.kind === "selective") throw selectiveTogether(name);
  }
  rejectGold(task);
  return Object.freeze(task);
}

/**
 * Of all rows, those answered and wrong can only become fewer where other fields take rows away; of the rows answered, the
 * wrong ones may become a larger share. So a joint risk survives answering together, a selective risk does not.
 */
const selectiveTogether = (field: string): FlywheelError =>
  invalidTask(
    `field "${field}" has a selective target, and answer is "together": its certificate would be about other rows than those answered`,
    'set its target to { kind: "regret", … }, or answer to "each"',
  );

/** A promise about a class that nobody answers would be kept for ever. */
function rejectForeignTargets(task: WithOutput, { recall = {}, never = [] }: z.output<typeof Target>): void {
  const classes = classesOf(task);
  const foreign = [...Object.keys(recall), ...never].find((value) => !classes.includes(value));
  if (foreign === undefined) return;
  throw invalidTask(`target names "${foreign}", which is no class of the task; its classes are ${classes.join(", ")}`);
}

function rejectGold({ columns: { gold }, fields }: FieldsTask): void {
  if (typeof gold === "string")
    throw invalidTask('columns.gold names one column; of several fields it says { field: "column", … }');
  const unknown = Object.keys(gold ?? {}).find((name) => !(name in fields));
  if (unknown !== undefined) throw invalidTask(`columns.gold names "${unknown}", which is no field`);
}

function parseAs<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalidTask(z.prettifyError(parsed.error));
}

function invalidTask(message: string, hint: string = taskHint): FlywheelError {
  return new FlywheelError("invalid_task", message, { hint });
}

const taskHint = "mend the fields named above in the task's config; `flywheel init` writes a commented example";

function withFieldObjects(value: unknown): unknown {
  if (!isObject(value) || !isObject(value["fields"])) return value;
  const fields = Object.entries(value["fields"]).map(([name, field]) => [name, withOutputObjects(field)]);
  return { ...value, fields: Object.fromEntries(fields) };
}

function withOutputObjects(value: unknown): unknown {
  if (!isObject(value) || !isObject(value["output"])) return value;
  const { choices, levels } = value["output"];
  const output = {
    ...value["output"],
    ...(Array.isArray(choices) && { choices: choices.map((choice) => spelledOut(choice, "value")) }),
    ...(Array.isArray(levels) && { levels: levels.map((level) => spelledOut(level, "label")) }),
  };
  return { ...value, output };
}

const spelledOut = (given: unknown, key: string): unknown => (typeof given === "string" ? { [key]: given } : given);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function rejectAmbiguous(task: WithOutput): void {
  const clash = findClash(choicesOf(task));
  if (!clash) return;
  const [one, other] = clash.labels;
  throw invalidTask(
    `choices "${one}" and "${other}" share the spelling "${clash.spelling}"`,
    "rename one choice or drop the synonym",
  );
}

type WithOutput = { readonly output: Output };

/** The labels in their fixed order; a predicate's are "true" and "false", a score's its levels from the lowest. */
export function classesOf(task: WithOutput): readonly LabelValue[] {
  return choicesOf(task).map(({ value }) => value);
}

/** The labels with what is said of them to whoever is to choose. */
export function choicesOf({ output }: WithOutput): readonly Choice[] {
  switch (output.kind) {
    case "choice":
      return output.choices;
    case "predicate":
      return yesAndNo(output);
    case "score":
      return output.levels.map(({ label, ...more }) => ({ value: label, ...more, synonyms: [] }));
    default:
      return output satisfies never;
  }
}

const TRUE = { value: "true", description: "yes, it holds", synonyms: ["yes", "y", "t", "1"] };
const FALSE = { value: "false", description: "no, it does not hold", synonyms: ["no", "n", "f", "0"] };

function yesAndNo({ synonyms }: Extract<Output, { kind: "predicate" }>): readonly Choice[] {
  return [
    { ...TRUE, synonyms: [...TRUE.synonyms, ...(synonyms?.true ?? [])] },
    { ...FALSE, synonyms: [...FALSE.synonyms, ...(synonyms?.false ?? [])] },
  ];
}

const readers = new WeakMap<Output, SpellingReader>();

/** The label that a teacher, a reviewer or a table means by `given`, or undefined where it is none of the task's. */
export function normaliseLabel(task: WithOutput, given: string): LabelValue | undefined {
  const read = readers.get(task.output) ?? createSpellingReader(choicesOf(task));
  readers.set(task.output, read);
  return read(given);
}

/**
 * Version of the question that the teacher is asked. A certificate is void under any other: changing the instructions,
 * the choices or the model changes what "right" means. 16 hex digits.
 */
export function promptVersion(task: AnyTask): string {
  if ("part" in task && task.part) return task.part.promptVersion;
  const { instructions, teacher } = task;
  const asked = "fields" in task ? { fields: questionsOf(task) } : { output: task.output };
  const question = { format: 1, instructions, ...asked, model: teacher.model, secondModel: teacher.secondModel };
  return createHash("sha256").update(JSON.stringify(question)).digest("hex").slice(0, 16);
}

/** In order: they are asked together, so a change to one changes what is asked of all. */
function questionsOf({ fields }: FieldsTask) {
  return Object.entries(fields).map(([name, { instructions, output }]) => ({ name, instructions, output }));
}

/**
 * The split of a uniform row, from its content hash alone: stable under re-ordering, growth and repetition, and a
 * duplicate can never straddle. Shares may change; a row moves only if its hash lies between old and new bounds.
 */
export function splitOf(id: RowId, shares: SplitShares): Split {
  const position = hashPosition(`split/${id}`);
  if (position < shares.certify) return "certify";
  return position < shares.certify + shares.calibrate ? "calibrate" : "train";
}

/**
 * The split of a row of the uniform stream of traffic: held out, in the task's proportions. Escalations and audits already
 * train; nothing else refills the splits that certify (SCIENCE D3).
 */
export function trafficSplitOf(id: RowId, { calibrate, certify }: SplitShares): Split {
  const heldOut = calibrate + certify;
  if (heldOut === 0) return "train";
  return splitOf(id, { train: 0, calibrate: calibrate / heldOut, certify: certify / heldOut });
}

/**
 * Place of a row, in [0, 1), in the order in which people audit uniform rows. A person who rules on certify rows in this
 * order, from the front and without gaps, has ruled on a uniform sample of them, whatever else was ruled on besides:
 * that sample, and no other ruling, may certify against people (`calibrate`).
 */
export function auditPosition(id: RowId): number {
  return hashPosition(`audit/${id}`);
}

/** The id is a hash of content already; hashing again keeps each use independent of every other. */
function hashPosition(text: string): number {
  return hash("sha256", text, "buffer").readUInt32BE(0) / 2 ** 32;
}
