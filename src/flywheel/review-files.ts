/** @file The review queue as a file, and a file of rulings back again, in either format. */

import { writeFile } from "node:fs/promises";
import { calibrateRow } from "../calibrate/calibrator.ts";
import type { Clock } from "../contracts.ts";
import { scopesOf } from "../fields.ts";
import { exportReviewCsv, importReviewCsv } from "../review/csv.ts";
import { type Disagreement, findDisagreements } from "../review/disagreements.ts";
import type { ReviewImport } from "../review/import-problem.ts";
import { toLabelStudioTasks } from "../review/label-studio.ts";
import { labelStudioConfig } from "../review/label-studio-config.ts";
import { importLabelStudio } from "../review/label-studio-import.ts";
import { buildReviewQueue, mergeQueues } from "../review/queue.ts";
import type { ReviewItem } from "../review/review-item.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask, Task } from "../task.ts";
import { readChampion } from "./status.ts";

export type ReviewFormat = "csv" | "label-studio";

export type ReviewExport = {
  readonly items: number;
  /** Of these, rows drawn uniformly. */
  readonly audits: number;
  readonly files: readonly string[];
};

export type ImportedReview = ReviewImport & {
  /** Of the rows that were ruled on now. */
  readonly disagreements: readonly Disagreement[];
};

type Files = { readonly store: Store; readonly task: AnyTask; readonly path: string; readonly format: ReviewFormat };

export async function exportReview(options: Files & { readonly limit: number }): Promise<ReviewExport> {
  const { store, task, limit } = options;
  const queues = new Map<string, readonly ReviewItem[]>();
  for (const scope of scopesOf(store, task)) queues.set(scope.name, await reviewQueue({ ...scope, limit }));
  const items = mergeQueues(queues, limit);
  const files = await write({ ...options, items });
  return { items: items.length, audits: items.filter(({ kind }) => kind === "audit").length, files };
}

async function write(options: Files & { readonly items: readonly ReviewItem[] }): Promise<readonly string[]> {
  const { path, format, task } = options;
  if (format === "csv") {
    await exportReviewCsv(options);
    return [path];
  }
  // Label Studio needs the labelling interface beside the tasks: names in the one must match those in the other.
  const configPath = `${path.replace(/\.json$/, "")}.config.xml`;
  await writeFile(configPath, labelStudioConfig(task));
  await writeFile(path, JSON.stringify(await toLabelStudioTasks(options), null, 2));
  return [path, configPath];
}

export async function importReview(
  options: Files & { readonly person: string; readonly clock: Clock },
): Promise<ImportedReview> {
  const imported = options.format === "csv" ? await importReviewCsv(options) : await importLabelStudio(options);
  return { ...imported, disagreements: await findDisagreements(options.store, options.task, imported.rowIds) };
}

/** The queue with the confidence of the champion's own calibrator, where there is one. */
export async function reviewQueue({
  store,
  task,
  limit,
}: {
  readonly store: Store;
  readonly task: Task;
  readonly limit: number;
}): Promise<readonly ReviewItem[]> {
  const policy = (await readChampion(store, task))?.policy;
  const confidence = policy && {
    confidenceOf: (logits: Float32Array) => calibrateRow(policy.calibrator, logits).confidence,
  };
  return await buildReviewQueue({ store, task, limit, ...confidence });
}
