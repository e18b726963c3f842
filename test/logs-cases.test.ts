/** Logs that real libraries wrote, through `ingest` and `scan`: the right label of every call, or the named refusal. */

import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "../src/contracts.ts";
import { type IngestSummary, ingest } from "../src/ingest/ingest.ts";
import { readTraffic } from "../src/scan/read-traffic.ts";
import { scanLog } from "../src/scan/scan.ts";
import type { Store } from "../src/store/contract.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { LOGS, type LogCase, logCases } from "./support/log-cases.ts";

const clock: Clock = { now: () => 42, sleep: () => Promise.resolve() };

let root: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-log-cases-"));
  store = await openSqliteStore({ directory: join(root, "store") });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

const pathsOf = ({ file, requests }: LogCase) => ({
  path: join(LOGS, file),
  ...(requests !== undefined && { requestsPath: join(LOGS, requests) }),
});

const ingestCase = (one: LogCase): Promise<IngestSummary> =>
  ingest({ store, task: one.desk.task, clock, ...pathsOf(one) });

/** By text, what the rows' annotations say; undefined where there is no label. */
async function labels(): Promise<ReadonlyMap<string, string | undefined>> {
  const rows = await Array.fromAsync(store.rows.list());
  const given = rows.map(async ({ id, input }) => {
    const annotations = await store.annotations.ofRow(id);
    const text = input.kind === "text" ? input.text : "";
    return [text, annotations.find(({ value }) => value !== undefined)?.value] as const;
  });
  return new Map(await Promise.all(given));
}

describe.each(logCases)("$file", (one) => {
  const { calls, failed, images, unreadable, desk } = one;
  const labelled = calls - images - failed - unreadable;

  test("ingest: every call once, each answer the right label, failures without one, images refused by name", async () => {
    const summary = await ingestCase(one);
    expect(summary.rejections.map(({ code }) => code)).toEqual(
      Array.from({ length: images }, () => "log_input_no_text"),
    );
    expect(summary.log).toMatchObject({
      format: one.format,
      calls: calls - images,
      answered: labelled,
      failed,
      prompts: [{ prompt: desk.prompt, calls, isOurs: true }],
    });
    const read = await labels();
    const answered = [...read].filter(([, value]) => value !== undefined);
    expect(answered.length).toBeGreaterThanOrEqual(Math.min(1, labelled));
    for (const [text, value] of answered) expect([text, value]).toEqual([text, desk.labelOf(text)]);
  });

  test("scan: as many calls, tokens, seconds and dollars as there were", async () => {
    const { total, failed: without, calls: found } = await readTraffic(pathsOf(one));
    const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
    expect([total, without]).toEqual([calls, failed]);
    expect([
      sum(found.map(({ usage }) => usage.inputTokens)),
      sum(found.map(({ usage }) => usage.outputTokens)),
    ]).toEqual(one.tokens);
    expect(found.every(({ latencyMs }) => latencyMs > 0)).toBe(one.isTimed);
    expect(sum(found.map(({ costUsd = 0 }) => costUsd))).toBeCloseTo(one.costUsd ?? 0, 9);
    expect(found.filter(({ foreign }) => foreign?.startsWith("an image"))).toHaveLength(images);
    await expect(scanLog({ ...pathsOf(one), seed: "cases", clock })).rejects.toMatchObject({
      code: "scan_no_decisions",
      message: expect.stringContaining(`none of the ${calls} calls`),
    });
  });

  test.each(["streamed", "tool"] as const)(
    "a call that was %s is among them, where the log holds one",
    async (kind) => {
      const which = one[kind];
      if (!which) return;
      const { calls: found } = await readTraffic(pathsOf(one));
      const call = found.find(({ input }) => typeof input === "string" && which.test(input));
      expect(call?.answer.kind).toBe("text");
    },
  );
});

test("a batch line that failed has no label: the example at the end of its request is no answer", async () => {
  await ingestCase(logCases.find(({ file }) => file === "batch-prefill-output.jsonl")!);
  const read = await labels();
  const without = [...read].filter(([, value]) => value === undefined).map(([text]) => /\d+/.exec(text)?.[0]);
  expect(without.toSorted()).toEqual(["0", "10", "15", "20", "25", "5"]);
});

test("spans whose words were not recorded are named, never 0 calls", async () => {
  const path = join(LOGS, "openai-v2-2.1b0-no-content.spans.jsonl");
  const named = {
    code: "log_no_calls",
    message: expect.stringMatching(/5 spans of a model's call do not hold what was asked/),
  };
  await expect(scanLog({ path, seed: "cases", clock })).rejects.toMatchObject(named);
  await expect(ingest({ store, task: logCases[0]!.desk.task, clock, path })).rejects.toMatchObject(named);
});

test("what JavaScript's console exporter prints is no JSON, and is called so", async () => {
  const path = join(LOGS, "ai-5.0.277.console-node.txt");
  const printed = expect.stringMatching(/what JavaScript's console prints/);
  await expect(scanLog({ path, seed: "cases", clock })).rejects.toMatchObject({
    code: "scan_no_log",
    message: printed,
  });
  const copy = join(root, "console.jsonl");
  await copyFile(path, copy);
  const { rejections } = await ingest({ store, task: logCases[0]!.desk.task, clock, path: copy });
  expect(rejections.map(({ message }) => message)).toContainEqual(printed);
});
