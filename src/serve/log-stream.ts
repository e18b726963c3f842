/**
 * @file Where log lines go: gathered over one turn of the event loop, then written at once. A line for every decision, each
 * written for itself, costs more than the line; what a turn has gathered is out before the next one begins.
 */

import { writeSync } from "node:fs";

export type LogStream = { write(line: string): void };

/** @param file descriptor of what is written to */
export function createLogStream(file: number): LogStream {
  let lines = "";
  const flush = (): void => {
    const text = lines;
    lines = "";
    if (text !== "") writeAll(file, text);
  };
  // What the last turn of a process says.
  process.on("exit", flush);
  return {
    write(line) {
      if (lines === "") setImmediate(flush);
      lines += line;
    },
  };
}

/** A pipe that is full takes a part, or none until somebody reads: then this waits, as pino's own destination does. */
function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text);
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(file, bytes, done);
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EAGAIN")) return;
      Atomics.wait(pause, 0, 0, 10);
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));
