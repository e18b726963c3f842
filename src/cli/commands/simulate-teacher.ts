import { once } from "node:events";
import { FlywheelError } from "../../errors.ts";
import { loadTask } from "../../flywheel/config.ts";
import { toListenError } from "../../serve/listen-error.ts";
import { loadGoldFile } from "../../simulate/gold-file.ts";
import {
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
  startSimulatedTeacher,
} from "../../simulate/teacher-server.ts";
import type { AnyTask } from "../../task.ts";
import type { CommandContext, CommandResult } from "../command.ts";

export type SimulateOptions = {
  readonly gold: string;
  readonly photos?: string;
  readonly port: number;
  readonly errorRate: number;
  readonly latency: number;
  readonly rateLimit?: number;
  readonly p429: number;
  readonly p5xx: number;
  readonly hang: number;
  readonly malformed: number;
};

/** Of the workspace where it runs in one: it says what the columns are. */
async function taskIn(directory: string): Promise<AnyTask | undefined> {
  try {
    return await loadTask(directory);
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown) && thrown.code === "config_missing") return undefined;
    throw thrown;
  }
}

async function listening(port: number, options: SimulatedTeacherOptions): Promise<SimulatedTeacher> {
  try {
    return await startSimulatedTeacher({ ...options, port });
  } catch (thrown) {
    throw toListenError(thrown, `127.0.0.1:${port}`);
  }
}

export async function runSimulateTeacher(
  { dir, seed, json, clock, signal, say }: CommandContext,
  { gold: path, photos, port, errorRate, latency, rateLimit, p429, p5xx, hang, malformed }: SimulateOptions,
): Promise<CommandResult> {
  const { gold, classes, fields } = await loadGoldFile(path, { task: await taskIn(dir), photos });
  await using teacher = await listening(port, {
    gold,
    classes,
    ...(fields && { fields }),
    errorRate,
    latency: { medianMs: latency, sigma: 0.3 },
    ...(rateLimit !== undefined && { rateLimitPerSecond: rateLimit }),
    ...{ p429, p5xx, pHang: hang, pMalformed: malformed / 2, pOffSchema: malformed / 2 },
    seed,
    clock,
  });
  // A program that started us needs the address before the command ends; it reads one JSON line.
  if (json) process.stdout.write(`${JSON.stringify({ url: teacher.url, simulated: true })}\n`);
  say(`SIMULATED teacher for ${gold.size} inputs at ${teacher.url} (Ctrl-C stops it)`);
  say(`  teacher: { model: "compatible/simulated", baseUrl: "${teacher.url}" }`);
  if (!signal.aborted) await once(signal, "abort");
  const stats = teacher.stats();
  return { json: stats, text: Object.entries(stats).map(([name, value]) => `${name} ${JSON.stringify(value)}`) };
}
