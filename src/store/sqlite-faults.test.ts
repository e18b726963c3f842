import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blobId, policyId, type Round } from "../records.ts";
import type { Store } from "./contract.ts";
import { openSqliteStore } from "./sqlite.ts";
import { sampleAnnotation, sampleDecision, sampleRow } from "./testing/samples.ts";

const program = fileURLToPath(new URL("./testing/child.ts", import.meta.url));
let root: string;
let used = 0;
const freshDirectory = (): string => join(root, `${++used}`);
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-faults-"));
});
afterAll(() => rm(root, { recursive: true }));

type Child = { readonly process: ChildProcessWithoutNullStreams; readonly lines: AsyncIterator<string> };

function start(job: string, directory: string, argument = ""): Child {
  const child = spawn(process.execPath, [program, job, directory, argument]);
  child.stderr.pipe(process.stderr);
  return { process: child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

async function line(child: Child): Promise<string> {
  return (await child.lines.next()).value;
}

/** Starts both, lets both open the store, then sets them off together. */
async function race(job: string, directory: string, ...arguments_: readonly string[]): Promise<readonly string[]> {
  const children = arguments_.map((argument) => start(job, directory, argument));
  expect(await Promise.all(children.map(line))).toEqual(children.map(() => "ready"));
  for (const child of children) child.process.stdin.write("go\n");
  return Promise.all(children.map(line));
}

async function killAfter(child: Child, lines: number): Promise<readonly string[]> {
  expect(await line(child)).toBe("ready");
  child.process.stdin.write("go\n");
  const acknowledged = [];
  while (acknowledged.length < lines) acknowledged.push(await line(child));
  child.process.kill("SIGKILL");
  for (let next = await child.lines.next(); !next.done; next = await child.lines.next()) acknowledged.push(next.value);
  return acknowledged;
}

describe("a killed process", () => {
  test("loses no write that was acknowledged and leaves money and annotations consistent", async () => {
    const directory = freshDirectory();
    const acknowledged: string[] = [];
    for (const run of ["first", "second", "third"]) {
      acknowledged.push(...(await killAfter(start("annotate", directory, run), 150)));
    }
    await using store = await openSqliteStore({ directory });
    const kept = await Array.fromAsync(store.annotations.teacher());
    expect(new Set(kept.map(({ id }) => id)).isSupersetOf(new Set(acknowledged))).toBe(true);
    const { spentUsd, inFlight } = await store.spend.totals();
    expect(spentUsd).toBeCloseTo(kept.length * sampleAnnotation(sampleRow("any"), 1).costUsd, 9);
    expect(await store.spend.open()).toHaveLength(inFlight);
  });

  test("loses no decision that was acknowledged", async () => {
    const directory = freshDirectory();
    const acknowledged: string[] = [];
    for (const run of ["first", "second"]) {
      acknowledged.push(...(await killAfter(start("decide", directory, run), 400)));
    }
    await using store = await openSqliteStore({ directory });
    const kept = await Array.fromAsync(store.decisions.list());
    expect(new Set(kept.map(({ id }) => id)).isSupersetOf(new Set(acknowledged))).toBe(true);
    // Each is a whole record, not what was under way.
    for (const decision of kept) expect(decision).toEqual(sampleDecision(decision.id));
  });

  test("leaves no half-written blob under its final name", async () => {
    const directory = freshDirectory();
    const acknowledged = await killAfter(start("blobs", directory), 20);
    await using store = await openSqliteStore({ directory });
    const found = await readdir(join(directory, "blobs"), { recursive: true, withFileTypes: true });
    const whole = found.filter((entry) => entry.isFile() && !entry.parentPath.endsWith("tmp"));
    const ids = whole.map((entry) => blobId(entry.parentPath.slice(-2) + entry.name));
    expect(new Set(ids).isSupersetOf(new Set(acknowledged))).toBe(true);
    for (const id of ids) expect(await store.blobs.get(id)).toHaveLength(200_000);
  });
});

describe("two processes", () => {
  test("create the same store at once", async () => {
    const directory = freshDirectory();
    const children = [1, 2, 3].map(() => start("open", directory));
    expect(await Promise.all(children.map(line))).toEqual(["0", "0", "0"]);
  });

  test("write at once and count each row once", async () => {
    const directory = freshDirectory();
    const added = await race("rows", directory, "0-600", "300-900");
    await using store = await openSqliteStore({ directory });
    expect(await store.rows.count()).toBe(900);
    expect(added.map(Number).reduce((a, b) => a + b)).toBe(900);
  });

  test("promote at once: exactly one wins", async () => {
    const directory = freshDirectory();
    const won = await race("promote", directory, "a", "b");
    expect(won.toSorted()).toEqual(["false", "true"]);
    await using store = await openSqliteStore({ directory });
    expect((await store.policies.history()).map(({ version }) => version)).toEqual([1]);
  });

  test("never reserve more than the budget together", async () => {
    const directory = freshDirectory();
    const granted = await race("reserve", directory, "a", "b");
    expect(granted.map(Number).reduce((a, b) => a + b)).toBe(250);
    await using store = await openSqliteStore({ directory });
    expect(await store.spend.totals()).toMatchObject({ spentUsd: 0, reservedUsd: 2.5, inFlight: 250 });
  });

  test("a write waits for the other's lock; reads do not; past the time it fails with a code", async () => {
    const directory = freshDirectory();
    await using store = await openSqliteStore({ directory, lockTimeoutMs: 100 });
    const holder = start("lock", directory);
    expect(await line(holder)).toBe("ready");
    await expect(store.rows.put([sampleRow("a")])).rejects.toMatchObject({ code: "store_locked", retryable: true });
    await using patient = await openSqliteStore({ directory });
    const waiting = patient.rows.put([sampleRow("b")]);
    expect(await patient.rows.count()).toBe(0);
    holder.process.kill("SIGKILL");
    expect(await waiting).toEqual({ added: 1, duplicates: 0 });
  });
});

describe("a batch of writes", () => {
  test("is not taken down by one that fails", async () => {
    await using store = await openSqliteStore({ directory: freshDirectory() });
    const broken = { ...sampleRow("broken"), propensity: undefined as unknown as number };
    const [before, failed, after] = await Promise.allSettled([
      store.rows.put([sampleRow("a")]),
      store.rows.put([sampleRow("b"), broken]),
      store.rows.put([sampleRow("c")]),
    ]);
    expect([before.status, failed.status, after.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await store.rows.count()).toBe(2);
  });

  test("is finished when the store is closed; later use is refused", async () => {
    const directory = freshDirectory();
    const store = await openSqliteStore({ directory });
    const written = store.rows.put([sampleRow("a")]);
    await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()]);
    expect(await written).toEqual({ added: 1, duplicates: 0 });
    await expect(store.rows.put([sampleRow("b")])).rejects.toMatchObject({ code: "store_closed" });
    await expect(store.rows.count()).rejects.toMatchObject({ code: "store_closed" });
  });
});

describe("a decision", () => {
  test("waits for another process's lock; what comes meanwhile is written with it, and told to its own caller", async () => {
    const directory = freshDirectory();
    await using store = await openSqliteStore({ directory });
    const holder = start("lock", directory);
    expect(await line(holder)).toBe("ready");
    const first = store.decisions.put([sampleDecision("first")]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const later = Array.from({ length: 20 }, (_, index) => store.decisions.put([sampleDecision(`later ${index}`)]));
    expect(await store.decisions.count()).toBe(0);
    holder.process.kill("SIGKILL");
    await Promise.all([first, ...later]);
    expect(await store.decisions.count()).toBe(21);
  });
});

describe("a damaged workspace", () => {
  async function written(): Promise<string> {
    const directory = freshDirectory();
    await using store = await openSqliteStore({ directory });
    await store.rows.put(Array.from({ length: 500 }, (_, index) => sampleRow(`row ${index}`)));
    await store.blobs.put(new TextEncoder().encode("payload"));
    return directory;
  }

  test("a file that is no database is reported as corrupt, and left as it is", async () => {
    const directory = freshDirectory();
    await mkdir(directory);
    const path = join(directory, "flywheel.sqlite");
    await writeFile(path, "<html>".repeat(1_000));
    await expect(openSqliteStore({ directory })).rejects.toMatchObject({ code: "store_corrupt" });
    expect(await readFile(path, "utf8")).toBe("<html>".repeat(1_000));
  });

  test("a database with overwritten or missing pages is reported as corrupt", async () => {
    for (const damage of [overwritePages, (path: string) => truncate(path, 40_000)]) {
      const directory = await written();
      await damage(join(directory, "flywheel.sqlite"));
      await expect(readAll(directory)).rejects.toMatchObject({ code: "store_corrupt" });
    }
  });

  test("a record that was cut short is named, with the way out", async () => {
    const directory = freshDirectory();
    await using store = await openSqliteStore({ directory });
    await store.rounds.put({ round: 1 } as Round);
    const database = new DatabaseSync(join(directory, "flywheel.sqlite"));
    database.exec(`update rounds set body = '{"round":'`);
    database.exec(
      "insert into policies (field, id, model_id, certified, created_at, body) values ('', 'p', 'm', 0, 0, '{')",
    );
    database.close();
    await expect(store.rounds.list()).rejects.toMatchObject({
      code: "record_damaged",
      message: expect.stringMatching(/^round 1 /),
    });
    const damaged = {
      code: "record_damaged",
      message: expect.stringMatching(/^policy p /),
      hint: expect.stringContaining("backup"),
    };
    await expect(store.policies.get(policyId("p"))).rejects.toMatchObject(damaged);
  });

  test("a database of a newer version is refused", async () => {
    const directory = await written();
    const database = new DatabaseSync(join(directory, "flywheel.sqlite"));
    database.exec("insert into migrations (number, name) values (999, 'from the future')");
    database.close();
    await expect(openSqliteStore({ directory })).rejects.toMatchObject({ code: "store_newer" });
  });

  test("a blob that was changed is reported as corrupt, and mended by putting it again", async () => {
    const directory = await written();
    await using store = await openSqliteStore({ directory });
    const bytes = new TextEncoder().encode("payload");
    const id = await store.blobs.put(bytes);
    await writeFile(store.blobs.path(id), "PAYLOAD");
    await expect(store.blobs.get(id)).rejects.toMatchObject({ code: "blob_corrupt" });
    await truncate(store.blobs.path(id), 0);
    await store.blobs.put(bytes);
    expect(await store.blobs.get(id)).toHaveLength(7);
  });

  test("what a killed process left half-written long ago is swept up, fresh work is not", async () => {
    const directory = await written();
    const temporary = join(directory, "blobs", "tmp");
    await Promise.all(["old", "fresh"].map((name) => writeFile(join(temporary, name), "half")));
    await utimes(join(temporary, "old"), 0, 0);
    await using _ = await openSqliteStore({ directory });
    expect(await readdir(temporary)).toEqual(["fresh"]);
  });

  test("a workspace that is a file is refused", async () => {
    const directory = freshDirectory();
    await writeFile(directory, "");
    await expect(openSqliteStore({ directory })).rejects.toMatchObject({ code: "store_not_a_folder" });
  });
});

/** Mounts a disk of its own in a private name space, so that the faults are the kernel's. */
const canMount = spawnSync("unshare", ["-rm", "true"]).status === 0;

describe.skipIf(!canMount)("a disk (needs user name spaces)", () => {
  test("that is full fails the write with a code and loses nothing; once there is space, writes go on", () => {
    const directory = freshDirectory();
    const script = `mkdir -p "$1" && mount -t tmpfs -o size=2m none "$1" && echo go | "$2" "$3" fill "$1"`;
    const { stdout, stderr } = shell(script, directory);
    expect({ stdout: stdout.trim().split("\n"), stderr }).toEqual({
      stdout: ["ready", "store_full", "store_full", "store_full", "true"],
      stderr: "",
    });
  });

  test("that is read-only is reported, for a new workspace and for an old one", async () => {
    const directory = freshDirectory();
    await using store: Store = await openSqliteStore({ directory: join(directory, "old") });
    await store.rows.put([sampleRow("a")]);
    await cp(join(directory, "old"), join(directory, "copy"), { recursive: true });
    const script = `mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" &&
      for name in new copy; do "$2" "$3" open "$1/$name" < /dev/null; done`;
    expect(shell(script, directory).stdout.trim().split("\n")).toEqual(["store_read_only", "store_read_only"]);
  });
});

function shell(script: string, directory: string) {
  const given = ["sh", directory, process.execPath, program];
  return spawnSync("unshare", ["-rm", "sh", "-c", script, ...given], { encoding: "utf8" });
}

async function overwritePages(path: string): Promise<void> {
  await using file = await open(path, "r+");
  await file.write(new Uint8Array(100_000).fill(0xa5), 0, 100_000, 8_192);
}

async function readAll(directory: string): Promise<void> {
  await using store = await openSqliteStore({ directory });
  await Array.fromAsync(store.rows.list());
}
