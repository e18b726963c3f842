/**
 * @file Measures the most memory that a process of its own ever holds. Used by `memory.ts` for each stage.
 */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export type Measured = {
  readonly peakRssMb: number;
  readonly seconds: number;
  /** What the program said in its last line, beside the two above. */
  readonly said: Readonly<Record<string, unknown>>;
};

/**
 * Runs a TypeScript program, which ends by calling `sayPeak`, and passes its other lines on.
 * @param program absolute path
 */
export async function measureProgram(program: string, args: readonly string[]): Promise<Measured> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let last: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    if (last !== undefined) console.log(last);
    last = line;
  }
  if (last === undefined) throw new Error(`${program} said nothing`);
  const { peakRssMb, ...said } = JSON.parse(last);
  return { peakRssMb, seconds: (performance.now() - startedMs) / 1_000, said };
}

/** The measured program's last words: its peak, and whatever else it has to say. */
export function sayPeak(said: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ ...said, peakRssMb: peakRssMb() }));
}

/** The kernel's own high-water mark: no sample can miss it. Resident, in units of 2^20 bytes. */
function peakRssMb(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS / 1024;
  // Linux carries `maxRSS` over from the process that forked this one; this mark begins with the program.
  const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(match?.[1]) / 1024;
}
