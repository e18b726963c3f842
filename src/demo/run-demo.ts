/**
 * @file The whole wheel, end to end, on photos of fruit: ingest, plan, label, review, train, certify, report, serve, and
 * rounds on fresh traffic. Nothing here is particular to the demonstration but the photos and, where no real one is asked
 * for, the simulated teacher; both go through the same code as a user's own.
 */

import { access, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "csv-stringify/sync";
import type { Clock, Progress } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { type Flywheel, openFlywheel } from "../flywheel/open.ts";
import { reviewQueue } from "../flywheel/review-files.ts";
import type { RoundOutcome } from "../improve/run-round.ts";
import { deriveLabels } from "../label/derive-labels.ts";
import type { Seed } from "../math/random.ts";
import { loadGoldFile } from "../simulate/gold-file.ts";
import { simulateReview } from "../simulate/reviewer.ts";
import { type SimulatedTeacher, startSimulatedTeacher } from "../simulate/teacher-server.ts";
import { defineTask } from "../task.ts";
import { type DemoTeacher, demoTask } from "./demo-task.ts";
import { type DemoData, type PhotoSource, preparePhotos } from "./photo-source.ts";
import { demoRequestId, type Photo, sendTraffic, type TrafficResult } from "./traffic.ts";

export type DemoOptions = {
  /** The demonstration's own workspace; made anew at every run. */
  readonly directory: string;
  readonly data: DemoData;
  /** `provider/model` of a real teacher; simulated where absent. */
  readonly teacher?: string | undefined;
  readonly seed: Seed;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
  /** One line at a time, as things happen. */
  readonly say: (line: string) => void;
};

/** `outcome`: absent of the last traffic, which shows what the rounds before it have brought. */
export type DemoRound = { readonly traffic: TrafficResult; readonly outcome?: RoundOutcome };

export type DemoResult = {
  readonly htmlPath: string;
  readonly summaryPath: string;
  readonly simulatedTeacher: boolean;
  readonly rounds: readonly DemoRound[];
};

const counts = { start: 1500, round: 700, rounds: 3 } as const;
const rulings = 60;

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { directory, say } = options;
  await prepareFolder(directory);
  say(`photos    ${options.data}: ${counts.start} to label, ${counts.rounds} × ${counts.round} of traffic`);
  const source = await preparePhotos({ ...options, directory: join(directory, "photos"), counts });
  await using teacher = options.teacher === undefined ? await simulateTeacher(source, options.seed) : undefined;
  const { model, baseUrl } = teacher ? { model: "compatible/simulated", baseUrl: teacher.url } : realTeacher(options);
  await writeConfig(directory, { model, ...(baseUrl !== undefined && { baseUrl }) });
  await using flywheel = await openFlywheel(options);
  await startWheel(flywheel, { ...options, source });
  const rounds = await turnWheel(flywheel, { ...options, source });
  const { htmlPath, summaryPath } = await flywheel.report(options.signal ? { signal: options.signal } : {});
  return { htmlPath, summaryPath, simulatedTeacher: teacher !== undefined, rounds };
}

const marker = ".flywheel-demo";

/** Made anew, but only if it is ours: a folder that somebody else filled is left alone. */
async function prepareFolder(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const entries = await readdir(directory);
  const isOurs = await access(join(directory, marker)).then(
    () => true,
    () => false,
  );
  if (entries.length > 0 && !isOurs) {
    throw new FlywheelError("demo_folder_taken", `${directory} holds something else than a demonstration`, {
      hint: "name an empty folder with --dir",
    });
  }
  // Photos are the same for the same seed and cost time to make: they stay.
  for (const entry of entries.filter((name) => name !== "photos" && name !== marker)) {
    await rm(join(directory, entry), { recursive: true });
  }
  await writeFile(join(directory, marker), "");
}

