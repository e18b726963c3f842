/**
 * @file A process of its own for the fault tests: `node child.ts JOB DIRECTORY ARGUMENT`. Says `ready` once it has opened
 * the store, starts at the first line on its standard input, answers one line per event.
 */

import { writeSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { FlywheelError } from "../../errors.ts";
import { modelId, policyId } from "../../records.ts";
import type { Store } from "../contract.ts";
import { openSqliteStore } from "../sqlite.ts";
import { sampleAnnotation, sampleDecision, sampleRow } from "./samples.ts";

type Job = (store: Store, argument: string, directory: string) => Promise<void>;

/** Written at once: a line that the parent has read is an acknowledgement that must hold. */
const say = (line: unknown): void => void writeSync(1, `${line}\n`);

const jobs: Readonly<Record<string, Job>> = {
  /** Annotates without end, sixteen at a time; says each id once its write has resolved. */
  async annotate(store, prefix) {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (true) {
        const annotation = sampleAnnotation(sampleRow(`${prefix} ${next++}`), 1);
        await store.spend.reserve({ id: annotation.id, maxCostUsd: 0.002, at: 1 });
        await store.annotations.put([annotation]);
        say(annotation.id);
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  },
  /** Records decisions without end, thirty-two at a time, beside rows; says the id of each once its write has resolved. */
  async decide(store, prefix) {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (true) {
        const id = `${prefix} ${next++}`;
        if (next % 8 === 0) await store.rows.put([sampleRow(id)]);
        await store.decisions.put([sampleDecision(id)]);
        say(id);
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
  },
  async blobs(store) {
    for (let next = 0; ; next++) say(await store.blobs.put(new Uint8Array(200_000).fill(next, 0, 4)));
  },
  async rows(store, range) {
    const [from, to] = range.split("-").map(Number) as [number, number];
    let added = 0;
    for (let next = from; next < to; next += 10) {
      const rows = Array.from({ length: 10 }, (_, index) => sampleRow(`row ${next + index}`));
      added += (await store.rows.put(rows)).added;
    }
    say(added);
  },
  async reserve(store, prefix) {
    const asked = Array.from({ length: 200 }, (_, index) =>
      store.spend.reserve({ id: `${prefix} ${index}`, maxCostUsd: 0.01, budgetUsd: 2.5, at: 1 }),
    );
    say((await Promise.all(asked)).filter((granted) => granted).length);
  },
  async promote(store, reason) {
    const next = { modelId: modelId("m"), policyId: policyId("p"), at: 1, reason };
    say(await store.policies.promote(next, 0));
  },
  /** Fills a small disk, then frees some space. */
  async fill(store, _, directory) {
    const ballast = join(directory, "ballast");
    await writeFile(ballast, new Uint8Array(400_000));
    let kept = 0;
    const write = async (): Promise<void> => {
      await store.rows.put(Array.from({ length: 50 }, (_, index) => sampleRow(`row ${kept + index}`)));
      kept += 50;
    };
    try {
      while (true) await write();
    } catch (thrown) {
      say(FlywheelError.isInstance(thrown) ? thrown.code : thrown);
    }
    say(await codeOf(store.probe()));
    say(await codeOf(store.blobs.put(new Uint8Array(4_000_000).fill(kept))));
    await rm(ballast);
    await write();
    say((await store.rows.count()) === kept);
  },
};

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (thrown) {
    return FlywheelError.isInstance(thrown) ? thrown.code : thrown;
  }
}

/** Keeps the write lock until it is killed. */
async function lock(directory: string): Promise<void> {
  const database = new DatabaseSync(join(directory, "flywheel.sqlite"));
  database.exec("begin immediate");
  say("ready");
  await sleep(60_000);
  database.close();
}

const [name = "", directory = "", argument = ""] = process.argv.slice(2);
const input = createInterface({ input: process.stdin });
const go = new Promise((resolve) => input.once("line", resolve));
if (name === "lock") await lock(directory);
else if (name === "open") say(await codeOf(openSqliteStore({ directory }).then((store) => store.rows.count())));
else {
  await using store = await openSqliteStore({ directory });
  say("ready");
  await go;
  await jobs[name]?.(store, argument, directory);
  input.close();
}
