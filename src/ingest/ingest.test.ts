import { spawnSync } from "node:child_process";
import {
  chmod,
  cp,
  link,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "../contracts.ts";
import type { Row } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { defineTask, splitOf } from "../task.ts";
import { type IngestSummary, ingest } from "./ingest.ts";
import type { IngestOptions } from "./ingest-options.ts";

const task = defineTask({
  name: "fruit",
  input: "image",
  instructions: "Which fruit is it?",
  output: { kind: "choice", choices: ["apple", { value: "sweet_pepper", synonyms: ["capsicum"] }] },
  teacher: { model: "compatible/simulated" },
});
const clock: Clock = { now: () => 42, sleep: () => Promise.resolve() };

let root: string;
let photos: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-ingest-"));
  photos = join(root, "photos");
  await mkdir(photos);
  store = await openSqliteStore({ directory: join(root, "store") });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

const run = (changes: Partial<IngestOptions> = {}): Promise<IngestSummary> =>
  ingest({ store, task, path: photos, clock, concurrency: 3, ...changes });

const rowsOf = (from: Store): Promise<readonly Row[]> => Array.fromAsync(from.rows.list());

/** A small picture that differs by `seed`. */
function picture(seed: number) {
  const rgb = Uint8Array.from({ length: 12 * 9 * 3 }, (_, index) => (index * (seed + 3) * 7 + seed) % 256);
  return sharp(rgb, { raw: { width: 12, height: 9, channels: 3 } });
}

async function add(name: string, bytes: Uint8Array | string): Promise<string> {
  const path = join(photos, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  return path;
}

const addPicture = async (name: string, seed: number): Promise<string> =>
  add(name, await picture(seed).png().toBuffer());

describe("a folder", () => {
  test("becomes rows, whatever the nesting and the format", async () => {
    for (const [seed, format] of (["jpeg", "png", "webp", "avif", "gif", "tiff"] as const).entries()) {
      await add(
        `${"deep/".repeat(seed)}picture.${format.toUpperCase()}`,
        await picture(seed).toFormat(format).toBuffer(),
      );
    }
    expect(await run()).toMatchObject({ files: 6, added: 6, rejected: 0, ignored: {} });
    const rows = await rowsOf(store);
    expect(new Set(rows.map(({ input }) => input.kind === "image" && input.mediaType))).toEqual(
      new Set(["image/jpeg", "image/png", "image/webp", "image/avif", "image/gif", "image/tiff"]),
    );
    for (const row of rows) {
      expect(row).toMatchObject({ origin: "ingest", uniform: true, propensity: 1, createdAt: 42 });
      expect(row.split).toBe(splitOf(row.id, task.splits));
      expect(row.input).toMatchObject({ width: 12, height: 9 });
    }
  });

  test("keeps each file as it came, under a source that says where it was", async () => {
    const bytes = await picture(1).jpeg().toBuffer();
    await add("a/b.jpg", bytes);
    await run();
    const [row] = await rowsOf(store);
    expect(row!.source).toBe(join(photos, "a/b.jpg"));
    expect(row!.input.kind === "image" && Buffer.from(await store.blobs.get(row!.input.blob))).toEqual(bytes);
  });

  test("the same picture is one row, in another place, format and with other metadata", async () => {
    await addPicture("a.png", 1);
    await add("b.tiff", await picture(1).tiff({ compression: "lzw" }).toBuffer());
    await add("sub/c.png", await picture(1).png({ compressionLevel: 1 }).withMetadata({ density: 300 }).toBuffer());
    await addPicture("d.png", 2);
    expect(await run()).toMatchObject({ files: 4, added: 2, duplicates: 2 });
    const row = (await rowsOf(store)).find(({ source }) => source.endsWith("a.png"));
    const sources = ["a.png", "b.tiff", "sub/c.png"].map((name) => join(photos, name));
    expect(await store.rows.sources(row!.id)).toEqual(sources);
  });

  test("makes the same rows and splits under another order and after growth", async () => {
    for (let seed = 0; seed < 12; seed++) await addPicture(`${seed}.png`, seed);
    await run();
    const first = await rowsOf(store);
    await cp(photos, join(root, "other"), { recursive: true });
    for (const name of await readdir(join(root, "other"))) {
      await rename(join(root, "other", name), join(root, "other", `${99 - Number.parseInt(name, 10)}.png`));
    }
    await using another = await openSqliteStore({ directory: join(root, "another") });
    await addPicture("more.png", 50);
    await run({ store: another, path: join(root, "other") });
    await run({ store: another });
    const second = new Map((await rowsOf(another)).map((row) => [row.id, row.split]));
    expect(second.size).toBe(13);
    for (const row of first) expect(second.get(row.id)).toBe(row.split);
  });

  test("leaves out what is hidden, counts what is no image by its extension", async () => {
    await addPicture("seen.png", 1);
    for (const name of [".hidden.png", ".cache/x.png", "sub/.DS_Store"]) await addPicture(name, 2);
    for (const name of ["notes.txt", "more.TXT", "README"]) await add(name, "words");
    expect(await run()).toMatchObject({ files: 1, added: 1, rejected: 0, ignored: { ".txt": 2, "": 1 } });
  });

  test("follows links, ends loops, refuses links to nothing, never opens a pipe", async () => {
    await addPicture("a/real.png", 1);
    await mkdir(join(root, "outside"));
    await writeFile(join(root, "outside", "far.png"), await picture(2).png().toBuffer());
    await symlink(photos, join(photos, "a", "loop"));
    await symlink(join(root, "outside"), join(photos, "linked"));
    await symlink(join(photos, "a", "real.png"), join(photos, "again.png"));
    await symlink(join(root, "nowhere.png"), join(photos, "dangling.png"));
    expect(spawnSync("mkfifo", [join(photos, "pipe.png")]).status).toBe(0);
    const summary = await run();
    expect(summary).toMatchObject({ files: 4, added: 2, duplicates: 1, rejected: 1, ignored: { ".png": 1 } });
    expect(summary.rejections).toMatchObject([{ source: join(photos, "dangling.png"), code: "file_missing" }]);
  });

  test("that is missing, empty, of another kind or without images is refused", async () => {
    await expect(run({ path: join(root, "nowhere") })).rejects.toMatchObject({ code: "ingest_path_missing" });
    await expect(run()).rejects.toMatchObject({ code: "ingest_nothing_found" });
    const text = await add("a.txt", "words");
    await expect(run()).rejects.toMatchObject({ message: expect.stringContaining("1 .txt") });
    await expect(run({ path: text })).rejects.toMatchObject({ code: "ingest_unsupported" });
    await expect(run({ task: { ...task, input: "record" } })).rejects.toMatchObject({ code: "ingest_nothing_found" });
  });
});

describe("bad files", () => {
  test("are listed with their reason, and the rest goes on", async () => {
    const jpeg = await picture(1).jpeg().toBuffer();
    const create = { width: 12_000, height: 12_000, channels: 3, background: "red" } as const;
    const noise = await sharp({ create: { ...create, width: 200, height: 200, noise: { type: "gaussian" } } })
      .png()
      .toBuffer();
    const bad = {
      "bomb.png": [await sharp({ create }).png().toBuffer(), "image_too_large"],
      "corrupt.png": [noise.fill(7, 5_000, 9_000), "image_corrupt"],
      "empty.jpg": ["", "image_empty"],
      "mislabelled.jpg": [await picture(2).png().toBuffer(), "image_mislabelled"],
      "page.jpg": ["<!DOCTYPE html><title>404</title>", "image_unsupported"],
      "truncated.jpg": [jpeg.subarray(0, jpeg.length - 100), "image_truncated"],
    } as const;
    for (const [name, [bytes]] of Object.entries(bad)) await add(name, bytes);
    await add("good.jpg", jpeg);
    const summary = await run();
    expect(summary).toMatchObject({ files: 7, added: 1, rejected: 6 });
    const expected = Object.entries(bad).map(([name, [, code]]) => ({ source: join(photos, name), code, at: 42 }));
    expect(summary.rejections).toMatchObject(expected);
    expect(await store.rows.rejections()).toMatchObject(expected);
    expect((await store.rows.rejections())[4]!.message).toContain("HTML page");
  });

  test("are taken once they are mended, and no longer listed", async () => {
    await add("a.png", "");
    await addPicture("b.png", 2);
    await run();
    await addPicture("a.png", 1);
    expect(await run()).toMatchObject({ added: 1, unchanged: 1, rejected: 0 });
    expect(await store.rows.rejections()).toEqual([]);
  });

  test("a file and a folder that may not be read are listed (as a user without privileges)", async () => {
    await addPicture("open.png", 1);
    await chmod(await addPicture("locked.png", 2), 0);
    await addPicture("closed/in.png", 3);
    await chmod(join(photos, "closed"), 0);
    const rejections = await asNobody(() => run().then((summary) => summary.rejections));
    expect(rejections).toMatchObject([
      { source: join(photos, "closed"), code: "file_unreadable" },
      { source: join(photos, "locked.png"), code: "file_unreadable" },
    ]);
    await chmod(join(photos, "closed"), 0o700);
  });
});

/** The kernel lets root read everything: such a process steps down while `work` runs. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  await store[Symbol.asyncDispose]();
  spawnSync("chmod", ["-R", "a+rwX", root]);
  spawnSync("chmod", ["0", join(photos, "locked.png"), join(photos, "closed")]);
  process.seteuid?.(65_534);
  try {
    store = await openSqliteStore({ directory: join(root, "store") });
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

describe("a second run", () => {
  test("reads no unchanged file again", async () => {
    const path = await addPicture("a.png", 1);
    await addPicture("b.png", 2);
    await utimes(path, 1_000, 1_000);
    await run();
    // Content that could not be decoded, under the old size and time: only the fingerprint is looked at.
    await writeFile(path, Buffer.alloc((await stat(path)).size));
    await utimes(path, 1_000, 1_000);
    expect(await run()).toMatchObject({ files: 2, added: 0, duplicates: 0, unchanged: 2, rejected: 0 });
  });

  test("sees a changed file: the row that it showed stays, the new one is added", async () => {
    const path = await addPicture("a.png", 1);
    await run();
    await addPicture("a.png", 2);
    await utimes(path, 1, 1);
    expect(await run()).toMatchObject({ added: 1, unchanged: 0 });
    expect(await store.rows.count()).toBe(2);
    expect(await store.rows.bySource(path)).toBe((await store.files.getMany([path]))[0]!.rowId);
  });

  test("a file that vanished after it was listed is refused, not fatal", async () => {
    const path = await addPicture("a.png", 1);
    await addPicture("b.png", 2);
    await writeFile(join(root, "list.csv"), "file\nphotos/a.png\nphotos/b.png\n");
    await run({ path: join(root, "list.csv") });
    await rm(path);
    expect(await run({ path: join(root, "list.csv") })).toMatchObject({
      unchanged: 1,
      rejections: [{ source: path, code: "file_missing" }],
    });
  });

  test("after an abort goes on where the first one stopped", async () => {
    for (let seed = 0; seed < 40; seed++) await addPicture(`${seed}.png`, seed);
    const controller = new AbortController();
    const stopAt = (done: number) => done === 10 && controller.abort(new Error("stop"));
    await expect(run({ signal: controller.signal, progress: ({ done }) => stopAt(done) })).rejects.toThrow("stop");
    const kept = await store.rows.count();
    expect(kept).toBeGreaterThanOrEqual(10);
    expect(kept).toBeLessThan(40);
    expect(await run()).toMatchObject({ files: 40, unchanged: kept, added: 40 - kept });
  });
});

test("progress counts up to the total", async () => {
  for (let seed = 0; seed < 5; seed++) await addPicture(`${seed}.png`, seed);
  await add("bad.png", "");
  await add("other.txt", "");
  const updates: string[] = [];
  await run({ progress: ({ stage, done, total }) => void updates.push(`${stage} ${done}/${total}`) });
  expect(updates.at(-1)).toBe("ingest 6/6");
});

describe("a list", () => {
  test.each([
    ["list.csv", 'path,note\r\na.png,first\r\n\r\nsub/b.png,"x, y"\r\n'],
    ["list.csv", "\uFEFFID;Image\n1;a.png\n2;sub/b.png\n"],
    ["list.tsv", "file\tn\na.png\t1\nsub/b.png\t2\n"],
    ["list.jsonl", '{"file_name": "a.png"}\n\n{"file_name": "sub/b.png", "n": 1}\n'],
  ])("names files relative to its own folder: %s", async (name, content) => {
    await addPicture("a.png", 1);
    await addPicture("sub/b.png", 2);
    await addPicture("unlisted.png", 3);
    expect(await run({ path: await add(name, content) })).toMatchObject({ files: 2, added: 2 });
    expect((await rowsOf(store)).map(({ source }) => source).toSorted()).toEqual([
      join(photos, "a.png"),
      join(photos, "sub/b.png"),
    ]);
  });

  test("that names missing files or none lists them and goes on", async () => {
    await addPicture("a.png", 1);
    const path = await add("list.csv", "file,n\na.png,1\ngone.png,2\n,3\n");
    const summary = await run({ path });
    expect(summary).toMatchObject({ files: 3, added: 1, rejected: 2 });
    expect(summary.rejections).toMatchObject([
      { source: join(photos, "gone.png"), code: "file_missing" },
      { source: `${path}:4`, code: "file_missing" },
    ]);
  });

  test("without a column of files, or that is no table, is refused before any work", async () => {
    const noColumn = run({ path: await add("list.csv", "name,label\na.png,apple\n") });
    await expect(noColumn).rejects.toMatchObject({ code: "table_column_missing", message: /name, label/ });
    await expect(noColumn).rejects.toMatchObject({ hint: expect.stringContaining('input: "text" or "record"') });
    const badQuote = run({ path: await add("list.csv", 'file\n"a.png\n') });
    await expect(badQuote).rejects.toMatchObject({ code: "table_malformed" });
    const badJson = run({ path: await add("list.jsonl", '{"file": "a.png"}\nnot json\n') });
    await expect(badJson).rejects.toMatchObject({
      code: "table_malformed",
      message: expect.stringContaining("line 2"),
    });
    expect(await store.rows.count()).toBe(0);
  });
});

describe("gold", () => {
  const goldOf = async (content: string, changes: Partial<IngestOptions> = {}, at = "photos/gold.csv") => {
    await writeFile(join(root, at), content);
    return (await run({ goldPath: join(root, at), ...changes })).gold!;
  };
  const goldByName = async () => {
    const gold = await store.gold.all();
    const rows = await store.rows.getMany([...gold.keys()]);
    return Object.fromEntries(rows.map((row) => [row.source.slice(photos.length + 1), gold.get(row.id)]));
  };

  test("is matched by path, relative to its own folder or to what was ingested, and by unambiguous name", async () => {
    for (const [seed, name] of ["a.png", "x/b.png", "x/same.png", "y/same.png", "y/d.png"].entries()) {
      await addPicture(name, seed);
    }
    const lines = [
      "a.png,apple",
      "photos/x/b.png,Apple",
      "x/same.png,capsicum",
      "d.png,sweet pepper",
      "same.png,apple",
    ];
    const gold = await goldOf(["file,label", ...lines].join("\n"), {}, "gold.csv");
    expect(gold).toMatchObject({
      matched: 4,
      unmatched: { count: 1, first: [{ source: `${join(root, "gold.csv")}:6`, text: "same.png" }] },
    });
    expect(await goldByName()).toEqual({
      "a.png": "apple",
      "x/b.png": "apple",
      "x/same.png": "sweet_pepper",
      "y/d.png": "sweet_pepper",
    });
  });

  test("unknown labels and files are reported by line, and the rest is taken", async () => {
    await addPicture("a.png", 1);
    await addPicture("b.png", 2);
    expect(await goldOf("image,class,extra\na.png,banana,1\nb.png,apple,2\nc.png,apple,3\na.png,,4\n")).toEqual({
      matched: 1,
      unmatched: { count: 1, first: [{ source: `${join(photos, "gold.csv")}:4`, text: "c.png" }] },
      unknownLabels: {
        count: 2,
        first: [
          { source: `${join(photos, "gold.csv")}:2`, text: "banana" },
          { source: `${join(photos, "gold.csv")}:5`, text: "" },
        ],
      },
      conflicts: { count: 0, first: [] },
    });
  });

  test("finds the row of a duplicate under each of its names", async () => {
    await addPicture("a.png", 1);
    await addPicture("copy.png", 1);
    expect(await goldOf("file,label\ncopy.png,apple\n")).toMatchObject({ matched: 1 });
    expect(await goldByName()).toEqual({ "a.png": "apple" });
  });

  test("never reaches the rows, nor their labels", async () => {
    await addPicture("a.png", 1);
    await goldOf("file,label\na.png,apple\n");
    expect(JSON.stringify(await rowsOf(store))).not.toContain("apple");
    expect([await store.labels.count(), await Array.fromAsync(store.annotations.byRow())]).toEqual([0, []]);
  });

  test("that cannot be read is refused before any work", async () => {
    await addPicture("a.png", 1);
    await expect(run({ goldPath: join(root, "none.csv") })).rejects.toMatchObject({ code: "gold_missing" });
    await expect(goldOf("file,value\na.png,apple\n")).rejects.toMatchObject({ code: "table_column_missing" });
    expect(await store.rows.count()).toBe(0);
  });
});

test("hard links and repeated listing count as duplicates, not as rows", async () => {
  await link(await addPicture("a.png", 1), join(photos, "b.png"));
  await writeFile(join(photos, "list.csv"), "file\na.png\na.png\nb.png\n");
  expect(await run({ path: join(photos, "list.csv") })).toMatchObject({ files: 3, added: 1, duplicates: 2 });
});
