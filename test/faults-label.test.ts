/**
 * @file Labelling under real faults: killed processes, dead networks, storms of refusals, answers cut short, an empty
 * purse, a wrong key. The teacher is simulated, over HTTP, and keeps its own books; ours are held against them.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../src/clock.ts";
import { scopesOf } from "../src/fields.ts";
import { type FieldsLabelSummary, type LabelSummary, labelRows } from "../src/label/label-rows.ts";
import { openTeacher } from "../src/label/teacher.ts";
import { fruitTask, textRows } from "../src/label/testing/fixtures.ts";
import { contentHash } from "../src/simulate/gold-file.ts";
import {
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
  startSimulatedTeacher,
} from "../src/simulate/teacher-server.ts";
import type { Store } from "../src/store/contract.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { type AnyTask, defineFieldsTask, promptVersion, type Task } from "../src/task.ts";
import { startHalfOpenProxy } from "./support/half-open-proxy.ts";

const classes = ["apple", "pear", "orange"];

type World = {
  readonly directory: string;
  readonly store: Store;
  readonly teacher: SimulatedTeacher;
  readonly taskFor: (changes?: Parameters<typeof fruitTask>[0]) => Task;
};

async function openWorld(rows: number, faults: Partial<SimulatedTeacherOptions> = {}): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-faults-"));
  const store = await openSqliteStore({ directory });
  const all = textRows(rows);
  await store.rows.put(all);
  const gold = new Map(
    all.map(({ input }, index) => [contentHash(input.kind === "text" ? input.text : ""), classes[index % 3]!]),
  );
  const teacher = await startSimulatedTeacher({ gold, classes, errorRate: 0.1, seed: "faults", ...faults });
  onTestFinished(async () => {
    await teacher.close();
    await store[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
  const taskFor: World["taskFor"] = ({ teacher: changes, ...rest } = {}) =>
    fruitTask({ ...rest, teacher: { baseUrl: teacher.url, timeoutMs: 1000, maxConcurrency: 16, ...changes } });
  return { directory, store, teacher, taskFor };
}

const label = ({ store }: World, task: Task, env: Record<string, string> = {}): Promise<LabelSummary> =>
  labelRows({ store, task, teacher: openTeacher({ task, env }), clock: systemClock, seed: "faults" });

/** Rows with an answer to both passes. */
async function finished({ store, taskFor }: World): Promise<number> {
  const answers = new Map<string, number>();
  for await (const { rowId, pass, value } of store.annotations.teacher({ promptVersion: promptVersion(taskFor()) })) {
    if (pass <= 2 && value !== undefined) answers.set(rowId, (answers.get(rowId) ?? 0) + 1);
  }
  return [...answers.values()].filter((count) => count === 2).length;
}

