import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { dataUrl, photo } from "../src/serve/testing/colour-student.ts";
import { fruitQuestion, openServeWorld, startTestServer } from "../src/serve/testing/world.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";

const body = (imageUrl: string) =>
  JSON.stringify({
    model: "fruit",
    input: [{ role: "user", content: [{ type: "input_image", image_url: imageUrl }] }],
    questions: [fruitQuestion],
  });

const post = (url: string, imageUrl: string) =>
  fetch(`${url}/v1/decisions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: body(imageUrl),
    signal: AbortSignal.timeout(20_000),
  });

async function storeInFolder() {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-deadline-"));
  const store = await openSqliteStore({ directory });
  onTestFinished(async () => {
    await store[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });
  return { directory, store };
}

/** Another connection holds the write lock, as another process would. */
function lock(directory: string): () => void {
  const other = new DatabaseSync(join(directory, "flywheel.sqlite"));
  other.exec("begin immediate");
  return () => {
    other.exec("rollback");
    other.close();
  };
}

describe("the deadline", () => {
  test("holds while another process keeps the store locked, and what was refused is never recorded", async () => {
    const { directory, store } = await storeInFolder();
    const { server } = await openServeWorld({ store, server: { deadlineMs: 1_000 } });
    const image = dataUrl(await photo("pear", 0.95));
    expect((await post(server.url, image)).status).toBe(200);
    const release = lock(directory);
    const refused = await Promise.all([1, 2, 3].map(() => post(server.url, image)));
    for (const response of refused) {
      expect(response.status).toBe(503);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      // Whichever sees first that the time is over.
      expect(["store_locked", "deadline_exceeded"]).toContain(error.code);
      expect(error.message).not.toContain(directory);
    }
    release();
    expect((await post(server.url, image)).status).toBe(200);
    expect(await store.decisions.count()).toBe(2);
  });

  test("holds while an image's host drips", async () => {
    const host = createServer((_, response) => {
      response.writeHead(200, { "content-type": "image/png" });
      const dripping = setInterval(() => response.write("x"), 50);
      response.on("close", () => clearInterval(dripping));
    });
    host.listen(0, "127.0.0.1");
    await once(host, "listening");
    onTestFinished(() => {
      host.closeAllConnections();
      host.close();
    });
    const address = `127.0.0.1:${(host.address() as AddressInfo).port}`;
    const { server } = await openServeWorld({ server: { deadlineMs: 500, imageHosts: [address] } });
    const response = await post(server.url, `http://${address}/image.png`);
    expect([response.status, ((await response.json()) as { error: object }).error]).toMatchObject([
      504,
      { code: "image_unreachable" },
    ]);
  });

  test("holds while the request itself drips", async () => {
    const { server } = await openServeWorld({ server: { deadlineMs: 500 } });
    const said = await rawly(
      server.url,
      "POST /v1/decisions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    );
    expect(said).toMatch(/^HTTP\/1\.1 408 /);
    expect(said).toContain('"code":"request_timeout"');
  });
});

/** Everything that the server says until it closes the connection. */
async function rawly(url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(text);
  let said = "";
  socket.on("data", (chunk) => {
    said += chunk;
  });
  await once(socket, "close");
  return said;
}

describe("what is no request", () => {
  test.each([
    ["words", "what?\r\n\r\n", 400, "invalid_http"],
    ["an expectation", "GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: a reply\r\n\r\n", 417, "invalid_http"],
    ["CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405, "invalid_http"],
    ["headers without end", `GET / HTTP/1.1\r\nHost: a\r\nx: ${"x".repeat(40_000)}\r\n\r\n`, 431, "headers_too_large"],
  ])("%s is answered in the API's shape, and the connection closed", async (_, text, status, code) => {
    const { server } = await openServeWorld();
    const said = await rawly(server.url, text);
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(said.toLowerCase()).toContain("connection: close");
    const { error } = JSON.parse(said.slice(said.indexOf("\r\n\r\n"))) as { error: object };
    expect(error).toMatchObject({ type: "invalid_request_error", code, param: null });
  });
});

describe("readiness", () => {
  test("tries a write: a locked store is not ready, and nobody is told where it lies", async () => {
    const { directory, store } = await storeInFolder();
    const { server } = await openServeWorld({ store });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const release = lock(directory);
    const response = await fetch(`${server.url}/readyz`);
    const said = await response.text();
    release();
    expect(response.status).toBe(503);
    expect(JSON.parse(said)).toMatchObject({ status: "not_ready", store: expect.stringContaining("no write") });
    expect(said).not.toContain(directory);
  });
});

describe("more than fits", () => {
  test("is refused at once with 429, counted, and let in again later", async () => {
    const { directory, store } = await storeInFolder();
    const world = await openServeWorld({ store });
    const server = await startTestServer({ ...world, deadlineMs: 1_000, maxRequests: 2 });
    const image = dataUrl(await photo("pear", 0.95));
    const release = lock(directory);
    const statuses = (await Promise.all([1, 2, 3, 4].map(() => post(server.url, image)))).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([429, 429, 503, 503]);
    release();
    expect((await post(server.url, image)).status).toBe(200);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('flywheel_shed_requests_total{task="fruit",reason="requests"} 2');
  });

  test("leaves metrics in sight meanwhile", async () => {
    const { directory, store } = await storeInFolder();
    const world = await openServeWorld({ store });
    const server = await startTestServer({ ...world, deadlineMs: 1_000, maxRequests: 1 });
    const image = dataUrl(await photo("pear", 0.95));
    const release = lock(directory);
    const posting = [post(server.url, image), post(server.url, image)];
    expect((await Promise.any(posting)).status).toBe(429);
    expect((await fetch(`${server.url}/metrics`)).status).toBe(200);
    release();
    await Promise.all(posting);
  });
});

describe("a body that takes long to take apart", () => {
  const send = async (url: string, text: string) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}/v1/decisions`, { method: "POST", headers, body: text });
    const { error } = (await response.json()) as { error: { code: string; param: string | null } };
    return [response.status, error.code, error.param];
  };

  test("is refused before it is", async () => {
    const { server } = await openServeWorld();
    const image = "A".repeat(2 ** 20);
    expect(await send(server.url, `{"input":"${image}","x":[${"1,".repeat(30_000)}1]}`)).toEqual([
      413,
      "request_too_large",
      null,
    ]);
    const items = `[${"{},".repeat(2_000)}{}]`;
    expect(await send(server.url, `{"input":${items}}`)).toEqual([400, "invalid_value", "input"]);
    expect(await send(server.url, `{"questions":[{"choices":${items}}]}`)).toEqual([
      400,
      "invalid_value",
      "questions[0].choices",
    ]);
    const label = JSON.stringify({
      model: "fruit",
      input: "a",
      questions: [{ ...fruitQuestion, choices: [{ value: "a ".repeat(1_000) }, { value: "pear" }] }],
    });
    expect((await send(server.url, label))[0]).toBe(400);
  });
});