async function simulateTeacher({ goldPath }: PhotoSource, seed: Seed): Promise<SimulatedTeacher> {
  const { gold, classes } = await loadGoldFile(goldPath);
  return await startSimulatedTeacher({
    gold,
    classes,
    errorRate: 0.05,
    pairs: [["apple", "pear"]],
    latency: { medianMs: 150, sigma: 0.3 },
    seed,
  });
}

function realTeacher({ teacher }: DemoOptions): DemoTeacher {
  return { model: teacher ?? "" };
}

async function writeConfig(directory: string, teacher: DemoTeacher): Promise<void> {
  const task = demoTask(teacher);
  defineTask(task);
  await writeFile(join(directory, "flywheel.config.json"), `${JSON.stringify(task, null, 2)}\n`);
}

type Turning = DemoOptions & { readonly source: PhotoSource };

/** From photos to a certified student. */
async function startWheel(flywheel: Flywheel, { source, say, clock, progress, signal }: Turning): Promise<void> {
  const work = { progress, signal };
  const path = await writeList(join(flywheel.directory, "start.csv"), source.start);
  const rows = await flywheel.ingest({ path, goldPath: source.goldPath, ...work });
  say(`ingest    ${rows.added} rows, ${rows.duplicates} duplicates, ${rows.rejected} rejected`);
  const labels = await flywheel.label(work);
  say(
    `label     ${labels.labels.total} labels: ${labels.labels.agreed} agreed, ${labels.labels.majority} by majority, ${labels.labels.split} split; $${labels.costUsd.toFixed(2)}`,
  );
  const reviewed = await review(flywheel, clock);
  say(`review    ${reviewed} rulings by a simulated reviewer`);
  const { card, policy, why } = await flywheel.train(work);
  say(
    `train     ${card.trainer}, ${card.parameters} parameters, ${card.trainingRows} rows, ${(card.trainingMs / 1000).toFixed(0)} s`,
  );
  say(`certify   ${why}; threshold ${policy.threshold?.toFixed(3) ?? "none"}`);
}

async function writeList(path: string, photos: readonly Photo[]): Promise<string> {
  await writeFile(
    path,
    stringify(
      photos.map(({ path: file }) => ({ file })),
      { header: true },
    ),
  );
  return path;
}

/** A person would take half an hour for these; the simulated one reads gold, and is named as what it is. */
async function review({ store, task, seed }: Flywheel, clock: Clock): Promise<number> {
  const items = await reviewQueue({ store, task, limit: rulings });
  const { recorded } = await simulateReview({
    store,
    task,
    items,
    gold: await store.gold.all(),
    accuracy: 1,
    seed,
    clock,
  });
  await deriveLabels({ store, task });
  return recorded;
}

/**
 * Fresh traffic, then a turn of the wheel; the server runs on and follows each promotion. After the last traffic no student is
 * trained any more: nothing would be asked of it.
 */
async function turnWheel(flywheel: Flywheel, options: Turning): Promise<readonly DemoRound[]> {
  const { source, say, progress, signal } = options;
  const server = await flywheel.serve({ port: 0, requestIdOf: demoRequestId });
  const rounds: DemoRound[] = [];
  try {
    for (const [index, photos] of source.rounds.entries()) {
      const traffic = await sendTraffic({
        url: server.url,
        task: flywheel.task,
        photos,
        round: index + 1,
        progress,
        signal,
      });
      await server.workOffBacklog();
      if (index + 1 === source.rounds.length) {
        say(`traffic   ${describe(traffic)}`);
        rounds.push({ traffic });
        break;
      }
      const outcome = await flywheel.improve({ force: true, progress, signal });
      await server.reload();
      say(`round ${index + 1}   ${describe(traffic)}; ${outcome.kind === "done" ? outcome.round.why : "not due"}`);
      rounds.push({ traffic, outcome });
    }
  } finally {
    await server.close();
  }
  return rounds;
}

function describe({ requests, escalated, correct }: TrafficResult): string {
  const share = (count: number) => `${((100 * count) / requests).toFixed(1)} %`;
  return `${requests} requests: ${share(escalated)} escalated, ${share(correct)} right`;
}