function startWorker({ directory }: Pick<World, "directory">, task: AnyTask) {
  const program = join(import.meta.dirname, "support/label-worker.ts");
  const child = spawn(process.execPath, [program, directory, JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  return { child, exit, output: () => new Response(ReadableStream.from(child.stdout)).text() };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(10);
}

describe("labelling under faults", () => {
  test("killed three times with -9: no row is paid twice, none is lost, the books agree", async () => {
    const world = await openWorld(150, { latency: { medianMs: 30, sigma: 0.3 } });
    const task = world.taskFor();
    for (const enough of [40, 120, 220]) {
      const { child, exit } = startWorker(world, task);
      await until(() => world.teacher.stats().answered >= enough);
      child.kill("SIGKILL");
      await exit;
    }
    const { exit, output } = startWorker(world, task);
    const [said] = await Promise.all([output(), exit]);
    const summary: LabelSummary = JSON.parse(said);
    const stats = world.teacher.stats();
    expect(await finished(world)).toBe(150);
    expect(stats.paidTwice).toBe(0);
    expect(stats.charged).toBe(stats.answered);
    // What was in flight at the last kill was asked again, and replayed where it had been charged.
    expect(summary.inDoubt.requests).toBeGreaterThan(0);
    expect(stats.replayed).toBeGreaterThan(0);
    let annotated = 0;
    for await (const { costUsd } of world.store.annotations.teacher()) annotated += costUsd;
    expect(summary.spentUsd).toBeCloseTo(annotated, 9);
    expect(await world.store.spend.totals()).toMatchObject({ reservedUsd: 0, inFlight: 0 });
  });

  test("two at once: the second is refused and asks nothing; the first, killed, hands over to the next", async () => {
    const world = await openWorld(60, { latency: { medianMs: 30, sigma: 0.3 } });
    const task = world.taskFor();
    const { child, exit } = startWorker(world, task);
    await until(() => world.teacher.stats().answered >= 20);
    await expect(label(world, task)).rejects.toMatchObject({ code: "work_under_way" });
    child.kill("SIGKILL");
    await exit;
    await label(world, task);
    expect(await finished(world)).toBe(60);
    expect(world.teacher.stats().paidTwice).toBe(0);
  });

  test("killed three times with -9, three fields a request: every row has each of them once, and is paid for once", async () => {
    const fields = { kind: ["apple", "pear", "orange"], ripe: ["true", "false"], size: ["small", "middling", "large"] };
    const golds = Object.entries(fields).map(([name, labels], shift) => {
      const gold = textRows(120).map(({ input }, index) => {
        const text = input.kind === "text" ? input.text : "";
        return [contentHash(text), labels[(index + shift) % labels.length]!] as const;
      });
      return [name, { gold: new Map(gold), classes: labels }] as const;
    });
    const world = await openWorld(120, { latency: { medianMs: 30, sigma: 0.3 }, fields: Object.fromEntries(golds) });
    const { output: _, instructions, ...shared } = world.taskFor();
    const task = defineFieldsTask({
      ...shared,
      fields: {
        kind: { instructions, output: { kind: "choice", choices: fields.kind } },
        ripe: { instructions: "Is it ripe?", output: { kind: "predicate" } },
        size: { instructions: "How large is it?", output: { kind: "score", levels: fields.size } },
      },
    });
    for (const enough of [40, 110, 190]) {
      const { child, exit } = startWorker(world, task);
      await until(() => world.teacher.stats().answered >= enough);
      child.kill("SIGKILL");
      await exit;
    }
    const { exit, output } = startWorker(world, task);
    const [said] = await Promise.all([output(), exit]);
    const summary: FieldsLabelSummary = JSON.parse(said);
    const stats = world.teacher.stats();
    expect(stats.paidTwice).toBe(0);
    expect(stats.charged).toBe(stats.answered);
    expect(summary.inDoubt.requests).toBeGreaterThan(0);
    let annotated = 0;
    for (const { name, store } of scopesOf(world.store, task)) {
      const all = await Array.fromAsync(store.annotations.teacher());
      expect(
        all.filter(({ pass }) => pass <= 2),
        name,
      ).toHaveLength(240);
      // Every request answered every field, the third passes too.
      expect(all).toHaveLength(stats.charged);
      for (const { costUsd } of all) annotated += costUsd;
    }
    expect(summary.spentUsd).toBeCloseTo(annotated, 9);
    expect(await world.store.spend.totals()).toMatchObject({ reservedUsd: 0, inFlight: 0 });
  });

  test("a storm of refusals with Retry-After: everybody waits, and every row gets through", async () => {
    const world = await openWorld(25, { rateLimitPerSecond: 60, burstMs: 100, retryAfter: "seconds" });
    const summary = await label(world, world.taskFor());
    expect(summary).toMatchObject({ failed: 0, deferred: 0 });
    expect(await finished(world)).toBe(25);
    const { rateLimited, paidTwice } = world.teacher.stats();
    expect(rateLimited).toBeGreaterThan(0);
    expect(rateLimited).toBeLessThan(60);
    expect(paidTwice).toBe(0);
  });

  test("a network that dies without a word: the sockets time out, and what was charged is replayed", async () => {
    const world = await openWorld(60, { latency: { medianMs: 40 } });
    const proxy = await startHalfOpenProxy(Number(new URL(world.teacher.url).port));
    onTestFinished(() => proxy.close());
    const labelling = label(
      world,
      world.taskFor({ teacher: { baseUrl: `http://127.0.0.1:${proxy.port}/v1`, timeoutMs: 400 } }),
    );
    await until(() => world.teacher.stats().answered >= 20);
    proxy.freeze();
    await sleep(700);
    proxy.thaw();
    expect(await labelling).toMatchObject({ failed: 0, deferred: 0 });
    expect(await finished(world)).toBe(60);
    expect(world.teacher.stats()).toMatchObject({ paidTwice: 0 });
    expect(world.teacher.stats().replayed).toBeGreaterThan(0);
  });

  test("hangs, 5xx, cut connections, truncated JSON and labels off the schema: every row gets through, paid for once", async () => {
    const world = await openWorld(60, { pHang: 0.02, p5xx: 0.1, pCut: 0.05, pMalformed: 0.05, pOffSchema: 0.05 });
    const summary = await label(world, world.taskFor({ teacher: { timeoutMs: 300 } }));
    expect(summary).toMatchObject({ failed: 0, deferred: 0 });
    expect(await finished(world)).toBe(60);
    const { paidTwice, malformed, offSchema, cut, hung } = world.teacher.stats();
    expect(paidTwice).toBe(0);
    expect(Math.min(malformed, offSchema, cut, hung)).toBeGreaterThan(0);
  });

  test("answers that are never inside the schema end the run, charged as they were", async () => {
    const world = await openWorld(60, { pOffSchema: 1 });
    await expect(label(world, world.taskFor())).rejects.toMatchObject({ code: "labels_unreadable" });
    const { charged } = world.teacher.stats();
    const { spentUsd } = await world.store.spend.totals();
    // 10 rows of 6 attempts, and as many again that were under way.
    expect(charged).toBeLessThan(60 * 6);
    expect(spentUsd).toBeGreaterThan(0);
    expect(await finished(world)).toBe(0);
  });

  test("the budget holds with many requests in flight, through a kill -9 and a restart", async () => {
    const world = await openWorld(300, { latency: { medianMs: 30 } });
    const price = { inputPerMillionUsd: 100, outputPerMillionUsd: 0 };
    const task = world.taskFor({ budgetUsd: 1, teacher: { price, maxConcurrency: 32 } });
    const { child, exit } = startWorker(world, task);
    await until(() => world.teacher.stats().charged >= 40);
    child.kill("SIGKILL");
    await exit;
    expect(await label(world, task)).toMatchObject({ stopped: "budget" });
    const { spentUsd, reservedUsd } = await world.store.spend.totals();
    expect(spentUsd + reservedUsd).toBeLessThanOrEqual(1);
    expect(spentUsd).toBeGreaterThan(0.9);
    // What the teacher charged, by its own books: 80 and some tokens a question.
    expect(world.teacher.stats().charged * 83 * 100e-6).toBeLessThanOrEqual(1.01);
    expect(world.teacher.stats().paidTwice).toBe(0);
  });

  test("a wrong key stops at once, and is written nowhere", async () => {
    const key = "sk-this-must-not-be-anywhere";
    const world = await openWorld(100, { apiKey: "another" });
    const task = world.taskFor({ teacher: { apiKeyEnv: "TEACHER_KEY", maxConcurrency: 8 } });
    await expect(label(world, task, { TEACHER_KEY: key })).rejects.toMatchObject({ code: "teacher_unauthorised" });
    expect(world.teacher.stats().requests).toBeLessThanOrEqual(8);
    expect(await world.store.spend.totals()).toEqual({ spentUsd: 0, reservedUsd: 0, inFlight: 0 });
    const files = (await readdir(world.directory, { recursive: true, withFileTypes: true })).filter((file) =>
      file.isFile(),
    );
    for (const file of files) {
      expect((await readFile(join(file.parentPath, file.name))).includes(key)).toBe(false);
    }
  });
});
