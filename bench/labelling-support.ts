/** @file What the labelling benchmarks share: a task, a teacher in its own process, its books. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TeacherStats } from "../src/simulate/ledger.ts";
import type { SimulatedTeacherOptions } from "../src/simulate/teacher-server.ts";
import { defineTask, type Task } from "../src/task.ts";

export const classes = ["apple", "mushroom", "orange", "pear", "sweet_pepper"] as const;

export function labellingTask(input: "text" | "image", baseUrl: string): Task {
  return defineTask({
    name: "labelling",
    input,
    instructions: "Which fruit or vegetable is this about?",
    output: { kind: "choice", choices: [...classes] },
    teacher: {
      model: "compatible/simulated/bench",
      baseUrl,
      maxConcurrency: 512,
      timeoutMs: 10_000,
      price: { inputPerMillionUsd: 0.3, outputPerMillionUsd: 2.5 },
    },
  });
}

export type TeacherProcess = AsyncDisposable & { readonly url: string; stats(): Promise<TeacherStats> };

export async function spawnTeacher(
  options: Omit<SimulatedTeacherOptions, "gold" | "classes">,
): Promise<TeacherProcess> {
  const program = join(import.meta.dirname, "labelling-teacher-worker.ts");
  const child = spawn(process.execPath, [program, JSON.stringify({ ...options, classes })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return {
    url,
    async stats() {
      const response = await fetch(url.replace("/v1", "/simulated/stats"));
      return (await response.json()) as TeacherStats;
    },
    [Symbol.asyncDispose]: () => kill(child),
  };
}

/** `kill -9`: no handler runs. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
