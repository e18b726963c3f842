/**
 * @file Bar `front-door`: in a fresh clone of what is committed, `make all` within five minutes and `make test` within ten,
 * set-up included. The clone's downloads come from the same registry and cache that any `npm ci` here would use.
 */

import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

const target = { allSeconds: 300, testSeconds: 600 };
const home = join(import.meta.dirname, "..");

/** Runs to its end in `folder`; what it prints is shown. Seconds, and whether it succeeded. */
function timed(folder: string, command: string, args: readonly string[]) {
  const started = performance.now();
  const { status } = spawnSync(command, args, { cwd: folder, stdio: "inherit" });
  return { seconds: Math.round((performance.now() - started) / 1000), succeeded: status === 0 };
}

async function clonedAndTimed(goal: "all" | "test") {
  const folder = await mkdtemp(join(tmpdir(), "flywheel-front-door-"));
  try {
    timed(folder, "git", ["clone", "--quiet", home, "."]);
    console.log(`make ${goal}`);
    return timed(folder, "make", [goal]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const all = await clonedAndTimed("all");
const test = await clonedAndTimed("test");
const met = all.succeeded && test.succeeded && all.seconds <= target.allSeconds && test.seconds <= target.testSeconds;
const figures = { all, test, cores: availableParallelism() };
console.log(JSON.stringify({ bar: "front-door", figures, target, met }));
