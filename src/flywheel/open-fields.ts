/**
 * @file The front door of a workspace whose task has several fields. What asks the teacher or reads rows runs once for all of
 * them; what trains, certifies, promotes and exports runs for each field on its own.
 */

import { join, resolve } from "node:path";
import { FlywheelError } from "../errors.ts";
import { type FieldScope, hasFields, scopesOf } from "../fields.ts";
import type { RoundOutcome } from "../improve/run-round.ts";
import type { FieldsLabelSummary } from "../label/label-rows.ts";
import type { Champion } from "../records.ts";
import type { FieldsReportFiles } from "../report/write-fields-report.ts";
import type { AnyTask, FieldsTask } from "../task.ts";
import { loadTask } from "./config.ts";
import type { ExportedModel } from "./export-model.ts";
import {
  callersFrom,
  derive,
  type Flywheel,
  type FlywheelOptions,
  openBase,
  type TrainOutcome,
  toFlywheel,
  train,
  type Work,
  type Workspace,
  warned,
} from "./open.ts";
import { readSpend, readStatus, type Status } from "./status.ts";

/** What a method found for each field, by name. */
export type PerField<T> = { readonly fields: Readonly<Record<string, T>> };

export type FieldsFlywheel = AsyncDisposable &
  Pick<Flywheel, "directory" | "store" | "seed" | "ingest" | "plan" | "exportReview" | "importReview" | "serve"> & {
    readonly task: FieldsTask;
    label(options?: { readonly limit?: number | undefined } & Work): Promise<FieldsLabelSummary>;
    /** Fit, calibrate, certify, each field for itself. */
    train(options?: Work): Promise<PerField<TrainOutcome>>;
    report(options?: { readonly directory?: string | undefined } & Work): Promise<FieldsReportFiles>;
    /** A round for each field for which one is due. */
    improve(options?: { readonly force?: boolean } & Work): Promise<PerField<RoundOutcome>>;
    /** Of one field; of all that have an earlier champion where none is named. */
    rollback(options?: { readonly field?: string | undefined }): Promise<PerField<Champion>>;
    status(): Promise<FieldsStatus>;
    /** Each field into a folder of its name; `modelId` where `field` is named. */
    exportModel(options: {
      readonly directory: string;
      readonly field?: string | undefined;
      readonly modelId?: string | undefined;
    }): Promise<PerField<ExportedModel>>;
  };

/** Rows, money and traffic are shared; the command to run next is that of the field that is furthest behind. */
export type FieldsStatus = Pick<Status, "task" | "rows" | "spend" | "hasUnlabelled" | "next"> & PerField<Status>;

/**
 * As `openFlywheel`, for a task of several fields.
 * @throws FlywheelError `task_has_no_fields`, and as `openFlywheel`
 */
export async function openFieldsFlywheel(options: FlywheelOptions<FieldsTask>): Promise<FieldsFlywheel> {
  const task = options.task ?? (await loadTask(resolve(options.directory)));
  if (hasFields(task)) return toFieldsFlywheel(await openBase(options, task));
  throw new FlywheelError("task_has_no_fields", `"${task.name}" has one output`, { hint: "use openFlywheel()" });
}

export type AnyFlywheel = Flywheel | FieldsFlywheel;

export const isOfFields = (flywheel: AnyFlywheel): flywheel is FieldsFlywheel => hasFields(flywheel.task);

/** Either, by what the config says. */
export async function openWorkspace(options: FlywheelOptions<AnyTask>): Promise<AnyFlywheel> {
  const task = options.task ?? (await loadTask(resolve(options.directory)));
  return hasFields(task) ? toFieldsFlywheel(await openBase(options, task)) : toFlywheel(await openBase(options, task));
}

