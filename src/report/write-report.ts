/**
 * @file Writes the report: `report.html`, `summary.json`, `charts/*.png`. Each file appears whole or not at all: it is
 * written under a temporary name, then renamed.
 */

import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { withPredecessors } from "../committee.ts";
import type { Student } from "../contracts.ts";
import type { ModelId } from "../records.ts";
import { chartsOf } from "./charts/all.ts";
import type { Chart } from "./charts/draw.ts";
import { type CollectOptions, collectReport } from "./collect.ts";
import { chooseSubject } from "./collect-student.ts";
import { asServed } from "./latency.ts";
import { renderPage } from "./page/page.ts";
import { chartPng } from "./png.ts";
import type { ReportData } from "./report-data.ts";
import { Summary, summaryOf } from "./summary.ts";
import { headline } from "./wording.ts";

export type WriteReportOptions = Omit<CollectOptions, "student"> & {
  /** Created where absent. */
  readonly directory: string;
  /** Loads the student from its model folder, for timing it; without it, latency is that of served requests. */
  readonly loadStudent?: (
    folder: string,
    options: { readonly threads: number; readonly isTimed: boolean },
  ) => Promise<Student>;
};

export type ReportFiles = {
  readonly htmlPath: string;
  readonly pngPaths: readonly string[];
  readonly summaryPath: string;
  /** The report in one sentence. */
  readonly headline: string;
  readonly summary: Summary;
};

/** @throws FlywheelError `unknown_model` where `modelId` is not in the store */
export async function writeReport(options: WriteReportOptions): Promise<ReportFiles> {
  const { directory, signal } = options;
  const data = await collectTimed(options);
  const summary = Summary.parse(summaryOf(data));
  const pngPaths = await writeCharts(data, join(directory, "charts"), signal);
  const htmlPath = await writeWhole(join(directory, "report.html"), renderPage(data));
  const summaryPath = await writeWhole(join(directory, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
  return { htmlPath, pngPaths, summaryPath, headline: headline(data), summary };
}

export async function writeCharts(
  data: ReportData,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  await mkdir(directory, { recursive: true });
  const pngPaths: string[] = [];
  for (const chart of chartsOf(data)) {
    signal?.throwIfAborted();
    pngPaths.push(await writePng(chart, directory, data));
  }
  await removeOthers(directory, pngPaths);
  return pngPaths;
}

export async function collectTimed({ directory: _, loadStudent, ...options }: WriteReportOptions) {
  const subject = loadStudent && (await chooseSubject(options.store, options.modelId));
  if (!subject || !loadStudent) return await collectReport(options);
  const threads = options.task.student.threads ?? availableParallelism();
  const load = async (id: ModelId) => await loadStudent(options.store.models.folder(id), { threads, isTimed: true });
  await using loaded = new AsyncDisposableStack();
  const student = loaded.use(await load(subject.card.id));
  const { policy } = subject;
  const ids = policy?.committee?.kind === "predecessors" ? policy.committee.members : [];
  const members: Student[] = [];
  for (const id of ids) members.push(loaded.use(await load(id)));
  const served = asServed(members.length > 0 ? withPredecessors(student, members) : student, policy);
  return await collectReport({ ...options, student: served });
}

const writePng = async (chart: Chart, directory: string, data: ReportData): Promise<string> =>
  await writeWhole(join(directory, `${chart.name}.png`), await chartPng(chart, data));

export async function writeWhole(path: string, content: string | Uint8Array): Promise<string> {
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, content);
  await rename(temporary, path);
  return path;
}

/** Pictures of an earlier report must not stand beside this one's. */
async function removeOthers(directory: string, written: readonly string[]): Promise<void> {
  const keep = new Set(written.map((path) => basename(path)));
  const pictures = (await readdir(directory)).filter((name) => name.endsWith(".png") && !keep.has(name));
  await Promise.all(pictures.map((name) => rm(join(directory, name))));
}
