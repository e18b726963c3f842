/**
 * @file The review queue as Label Studio tasks. Our row id travels in the task's `data`; the results of predictions name
 * the controls of `labelStudioConfig`.
 */

import { createHash } from "node:crypto";
import { thumbnail } from "../image/thumbnail.ts";
import type { ImageInput, LabelValue, ModelId, Row } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import { controlName, labelStudioConfig, shownName, withoutControls } from "./label-studio-config.ts";
import type { ReviewItem, SuspectItem } from "./review-item.ts";
import { writeWhole } from "./write-whole.ts";

export type LabelStudioPrediction = {
  /** `teacher <provider/model>` or `student <model id>`. */
  readonly model_version: string;
  /** Confidence in [0, 1]; absent where the teacher gave none. */
  readonly score?: number;
  /** One; of a task of several fields, one for each that is to be ruled on. */
  readonly result: readonly LabelStudioResult[];
};

type LabelStudioResult = {
  readonly id: string;
  /** The control: `label`, or the field's name. */
  readonly from_name: string;
  readonly to_name: typeof shownName;
  readonly type: "choices";
  readonly value: { readonly choices: readonly [string] };
};

export type LabelStudioTask = {
  /** What is shown (`image`, `text` or `record`), our `row`, and why it is shown. */
  readonly data: Readonly<Record<string, unknown>>;
  /** None for audits: an answer that is shown is an answer that is confirmed. */
  readonly predictions: readonly LabelStudioPrediction[];
};

/** `embedded`: as a data URI, works anywhere, larger ones reduced; else the row's path after `prefix`, e.g. `/data/local-files/?d=`. */
export type ImageLinks = "embedded" | { readonly prefix: string };

/**
 * Writes the tasks to `path` (JSON) and the labelling configuration beside it (XML). Returns both paths.
 */
export async function exportLabelStudio(options: {
  readonly store: Store;
  readonly task: AnyTask;
  readonly items: readonly ReviewItem[];
  readonly images?: ImageLinks;
  readonly path: string;
}): Promise<readonly [tasks: string, config: string]> {
  const { path, task } = options;
  const configPath = `${path.replace(/\.json$/i, "")}.xml`;
  await writeWhole(path, `${JSON.stringify(await toLabelStudioTasks(options), null, 1)}\n`);
  await writeWhole(configPath, labelStudioConfig(task));
  return [path, configPath];
}

/** The queue as the tasks that Label Studio imports, as one JSON array. */
export async function toLabelStudioTasks(options: {
  readonly store: Store;
  readonly task: AnyTask;
  readonly items: readonly ReviewItem[];
  readonly images?: ImageLinks;
}): Promise<readonly LabelStudioTask[]> {
  const { store, task, items, images = "embedded" } = options;
  const tasks: LabelStudioTask[] = [];
  // A row of several fields is one task, however many of them are in the queue.
  for (const [, ofRow] of Map.groupBy(items, ({ row }) => row.id)) {
    const [first] = ofRow;
    const fields = ofRow.flatMap(({ field }) => field ?? []);
    const data = {
      ...(await shownData(store, first!.row, images)),
      row: first!.row.id,
      priority: Math.max(...ofRow.map(({ priority }) => priority)),
      reasons: [...new Set(ofRow.flatMap(({ reasons }): readonly string[] => reasons))].join(" "),
      ...(fields.length > 0 && { fields: fields.join(" ") }),
    };
    tasks.push({ data, predictions: predictionsOf(ofRow, task) });
  }
  return tasks;
}

async function shownData(store: Store, row: Row, images: ImageLinks): Promise<Record<string, unknown>> {
  const { input } = row;
  switch (input.kind) {
    case "image":
      return {
        image:
          images === "embedded" ? await dataUri(store, input) : `${images.prefix}${encodeURIComponent(row.source)}`,
      };
    case "text":
      return { text: input.text };
    case "record":
      return { record: input.fields };
    default:
      return input satisfies never;
  }
}

/** Pixels; enough to see what a person needs to see, and a list of photos stays one that a browser can load. */
const embeddedSide = 1024;

async function dataUri(store: Store, input: ImageInput): Promise<string> {
  const bytes = await store.blobs.get(input.blob);
  if (Math.max(input.width, input.height) <= embeddedSide) return toDataUri(bytes, input.mediaType);
  return toDataUri(await thumbnail(bytes, embeddedSide), "image/jpeg");
}

const toDataUri = (bytes: Uint8Array, mediaType: string): string =>
  `data:${mediaType};base64,${Buffer.from(bytes).toString("base64")}`;

type Opinion = {
  readonly version: string;
  readonly field: string | undefined;
  readonly value: LabelValue;
  readonly score: number | undefined;
};

/** The labels in force as the teacher's, and the student's where there are any; nothing of audits. */
function predictionsOf(items: readonly ReviewItem[], task: AnyTask): readonly LabelStudioPrediction[] {
  const suspects = items.filter((item) => item.kind === "suspect");
  const opinions = Map.groupBy(
    suspects.flatMap((item) => opinionsOn(item, task)),
    ({ version }) => version,
  );
  return [...opinions].map(([version, given]) => {
    const score = given.length === 1 ? given[0]!.score : undefined;
    const result = given.map((opinion) => resultOf(suspects[0]!.row, opinion));
    return { model_version: version, ...(score !== undefined && { score }), result };
  });
}

function opinionsOn(item: SuspectItem, task: AnyTask): readonly Opinion[] {
  const { field, suggestion, suggestionShare, student } = item;
  const teacher = item.votes[0]?.teacher ?? task.teacher.model;
  return [
    ...(suggestion === undefined
      ? []
      : [{ version: `teacher ${teacher}`, field, value: suggestion, score: suggestionShare }]),
    ...(student
      ? [{ version: studentVersion(student.modelId), field, value: student.value, score: student.confidence }]
      : []),
  ];
}

const studentVersion = (id: ModelId): string => `student ${id.slice(0, 12)}`;

function resultOf(row: Row, { version, field, value }: Opinion): LabelStudioResult {
  // Ids of results must be unique over all tasks of a project.
  const name = field === undefined ? `${row.id} ${version}` : `${row.id} ${version} ${field}`;
  const id = createHash("sha256").update(name).digest("base64url").slice(0, 12);
  const choices = [withoutControls(value)] as const;
  return { id, from_name: field ?? controlName, to_name: shownName, type: "choices", value: { choices } };
}