function toFieldsFlywheel(workspace: Workspace<FieldsTask>): FieldsFlywheel {
  const { directory, task, store, seed, clock, env, teacher, loadServing } = workspace;
  const base = { store, task, seed, clock };
  const scopes = scopesOf(store, task);
  const own = (scope: FieldScope) => ({ ...base, store: scope.store, task: scope.task });
  return {
    directory,
    task,
    store,
    seed,
    async ingest(work) {
      const { ingest } = await import("../ingest/ingest.ts");
      const summary = await ingest({ ...base, ...work });
      if (summary.log) await derive(scopes);
      return { ...summary, ...(await warned(base)) };
    },
    async plan() {
      const { planLabelling } = await import("../label/plan-labelling.ts");
      return { ...(await planLabelling(base)), ...(await warned(base)) };
    },
    async label(work = {}) {
      const { labelRows } = await import("../label/label-rows.ts");
      return await labelRows({ ...base, ...work, teacher: await teacher() });
    },
    exportReview: async (what) => (await import("./review-files.ts")).exportReview({ ...base, ...what }),
    async importReview(what) {
      const { importReview } = await import("./review-files.ts");
      const imported = await importReview({ ...base, ...what });
      await derive(scopes);
      return imported;
    },
    train: (work = {}) => inTurn(scopes, (scope) => train({ ...own(scope), ...inField(scope, work) })),
    async report({ directory: out = join(directory, "report"), signal } = {}) {
      const { writeFieldsReport } = await import("../report/write-fields-report.ts");
      const { loadStudent } = await import("../train/load-student.ts");
      return await writeFieldsReport({ ...base, directory: out, ...(signal && { signal }), loadStudent });
    },
    async serve(where = {}) {
      const { startServer } = await import("../serve/server.ts");
      return await startServer({
        ...base,
        ...where,
        ...(await callersFrom(env)),
        teacher: await teacher(),
        loadStudent: loadServing,
      });
    },
    async improve({ force = false, ...work } = {}) {
      const { runRound } = await import("../improve/run-round.ts");
      return await inTurn(scopes, (scope) => runRound({ ...own(scope), ...inField(scope, work), force }));
    },
    rollback: async ({ field } = {}) => await rollBack(named(scopes, field), field, clock.now()),
    status: () => readFieldsStatus(workspace, scopes),
    async exportModel({ directory: out, field, modelId }) {
      const { exportModel } = await import("./export-model.ts");
      return await inTurn(named(scopes, field), (scope) =>
        exportModel({ ...own(scope), directory: join(out, scope.name), modelId }),
      );
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** One field after the other: each takes all the cores. */
async function inTurn<T>(scopes: readonly FieldScope[], work: (scope: FieldScope) => Promise<T>): Promise<PerField<T>> {
  const found: [string, T][] = [];
  for (const scope of scopes) found.push([scope.name, await work(scope)]);
  return { fields: Object.fromEntries(found) };
}

/** Progress that says which field it is about. */
function inField({ name }: FieldScope, { progress, signal }: Work): Work {
  return {
    signal,
    progress: progress && ((update) => progress({ ...update, stage: `${name}: ${update.stage}` })),
  };
}

function named(scopes: readonly FieldScope[], field: string | undefined): readonly FieldScope[] {
  const chosen = scopes.filter(({ name }) => field === undefined || name === field);
  if (chosen.length > 0) return chosen;
  throw new FlywheelError("unknown_field", `the task has no field "${field}"`, {
    hint: `it has ${scopes.map(({ name }) => name).join(", ")}`,
  });
}

/** Fields that have nothing to go back to stay as they are, unless one of them was asked for, or all are such. */
async function rollBack(
  scopes: readonly FieldScope[],
  field: string | undefined,
  at: number,
): Promise<PerField<Champion>> {
  const { rollback } = await import("../improve/promotion.ts");
  const fields: Record<string, Champion> = {};
  let last: unknown;
  for (const { name, store } of scopes) {
    try {
      fields[name] = await rollback(store, at);
    } catch (thrown) {
      if (field !== undefined || !FlywheelError.isInstance(thrown) || thrown.code !== "nothing_to_roll_back")
        throw thrown;
      last = thrown;
    }
  }
  if (Object.keys(fields).length === 0) throw last;
  return { fields };
}

async function readFieldsStatus(
  { store, task }: Workspace<FieldsTask>,
  scopes: readonly FieldScope[],
): Promise<FieldsStatus> {
  const { fields } = await inTurn(scopes, (scope) => readStatus(scope.store, scope.task));
  const statuses = Object.values(fields);
  const { rows, hasUnlabelled } = statuses[0]!;
  const behind = statuses.reduce((least, one) => (stepOf(one) < stepOf(least) ? one : least));
  return {
    task: task.name,
    rows,
    hasUnlabelled,
    spend: await readSpend({ ...scopes[0]!.store, spend: store.spend }, task, statuses[0]!.decisions.total),
    next: behind.next,
    fields,
  };
}

/** How far round the wheel a field has come. */
function stepOf({ rows, hasUnlabelled, models, champion, decisions }: Status): number {
  const done = [rows.ingested > 0, !hasUnlabelled, models > 0, champion !== undefined, decisions.total > 0];
  const first = done.indexOf(false);
  return first < 0 ? done.length : first;
}
