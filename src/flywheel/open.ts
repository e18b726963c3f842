/**
 * @file The library's front door: a workspace, opened, with one method for each turn of the hand. It composes the stages
 * and holds no rule of its own; the command line is a thin layer over it. Each stage is loaded when it is first asked for:
 * together they take longer to load than `status` to run, or a server to start.
 */

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { FastifyBaseLogger } from "fastify";
import { systemClock } from "../clock.ts";
import type { Clock, Progress, Student, Teacher } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { hasFields } from "../fields.ts";
import type { Challenger, RoundOptions, RoundOutcome } from "../improve/run-round.ts";
import type { IngestSummary } from "../ingest/ingest.ts";
import type { IngestOptions } from "../ingest/ingest-options.ts";
import type { LabelSummary } from "../label/label-rows.ts";
import type { LabellingPlan } from "../label/plan-labelling.ts";
import type { Seed } from "../math/random.ts";
import { oneAnswerWarnings } from "../one-answer.ts";
import type { Champion, ModelId } from "../records.ts";
import type { ReportFiles } from "../report/write-report.ts";
import type { AdmissionLimits } from "../serve/admission.ts";
import type { RequestIdOf } from "../serve/app.ts";
import type { Server } from "../serve/server.ts";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import type { AnyTask, Task } from "../task.ts";
import { checkConfig } from "./check-config.ts";
import { loadTask } from "./config.ts";
import type { ExportedModel } from "./export-model.ts";
import type { ImportedReview, ReviewExport, ReviewFormat } from "./review-files.ts";
import { readStatus, type Status } from "./status.ts";

export type FlywheelOptions<T extends AnyTask = Task> = {
  /** The workspace: holds `flywheel.config.ts` or `.json`, and `.flywheel/` with everything that is remembered. */
  readonly directory: string;
  /** Instead of the config file. */
  readonly task?: T;
  /** One seed gives one result. "0" by default. */
  readonly seed?: Seed;
  readonly clock?: Clock;
  /** Where keys are read from; `process.env` by default. */
  readonly env?: NodeJS.ProcessEnv;
  readonly fetch?: typeof globalThis.fetch;
};

/** What long work accepts: how to watch it and how to stop it. Stopped work resumes when it is called again. */
export type Work = { readonly progress?: Progress | undefined; readonly signal?: AbortSignal | undefined };

/** What ingest reads, and how where the name does not say. */
export type IngestWork = Pick<
  IngestOptions,
  "path" | "goldPath" | "format" | "delimiter" | "quote" | "escape" | "header" | "encoding" | "requestsPath"
>;

export type ServeOptions = AdmissionLimits & {
  /** Beyond these a connection is closed at once. 4,096 by default. */
  readonly maxConnections?: number | undefined;
  /** Any other than loopback needs keys in `FLYWHEEL_API_KEYS`. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** Silent where absent. */
  readonly log?: FastifyBaseLogger | undefined;
  /** Random by default; see `ServerOptions`. */
  readonly requestIdOf?: RequestIdOf | undefined;
};

/** What to look at before money is spent: that one answer would meet the target, so far. */
export type Warned = { readonly warnings: readonly string[] };

export type Flywheel = AsyncDisposable & {
  readonly directory: string;
  readonly task: Task;
  readonly store: Store;
  readonly seed: Seed;
  ingest(options: IngestWork & Work): Promise<IngestSummary & Warned>;
  /** What labelling will cost, before a cent is spent. */
  plan(): Promise<LabellingPlan & Warned>;
  label(options?: { readonly limit?: number | undefined } & Work): Promise<LabelSummary>;
  exportReview(options: {
    readonly path: string;
    readonly format: ReviewFormat;
    readonly limit: number;
  }): Promise<ReviewExport>;
  importReview(options: {
    readonly path: string;
    readonly format: ReviewFormat;
    readonly person: string;
  }): Promise<ImportedReview>;
  /** Fit, calibrate, certify. The first certified model serves at once; later ones wait for `improve`. */
  train(options?: Work): Promise<TrainOutcome>;
  report(
    options?: { readonly directory?: string | undefined; readonly modelId?: ModelId } & Work,
  ): Promise<ReportFiles>;
  serve(options?: ServeOptions): Promise<Server>;
  improve(options?: { readonly force?: boolean } & Work): Promise<RoundOutcome>;
  rollback(): Promise<Champion>;
  status(): Promise<Status>;
  exportModel(options: { readonly directory: string; readonly modelId?: string | undefined }): Promise<ExportedModel>;
};

export type TrainOutcome = Challenger & {
  /** Whether it serves now. */
  readonly promoted: boolean;
  readonly why: string;
};

/**
 * Opens a workspace. Several processes may have it open at once.
 * @throws FlywheelError `task_has_fields`, what reading the config throws (`config_missing`, `invalid_task`, …) or opening the
 *   store (`store_…`)
 */
