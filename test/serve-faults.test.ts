import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { openTeacher } from "../src/label/teacher.ts";
import { promote } from "../src/route/testing/fixtures.ts";
import { photo } from "../src/serve/testing/colour-student.ts";
import { fruitPhotoTask } from "../src/serve/testing/task.ts";
import { clientOf, decide, goldPhoto, openServeWorld, startTestServer } from "../src/serve/testing/world.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";

describe("a promotion under load", () => {
  test("drops no request, and takes effect while it lasts", async () => {
    const { client, store, task } = await openServeWorld({ server: { pollMs: 20 } });
    const image = await photo("pear", 0.95);
    const versions: string[] = [];
    const caller = async (): Promise<void> => {
      for (let request = 0; request < 40; request++) {
        const { headers, status } = await decide(client, image);
        expect([status, headers.get("x-flywheel-route")]).toEqual([200, "answered"]);
        versions.push(headers.get("x-flywheel-model-version") ?? "none");
        if (versions.length === 100) await promote(store, task, "m2");
        if (versions.length === 200) await promote(store, task, "m3");
      }
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    expect(versions).toHaveLength(320);
    expect(new Set(versions)).toEqual(new Set(["1", "2", "3"]));
    expect(await store.decisions.count({ route: "answered" })).toBe(320);
  });
});

describe("two servers over one store", () => {
  test("know each other's answers, and follow one promotion", async () => {
    const world = await openServeWorld({ server: { pollMs: 20 } });
    const { store, task, teacher } = world;
    const other = clientOf(await startTestServer({ task, store, teacher, pollMs: 20 }));
    const image = await goldPhoto(world, ["pear", 0.6]);
    const first = await decide(world.client, image);
    const second = await decide(other, image);
    expect(second.headers.get("x-flywheel-cache")).toBe("hit");
    expect(second.decision.answers).toEqual(first.decision.answers);
    expect(world.simulated.stats().requests).toBe(1);
    await promote(store, task, "m2");
    const confident = await photo("pear", 0.95);
    for (const client of [world.client, other]) {
      await vi.waitFor(async () => {
        expect((await decide(client, confident)).headers.get("x-flywheel-model-version")).toBe("2");
      });
    }
  });

  test("an alarm that one raises stops both", async () => {
    const always = { audit: { uniformRate: 1, rate: 0 } };
    const world = await openServeWorld({ task: always, server: { pollMs: 20 } });
    const { store, task, teacher, server } = world;
    const other = clientOf(await startTestServer({ task, store, teacher, pollMs: 20 }));
    // The world has moved: what the student is sure to be a pear the teacher calls an apple.
    for (let nth = 0; nth < 12; nth++) {
      const image = await goldPhoto(world, ["pear", 0.95, nth], "apple");
      expect((await decide(world.client, image)).headers.get("x-flywheel-route")).toBe("audited");
    }
    await vi.waitFor(async () => {
      await server.workOffBacklog();
      expect(world.simulated.stats().requests).toBe(12);
    });
    const reading = await server.checkMonitor();
    expect(reading?.verdict).toMatchObject({ kind: "alarm", errors: 12 });
    const champion = await store.policies.champion();
    expect(await store.policies.voided(champion!.policyId)).toMatchObject({ why: expect.stringContaining("12 wrong") });
    const image = await goldPhoto(world, ["pear", 0.95, 100]);
    for (const client of [world.client, other]) {
      await vi.waitFor(async () => {
        expect((await decide(client, image)).headers.get("x-flywheel-reason")).toBe("voided");
      });
    }
  });
});

describe("the monitor", () => {
  test("stays quiet while the student agrees with the teacher", async () => {
    const world = await openServeWorld({ task: { audit: { uniformRate: 1, rate: 0 } } });
    for (let nth = 0; nth < 5; nth++) await decide(world.client, await goldPhoto(world, ["pear", 0.95, nth]));
    await vi.waitFor(async () => {
      const reading = await world.server.checkMonitor();
      expect(reading).toMatchObject({ verdict: { kind: "holding", n: 5, errors: 0 }, awaiting: 0 });
    });
  });

  test("counts an escalation as an answer that was not wrong, for regret is about all traffic", async () => {
    const world = await openServeWorld({ task: { audit: { uniformRate: 1, rate: 0 } } });
    await decide(world.client, await goldPhoto(world, ["pear", 0.6], "apple"));
    expect((await world.server.checkMonitor())?.verdict).toMatchObject({ n: 1, errors: 0 });
  });
});

describe("a teacher whose connections are dead", () => {
  /** Accepts, and never says a word: what a half-open connection looks like from here. */
  async function blackHole(): Promise<string> {
    const sockets = new Set<Socket>();
    const hole = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
    hole.listen(0, "127.0.0.1");
    await once(hole, "listening");
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      hole.close();
    });
    return `http://127.0.0.1:${(hole.address() as AddressInfo).port}/v1`;
  }

  test.each(["answer-flagged", "refuse", "queue"] as const)("%s comes by the deadline", async (whenTeacherDown) => {
    const world = await openServeWorld();
    const task = fruitPhotoTask(await blackHole(), { whenTeacherDown });
    await promote(world.store, task, "m2");
    const teacher = openTeacher({ task, env: {} });
    const server = await startTestServer({ task, store: world.store, teacher, deadlineMs: 1_000, drainTimeoutMs: 100 });
    const startedMs = performance.now();
    const answered = await decide(clientOf(server), await photo("pear", 0.6)).catch((thrown: unknown) => thrown);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    const expected = { "answer-flagged": { status: 200 }, refuse: { status: 503 }, queue: { status: 202 } };
    expect(answered).toMatchObject(expected[whenTeacherDown]);
  });
});

