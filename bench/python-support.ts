/** @file A Python peer that answers one JSON line for each line it is sent. `FLYWHEEL_PYTHON` names it (default `python3`). */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

export type Peer = Disposable & {
  /** What it said of itself as it started. */
  readonly hello: Readonly<Record<string, unknown>>;
  ask(request: unknown): Promise<Readonly<Record<string, unknown>>>;
};

/** Absent where there is no Python, or it lacks what the script imports. */
export async function startPeer(script: string): Promise<Peer | undefined> {
  const path = join(import.meta.dirname, "peers", script);
  const child = spawn(process.env["FLYWHEEL_PYTHON"] ?? "python3", [path], { stdio: ["pipe", "pipe", "inherit"] });
  const started = new Promise<boolean>((resolve) =>
    child.once("spawn", () => resolve(true)).once("error", () => resolve(false)),
  );
  if (!(await started)) return undefined;
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<Readonly<Record<string, unknown>> | undefined> => {
    const { value, done } = await lines.next();
    return done === true ? undefined : JSON.parse(value);
  };
  child.stdin.on("error", () => {}); // it may have ended for want of a package, which the next line tells
  const hello = await answer();
  if (!hello) return undefined;
  return {
    hello,
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const answered = await answer();
      if (answered) return answered;
      throw new Error(`${script} ended without an answer`);
    },
    [Symbol.dispose]: () => child.kill(),
  };
}
