/** @file The report of a task of several fields: one page, one `summary.json`, a folder of PNGs for each field. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { scopesOf } from "../fields.ts";
import type { FieldsTask, Task } from "../task.ts";
import { type FieldsData, fieldsHeadline, renderFieldsPage } from "./page/fields-page.ts";
import { FieldsSummary, summaryOf } from "./summary.ts";
import { wholeRows } from "./whole-rows.ts";
import { collectTimed, type ReportFiles, type WriteReportOptions, writeCharts, writeWhole } from "./write-report.ts";

export type WriteFieldsReportOptions = Omit<WriteReportOptions, "task" | "modelId"> & { readonly task: FieldsTask };

export type FieldsReportFiles = Omit<ReportFiles, "summary"> & { readonly summary: FieldsSummary };

export async function writeFieldsReport(options: WriteFieldsReportOptions): Promise<FieldsReportFiles> {
  const { store, task, seed, directory, signal } = options;
  const scopes = scopesOf(store, task);
  const fields: FieldsData["fields"][number][] = [];
  for (const scope of scopes) {
    signal?.throwIfAborted();
    const own = { ...options, task: onItsPart(scope.task, scopes.length), store: scope.store };
    fields.push({ name: scope.name, data: await collectTimed(own) });
  }
  const report: FieldsData = { name: task.name, answer: task.answer, whole: await wholeRows(scopes), fields };
  await mkdir(directory, { recursive: true });
  const pngPaths: string[] = [];
  for (const { name, data } of fields) {
    pngPaths.push(...(await writeCharts(data, join(directory, "charts", name), signal)));
  }
  const summary = FieldsSummary.parse({
    task: task.name,
    seed,
    simulatedTeacher: fields.some(({ data }) => data.simulatedTeacher),
    fields: Object.fromEntries(fields.map(({ name, data }) => [name, summaryOf(data)])),
  });
  return {
    htmlPath: await writeWhole(join(directory, "report.html"), renderFieldsPage(report)),
    pngPaths,
    summaryPath: await writeWhole(join(directory, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`),
    headline: fieldsHeadline(report),
    summary,
  };
}

/** One host serves all fields: charged to each in full, the worksheet would count it as often as there are fields. */
function onItsPart(task: Task, fields: number): Task {
  return { ...task, costs: { ...task.costs, hostingPerMonthUsd: task.costs.hostingPerMonthUsd / fields } };
}
