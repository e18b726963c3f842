/**
 * @file Progress for people: a bar on a terminal, a line every ten seconds elsewhere, always on stderr, so that stdout
 * stays what the command was asked for.
 */

import { type Bar, Presets, SingleBar } from "cli-progress";
import type { Clock, Progress } from "../contracts.ts";

const lineEveryMs = 10_000;

export type ProgressDisplay = { readonly progress: Progress; stop(): void };

export function showProgress(stream: NodeJS.WriteStream, clock: Clock): ProgressDisplay {
  return stream.isTTY ? showBar(stream) : showLines(stream, clock);
}

/** Rate and time left are `cli-progress`'s own, over its last updates. */
function showBar(stream: NodeJS.WriteStream): ProgressDisplay {
  let bar: Bar | undefined;
  let stage = "";
  const stop = () => {
    bar?.stop();
    bar = undefined;
  };
  const progress: Progress = (update) => {
    if (!bar || stage !== update.stage) {
      stop();
      stage = update.stage;
      bar = new SingleBar(
        { format: "{stage} {bar} {value}/{total} {eta_formatted} left {details}", stream, hideCursor: true },
        Presets.shades_classic,
      );
      bar.start(update.total ?? 0, 0, { stage, details: "" });
    }
    if (update.total !== undefined) bar.setTotal(update.total);
    bar.update(update.done, { stage, details: detailsOf(update.details) });
  };
  return { progress, stop };
}

function showLines(stream: NodeJS.WriteStream, clock: Clock): ProgressDisplay {
  let lastAt = clock.now();
  const progress: Progress = ({ stage, done, total, details }) => {
    const now = clock.now();
    if (now - lastAt < lineEveryMs) return;
    lastAt = now;
    stream.write(`${stage} ${done}${total === undefined ? "" : `/${total}`} ${detailsOf(details)}\n`);
  };
  return { progress, stop: () => undefined };
}

function detailsOf(details: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(details ?? {})
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}
