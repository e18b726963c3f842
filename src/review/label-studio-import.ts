/**
 * @file Annotated tasks of Label Studio back into rulings: its JSON export, old (`completions`) and new (`annotations`),
 * with any number of annotators a task, and JSON-MIN. Cancelled annotations are skipped.
 */

import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { Clock } from "../contracts.ts";
import { messageOf } from "../errors.ts";
import { type FieldView, fieldsOf } from "../fields.ts";
import { type RowId, rowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { type ImportProblem, type ReviewImport, unknownRow, unreadable } from "./import-problem.ts";
import {
  annotatorName,
  choiceRuling,
  type FieldRuling,
  latestOfEach,
  millisecondsOf,
  type TaskOutcome,
} from "./label-studio-choice.ts";
import { controlName } from "./label-studio-config.ts";
import { isFlatExport, readFlatRecord } from "./label-studio-flat.ts";
import { recordByField } from "./rulings.ts";

const Result = z.looseObject({
  from_name: z.string().optional(),
  type: z.string().optional(),
  value: z.looseObject({ choices: z.array(z.string()).optional() }).optional(),
});
const Annotator = z.union([
  z.number(),
  z.string(),
  z.looseObject({ id: z.number().optional(), email: z.string().optional() }),
]);
const Annotation = z.looseObject({
  result: z.array(Result).default([]),
  was_cancelled: z.boolean().nullish(),
  skipped: z.boolean().nullish(),
  completed_by: Annotator.nullish(),
  created_at: z.union([z.string(), z.number()]).nullish(),
  updated_at: z.union([z.string(), z.number()]).nullish(),
});
type Annotation = z.output<typeof Annotation>;
const FlatTask = z.record(z.string(), z.unknown());
const AnnotatedTask = z.looseObject({
  data: z.looseObject({ row: z.string() }),
  annotations: z.array(Annotation).nullish(),
  completions: z.array(Annotation).nullish(),
});

/**
 * Takes the rulings of a JSON export. People are named `label-studio:<e-mail or id>`; the time is Label Studio's own. Where
 * somebody annotated a task more than once, their latest annotation counts. Importing again changes nothing.
 * @throws FlywheelError `review_file_unreadable` where it is no list of tasks; single tasks are reported, not thrown
 */
export async function importLabelStudio(options: {
  readonly store: Store;
  readonly task: AnyTask;
  readonly path: string;
  /** Who ruled where an annotation does not say. */
  readonly person: string;
  readonly clock: Clock;
}): Promise<ReviewImport> {
  const { store, path, clock } = options;
  const outcomes: TaskOutcome[] = [];
  for (const [index, given] of (await readTasks(path)).entries()) {
    outcomes.push(await readTask(`task ${index + 1}`, given, options));
  }
  return {
    ...(await recordByField(store, latestOfEach(outcomes.flatMap(({ rulings }) => rulings)), clock)),
    blank: outcomes.filter(({ rulings, problems }) => rulings.length + problems.length === 0).length,
    problems: outcomes.flatMap(({ problems }) => problems),
  };
}

async function readTasks(path: string): Promise<readonly unknown[]> {
  try {
    return z.array(z.unknown()).parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw unreadable(path, `is no JSON list of tasks (${messageOf(cause)})`, cause);
  }
}

type Context = { readonly store: Store; readonly task: AnyTask; readonly person: string };

const failed = (problem: ImportProblem): TaskOutcome => ({ rulings: [], problems: [problem] });

async function readTask(where: string, given: unknown, context: Context): Promise<TaskOutcome> {
  const flat = FlatTask.safeParse(given);
  if (flat.success && isFlatExport(Object.keys(flat.data))) return await readFlatRecord(where, flat.data, context);
  const parsed = AnnotatedTask.safeParse(given);
  if (!parsed.success) return failed({ where, code: "malformed", message: z.prettifyError(parsed.error) });
  const { data, annotations, completions } = parsed.data;
  const row = await context.store.rows.get(rowId(data.row));
  if (!row) return failed(unknownRow(where, data.row));
  const open = (annotations ?? completions ?? []).filter((one) => !one.was_cancelled && !one.skipped);
  const outcomes = open.flatMap((annotation) =>
    fieldsOf(context.task).map((field) => readAnnotation({ where, row: row.id, field }, annotation, context)),
  );
  const rulings = outcomes.filter((outcome) => outcome !== undefined).filter((outcome) => "value" in outcome);
  const problems = outcomes.filter((outcome) => outcome !== undefined).filter((outcome) => "code" in outcome);
  return { rulings, problems };
}

/** Nothing where the annotator has chosen nothing. */
function readAnnotation(
  { where, row, field }: { readonly where: string; readonly row: RowId; readonly field: FieldView },
  annotation: Annotation,
  { person }: Context,
): FieldRuling | ImportProblem | undefined {
  const at = millisecondsOf(annotation.updated_at, annotation.created_at);
  return choiceRuling({
    where,
    rowId: row,
    field,
    chosen: field.name === "" ? choicesOf(annotation) : choicesNamed(annotation, field.name),
    person: annotatorName(annotation.completed_by) ?? person,
    ...(at !== undefined && { at }),
  });
}

const choicesNamed = ({ result }: Annotation, control: string): readonly string[] => [
  ...new Set(result.flatMap((one) => (one.from_name === control ? (one.value?.choices ?? []) : []))),
];

/** Of our own control, else of the only choice control that there is: projects are renamed. */
function choicesOf({ result }: Annotation): readonly string[] {
  const choices = result.filter((one) => one.value?.choices !== undefined);
  const ours = choices.filter((one) => one.from_name === controlName);
  const names = new Set(choices.map((one) => one.from_name));
  const read = ours.length > 0 || names.size !== 1 ? ours : choices;
  return [...new Set(read.flatMap((one) => one.value?.choices ?? []))];
}
