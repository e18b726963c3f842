import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "../contracts.ts";
import { fetchFromHub, parseHubName } from "./hub.ts";

const weights = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31) % 251);
const sha256 = createHash("sha256").update(weights).digest("hex");
const name = parseHubName("hf:timm/net.tiny")!;
/** Waits are noted, not slept. */
const clock: Clock = { now: () => 0, sleep: async () => {} };

type Served = { readonly url: string | undefined; readonly range: string | undefined };
type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

let folder: string;
let stop: () => Promise<void>;
let served: Served[];
let handle: Handler;
let environment: Record<string, string>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flywheel-hub-"));
  served = [];
  handle = (request, response) => sendRange(request, response, weights);
  const server = createServer((request, response) => {
    served.push({ url: request.url, range: request.headers.range });
    handle(request, response, served.length);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  environment = { FLYWHEEL_HUB_URL: `http://127.0.0.1:${port}`, FLYWHEEL_CACHE: folder };
  stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
});

afterEach(async () => {
  await stop();
  await rm(folder, { recursive: true });
});

function sendRange(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array, etag = '"v1"'): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const rest = bytes.subarray(start);
  const range = { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
  response.writeHead(start > 0 ? 206 : 200, { "content-length": rest.length, etag, ...(start > 0 ? range : {}) });
  response.end(rest);
}

/** Announces everything, sends the first `count` bytes, then cuts the connection. */
function sendCut(response: ServerResponse, count: number, etag = '"v1"'): void {
  response.writeHead(200, { "content-length": weights.length, etag });
  response.write(weights.subarray(0, count), () => setImmediate(() => response.destroy()));
}

const filesIn = async (path: string) => (await readdir(path)).sort();

describe("a hub name", () => {
  test("names organisation, repository, revision and file", () => {
    expect(parseHubName("hf:timm/mobilenetv3_small_100.lamb_in1k")).toEqual({
      organisation: "timm",
      repository: "mobilenetv3_small_100.lamb_in1k",
      revision: "main",
      file: "model.safetensors",
    });
    expect(parseHubName("hf:a/b@v2/onnx/model.onnx")).toMatchObject({ revision: "v2", file: "onnx/model.onnx" });
    expect(parseHubName("models/net.onnx")).toBeUndefined();
  });

  test.each(["hf:timm", "hf:../../etc/passwd", "hf:a/b/../../c", "hf:a/..", "hf:a/b@../x"])("refuses %s", (bad) => {
    expect(() => parseHubName(bad)).toThrowError(expect.objectContaining({ code: "weights_bad_name" }));
  });
});

