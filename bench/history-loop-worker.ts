/**
 * @file Loaded into the server under test before anything else: how long its event loop stood still at most, by the clock and
 * by the processor time of its thread, into the file that `FLYWHEEL_BENCH_LOOP` names. SIGUSR2 begins anew.
 */

import { writeFileSync } from "node:fs";

const EVERY_MS = 2;
const path = process.env["FLYWHEEL_BENCH_LOOP"]!;

export type LoopPauses = { readonly longestMs: number; readonly longestCpuMs: number };

let longest = { longestMs: 0, longestCpuMs: 0 };
let [lastMs, lastCpuMs] = [performance.now(), threadMs()];

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** The clock's own interval and what this costs are no pause. */
setInterval(() => {
  const [nowMs, cpuMs] = [performance.now(), threadMs()];
  longest = {
    longestMs: Math.max(longest.longestMs, nowMs - lastMs - EVERY_MS),
    longestCpuMs: Math.max(longest.longestCpuMs, cpuMs - lastCpuMs),
  };
  [lastMs, lastCpuMs] = [nowMs, cpuMs];
}, EVERY_MS).unref();
setInterval(() => writeFileSync(path, JSON.stringify(longest)), 1_000).unref();
process.on("SIGUSR2", () => {
  longest = { longestMs: 0, longestCpuMs: 0 };
});