export async function openFlywheel(options: FlywheelOptions): Promise<Flywheel> {
  const task = options.task ?? (await loadTask(resolve(options.directory)));
  if (!hasFields(task)) return toFlywheel(await openBase(options, task));
  throw new FlywheelError("task_has_fields", `"${task.name}" has several fields`, { hint: "use openFieldsFlywheel()" });
}

export async function warned({ store, task }: Pick<Workspace<AnyTask>, "store" | "task">): Promise<Warned> {
  return { warnings: await oneAnswerWarnings(store, task) };
}

/** An open workspace, as every command finds it. */
export type Workspace<T extends AnyTask> = {
  readonly directory: string;
  readonly task: T;
  readonly store: Store;
  readonly seed: Seed;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  readonly teacher: () => Promise<Teacher>;
  readonly loadServing: (folder: string) => Promise<Student>;
};

export async function openBase<T extends AnyTask>(options: FlywheelOptions<AnyTask>, task: T): Promise<Workspace<T>> {
  const directory = resolve(options.directory);
  const { seed = "0", clock = systemClock, env = process.env } = options;
  const hidden = join(directory, ".flywheel");
  await mkdir(hidden, { recursive: true });
  return {
    directory,
    task,
    store: await openChecked(hidden, task),
    seed,
    clock,
    env,
    teacher: async () => {
      const { openTeacher } = await import("../label/teacher.ts");
      return openTeacher({ task, env, clock, ...(options.fetch && { fetch: options.fetch }) });
    },
    loadServing: async (folder) => {
      const { loadStudent } = await import("../train/load-student.ts");
      return await loadStudent(folder, { threads: task.student.threads ?? 1 });
    },
  };
}

async function openChecked(directory: string, task: AnyTask): Promise<Store> {
  const store = await openSqliteStore({ directory });
  try {
    await checkConfig(store, task);
    return store;
  } catch (thrown) {
    await store[Symbol.asyncDispose]();
    throw thrown;
  }
}

export function toFlywheel(workspace: Workspace<Task>): Flywheel {
  const { directory, task, store, seed, clock, env, teacher, loadServing } = workspace;
  const base = { store, task, seed, clock };

  return {
    directory,
    task,
    store,
    seed,
    async ingest(work) {
      const { ingest } = await import("../ingest/ingest.ts");
      const summary = await ingest({ ...base, ...work });
      // The answers of a log are annotations already: their labels come into force without asking anybody.
      if (summary.log) await derive([base]);
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
      await derive([base]);
      return imported;
    },
    train: (work = {}) => train({ ...base, ...work }),
    async report({ directory: out = join(directory, "report"), modelId, signal } = {}) {
      const { writeReport } = await import("../report/write-report.ts");
      const { loadStudent } = await import("../train/load-student.ts");
      return await writeReport({
        ...base,
        directory: out,
        ...(modelId && { modelId }),
        ...(signal && { signal }),
        loadStudent,
      });
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
    improve: async (work = {}) => (await import("../improve/run-round.ts")).runRound({ ...base, ...work }),
    rollback: async () => (await import("../improve/promotion.ts")).rollback(store, clock.now()),
    status: () => readStatus(store, task),
    exportModel: async (what) => (await import("./export-model.ts")).exportModel({ ...base, ...what }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** The labels of every scope, brought up to date. */
export async function derive(scopes: readonly { readonly store: Store; readonly task: Task }[]): Promise<void> {
  const { deriveLabels } = await import("../label/derive-labels.ts");
  for (const scope of scopes) await deriveLabels(scope);
}

/** Who may call, and where their pictures may lie. */
export async function callersFrom(env: NodeJS.ProcessEnv) {
  const [{ apiKeysFrom }, { imageHostsFrom }] = await Promise.all([
    import("../serve/api-keys.ts"),
    import("../serve/image-input.ts"),
  ]);
  return { apiKeys: apiKeysFrom(env), imageHosts: imageHostsFrom(env) };
}

export async function train(options: RoundOptions): Promise<TrainOutcome> {
  const { finishRound, servingCandidate, trainChallenger } = await import("../improve/run-round.ts");
  using _claim = options.store.claim("train");
  const startedAt = options.clock.now();
  const champion = await servingCandidate(options.store);
  const challenger = await trainChallenger(options);
  if (champion) {
    const same = champion.card.id === challenger.card.id;
    const why = same
      ? "it serves already"
      : "registered as challenger: `flywheel improve` compares it with the champion";
    return { ...challenger, promoted: same, why };
  }
  const { round } = await finishRound({ ...options, champion: undefined, challenger, startedAt });
  return { ...challenger, promoted: round.promoted, why: round.why };
}