describe("weights from a hub", () => {
  test("are loaded once, then read from the cache", async () => {
    const path = await fetchFromHub(name, { clock, environment });
    expect(new Uint8Array(await readFile(path))).toEqual(weights);
    expect(await fetchFromHub(name, { clock, environment })).toBe(path);
    expect(served.map(({ url }) => url)).toEqual(["/timm/net.tiny/resolve/main/model.safetensors"]);
    expect(await filesIn(dirname(path))).toEqual(["model.safetensors", "model.safetensors.sha256"]);
  });

  test("continue where the connection broke, without asking twice for a byte", async () => {
    handle = (request, response, count) =>
      count === 1 ? sendCut(response, 200_000) : sendRange(request, response, weights);
    const path = await fetchFromHub(name, { clock, environment, sha256 });
    expect(new Uint8Array(await readFile(path))).toEqual(weights);
    const start = Number(/\d+/.exec(served[1]?.range ?? "")?.[0]);
    expect(start).toBeGreaterThan(0);
    expect(start).toBeLessThanOrEqual(200_000);
  });

  test("start again where the file changed in between", async () => {
    handle = (request, response, count) =>
      count === 1 ? sendCut(response, 200_000, '"v0"') : sendRange(request, response, weights);
    const path = await fetchFromHub(name, { clock, environment });
    expect(new Uint8Array(await readFile(path))).toEqual(weights);
    expect(served.map(({ range }) => range === undefined)).toEqual([true, false, true]);
  });

  test("start again where the server does not know ranges", async () => {
    handle = (_, response, count) => {
      if (count === 1) return sendCut(response, 1000);
      response.writeHead(200, { etag: '"v1"' }).end(weights);
    };
    const path = await fetchFromHub(name, { clock, environment, sha256 });
    expect(new Uint8Array(await readFile(path))).toEqual(weights);
  });

  test("are refused under another hash, and not kept", async () => {
    const wrong = { clock, environment, sha256: "0".repeat(64) };
    await expect(fetchFromHub(name, wrong)).rejects.toMatchObject({ code: "weights_corrupt" });
    expect(await filesIn(join(folder, "hub/timm/net.tiny/main"))).toEqual([]);
  });

  test("are refused where the cache was damaged, or the config pins another file", async () => {
    const path = await fetchFromHub(name, { clock, environment });
    await expect(fetchFromHub(name, { clock, environment, sha256: "0".repeat(64) })).rejects.toMatchObject({
      code: "weights_corrupt",
    });
    await writeFile(path, weights.subarray(0, 1000));
    await expect(fetchFromHub(name, { clock, environment })).rejects.toMatchObject({ code: "weights_corrupt" });
    expect(served).toHaveLength(1);
  });

  test("say what is wrong when they are absent, or the hub is down", async () => {
    handle = (_, response) => void response.writeHead(404).end();
    await expect(fetchFromHub(name, { clock, environment })).rejects.toMatchObject({ code: "weights_not_found" });
    handle = (_, response) => void response.writeHead(503).end();
    const down = fetchFromHub(name, { clock, environment });
    await expect(down).rejects.toMatchObject({ code: "weights_unavailable", retryable: true });
    expect(served).toHaveLength(1 + 4);
  });

  test("stop when they are told to, and keep what has come", async () => {
    const controller = new AbortController();
    handle = (_, response) => {
      response.writeHead(200, { "content-length": weights.length, etag: '"v1"' });
      response.write(weights.subarray(0, 100_000));
    };
    const onProgress = () => controller.abort(new Error("enough"));
    const stopped = fetchFromHub(name, { clock, environment, onProgress, signal: controller.signal });
    await expect(stopped).rejects.toThrow("enough");
    const [part = ""] = await filesIn(join(folder, "hub/timm/net.tiny/main"));
    expect(part).toMatch(/^model\.safetensors\.[0-9a-f]{12}\.0\.part$/);
  });

  test("survive a process that was killed half-way", async () => {
    handle = (request, response, count) => {
      if (count > 1) return sendRange(request, response, weights);
      response.writeHead(200, { "content-length": weights.length, etag: '"v1"' });
      response.write(weights.subarray(0, 250_000));
    };
    const child = spawn(process.execPath, ["-e", loaderScript], {
      env: { ...process.env, ...environment },
      stdio: "pipe",
    });
    await once(child.stdout, "data"); // its first progress
    child.kill("SIGKILL");
    await once(child, "exit");
    const path = await fetchFromHub(name, { clock, environment });
    expect(new Uint8Array(await readFile(path))).toEqual(weights);
    expect(served[1]?.range).toMatch(/^bytes=[1-9]/);
  });

  test("may be loaded by two processes at once", async () => {
    const run = () =>
      spawn(process.execPath, ["-e", loaderScript], { env: { ...process.env, ...environment }, stdio: "pipe" });
    const codes = await Promise.all([run(), run()].map(async (child) => (await once(child, "exit"))[0]));
    expect(codes).toEqual([0, 0]);
    const path = await fetchFromHub(name, { clock, environment, sha256 });
    expect(await filesIn(dirname(path))).toEqual(["model.safetensors", "model.safetensors.sha256"]);
  });
});

const loaderScript = `
  import { fetchFromHub, parseHubName } from ${JSON.stringify(new URL("./hub.ts", import.meta.url).href)};
  const clock = { now: () => 0, sleep: async () => {} };
  await fetchFromHub(parseHubName("hf:timm/net.tiny"), { clock, onProgress: () => console.log("some") });
`;
