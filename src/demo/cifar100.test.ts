import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { create } from "tar";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Clock } from "../contracts.ts";
import { downloadCifar100 } from "./cifar100.ts";

/** CIFAR-100's own indices of the five classes, and one that is not fruit. */
const apple = 0;
const bicycle = 8;
const pepper = 83;
const fruitAt: Readonly<Record<number, string>> = {
  0: "apple",
  51: "mushroom",
  53: "orange",
  57: "pear",
  83: "sweet_pepper",
};
const names = Array.from({ length: 100 }, (_, index) => fruitAt[index] ?? `thing_${index}`).join("\n");

const restless: Clock = { now: () => 0, sleep: async () => {} };
let folder: string;
let archive: Uint8Array;
let counter = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cifar-"));
  archive = await pack({ train: Buffer.concat([record(bicycle, 1), record(apple, 200)]), test: record(pepper, 30) });
});
afterAll(() => rm(folder, { recursive: true }));

/** A record whose pixels are all `red`, 10, 20. */
function record(label: number, red: number): Buffer {
  const plane = (value: number) => Buffer.alloc(1024, value);
  return Buffer.concat([Buffer.from([4, label]), plane(red), plane(10), plane(20)]);
}

async function pack(files: { train?: Buffer; test?: Buffer; names?: string }): Promise<Uint8Array> {
  const root = join(folder, `source-${counter++}`);
  await mkdir(join(root, "cifar-100-binary"), { recursive: true });
  const write = (name: string, content: Buffer | string) => writeFile(join(root, "cifar-100-binary", name), content);
  if (files.test) await write("test.bin", files.test);
  if (files.train) await write("train.bin", files.train);
  await write("fine_label_names.txt", files.names ?? `${names}\n`);
  const path = join(root, "archive.tar.gz");
  await create({ gzip: true, cwd: root, file: path }, ["cifar-100-binary"]);
  return readFile(path);
}

async function listen(handler: RequestListener): Promise<Server> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function downloadFrom(handler: RequestListener, options: { sha256?: string; directory?: string } = {}) {
  const server = await listen(handler);
  const directory = options.directory ?? join(folder, `target-${counter++}`);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cifar-100-binary.tar.gz`;
  try {
    return await downloadCifar100({
      directory,
      url,
      sha256: options.sha256 ?? hashOf(archive),
      clock: restless,
      side: 48,
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const serves =
  (bytes: Uint8Array): RequestListener =>
  (_request, response) =>
    response.end(bytes);

describe("downloadCifar100", () => {
  test("writes the five classes, enlarged, with their gold labels, and nothing else", async () => {
    const { photos, gold } = await downloadFrom(serves(archive));
    expect((await readdir(photos)).sort()).toEqual(["test-00000.jpg", "train-00001.jpg"]);
    expect((await readFile(gold, "utf8")).split("\n").filter(Boolean).sort()).toEqual([
      "file,label",
      "photos/test-00000.jpg,sweet_pepper",
      "photos/train-00001.jpg,apple",
    ]);
    const image = sharp(join(photos, "train-00001.jpg"));
    expect(await image.metadata()).toMatchObject({ width: 48, height: 48, format: "jpeg" });
    const [red, green, blue] = await image.raw().toBuffer();
    expect([red, green, blue].map((value) => Math.round((value ?? 0) / 10))).toEqual([20, 1, 2]);
  });

  test("a second run asks the network for nothing", async () => {
    const directory = join(folder, "twice");
    await downloadFrom(serves(archive), { directory });
    await expect(
      downloadFrom(
        () => {
          throw new Error("the archive was there already");
        },
        { directory },
      ),
    ).resolves.toBeDefined();
  });

  test("a connection that breaks off is resumed where it broke", async () => {
    const ranges: (string | undefined)[] = [];
    const { gold } = await downloadFrom((request, response) => {
      ranges.push(request.headers.range);
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const rest = archive.subarray(from);
      response.writeHead(from > 0 ? 206 : 200, {
        "content-length": rest.length,
        "content-range": `bytes ${from}-${archive.length - 1}/${archive.length}`,
      });
      if (from > 0) response.end(rest);
      // The client drops what it has not read when the connection goes: give it the time to read.
      else response.write(rest.subarray(0, 100), () => setTimeout(() => response.destroy(), 60));
    });
    expect(ranges).toEqual([undefined, "bytes=100-"]);
    expect(await readFile(gold, "utf8")).toContain("apple");
  });

  test("a file with another hash is refused and not kept", async () => {
    const directory = join(folder, "wrong-hash");
    const spoilt = Uint8Array.from(archive, (byte, index) => (index === 50 ? byte ^ 1 : byte));
    await expect(downloadFrom(serves(spoilt), { directory })).rejects.toMatchObject({ code: "dataset_corrupt" });
    expect(await readdir(directory)).toEqual(["photos"]);
  });

  test.each([
    ["is no archive", async () => Buffer.from("<html>moved</html>")],
    ["is cut short", async () => archive.subarray(0, archive.length - 60)],
    ["ends inside a record", async () => pack({ train: record(apple, 1).subarray(0, 3000), test: record(pepper, 1) })],
    ["lacks test.bin", async () => pack({ train: record(apple, 1) })],
    ["names no pear", async () => pack({ train: record(apple, 1), test: record(pepper, 1), names: "apple\n" })],
  ])("a published file that %s is called corrupt", async (_, make) => {
    const bytes = await make();
    await expect(downloadFrom(serves(bytes), { sha256: hashOf(bytes) })).rejects.toMatchObject({
      code: "dataset_corrupt",
    });
  });

  test("a 404 says so and is final; a 503 may be tried again", async () => {
    const answer = (status: number) => downloadFrom((_, response) => response.writeHead(status).end());
    await expect(answer(404)).rejects.toMatchObject({ code: "dataset_not_found", retryable: false });
    await expect(answer(503)).rejects.toMatchObject({ code: "dataset_unavailable", retryable: true });
  });
});