describe("a server in a process of its own", () => {
  const script = fileURLToPath(new URL("../src/serve/testing/child.ts", import.meta.url));

  async function startChild(directory: string, teacherUrl: string, changes: object) {
    const child = spawn(process.execPath, [script, directory, teacherUrl, JSON.stringify(changes)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    // Listened for from the start: it may be over by the time that a test asks.
    const exited = once(child, "exit") as Promise<[number | null, string | null]>;
    const [url] = (await once(createInterface({ input: child.stdout! }), "line")) as [string];
    return { child, exited, client: clientOf({ url }) };
  }

  async function workspace() {
    const directory = await mkdtemp(join(tmpdir(), "flywheel-serve-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }

  test("killed with -9, has kept every decision that it acknowledged; the next one makes up for its audits", async () => {
    const changes = { audit: { uniformRate: 0.5, rate: 0 } };
    const world = await openServeWorld({ task: changes, simulated: { latency: { medianMs: 150 } } });
    const directory = await workspace();
    const store = await openSqliteStore({ directory });
    onTestFinished(() => store[Symbol.asyncDispose]());
    await promote(store, world.task, "m1");
    const { child, exited, client } = await startChild(directory, world.simulated.url, changes);
    const images = await Promise.all(
      Array.from({ length: 40 }, (_, nth) => goldPhoto(world, ["pear", nth % 4 === 0 ? 0.6 : 0.95, nth])),
    );
    const acknowledged = new Map<string, string>();
    const caller = async (from: number): Promise<void> => {
      for (let nth = from; nth < images.length; nth += 4) {
        const answered = await decide(client, images[nth]!).catch(() => undefined);
        if (!answered) return;
        acknowledged.set(answered.headers.get("x-request-id")!, answered.headers.get("x-flywheel-route")!);
        if (acknowledged.size === 25) child.kill("SIGKILL");
      }
    };
    await Promise.all([0, 1, 2, 3].map(caller));
    expect(await exited).toEqual([null, "SIGKILL"]);
    expect(acknowledged.size).toBeGreaterThanOrEqual(25);
    for (const [id, route] of acknowledged) {
      const decision = await store.decisions.get(id);
      expect(decision, id).toMatchObject({ id, route });
      if (route === "escalated") expect(await store.annotations.ofRow(decision!.rowId)).toHaveLength(1);
      if (route === "audited") expect(await store.rows.get(decision!.rowId)).toBeDefined();
    }
    const next = await startTestServer({ task: world.task, store, teacher: world.teacher, takeOverAfterMs: 0 });
    await vi.waitFor(async () => {
      await next.workOffBacklog();
      for await (const { rowId } of store.decisions.list({ route: "audited" })) {
        expect(await store.annotations.ofRow(rowId)).toHaveLength(1);
      }
    });
  });

  test("on SIGTERM lets the request under way finish, and exits with 0", async () => {
    const world = await openServeWorld({ simulated: { latency: { medianMs: 400 } } });
    const directory = await workspace();
    const { child, exited, client } = await startChild(directory, world.simulated.url, {});
    const slow = decide(client, await goldPhoto(world, ["pear", 0.6]));
    await vi.waitFor(() => expect(world.simulated.stats().requests).toBe(1));
    child.kill("SIGTERM");
    expect((await slow).headers.get("x-flywheel-route")).toBe("escalated");
    expect(await exited).toEqual([0, null]);
  });
});
