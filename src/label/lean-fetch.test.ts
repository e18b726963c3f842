import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createLeanFetch } from "./lean-fetch.ts";

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/path?a=b`;
}

const post = (url: string, init: RequestInit = {}) =>
  createLeanFetch()(url, { method: "POST", body: "grüße", ...init });

describe("the lean fetch", () => {
  test("sends body and headers, and gives status, headers and text as the built-in does", async () => {
    const url = await serve(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      response.writeHead(418, { "x-answer": "yes", "content-type": "application/json" });
      response.end(JSON.stringify({ body, path: request.url, key: request.headers["idempotency-key"] }));
    });
    const response = await post(url, { headers: { "Idempotency-Key": "k" } });
    expect([response.status, response.ok, response.headers.get("X-Answer")]).toEqual([418, false, "yes"]);
    expect([...response.headers]).toContainEqual(["content-type", "application/json"]);
    expect(await response.json()).toEqual({ body: "grüße", path: "/path?a=b", key: "k" });
  });

  test("keeps the connection open for the next question", async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("{}");
    });
    const lean = createLeanFetch();
    for (let question = 0; question < 3; question++) await (await lean(url, { method: "POST", body: "" })).text();
    expect(ports.size).toBe(1);
  });

  test("an abort ends it at once, also while the answer is under way", async () => {
    const url = await serve((_, response) => {
      response.writeHead(200);
      response.write("half");
    });
    const controller = new AbortController();
    const asked = post(url, { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
    await expect(post(url, { signal: AbortSignal.abort(new Error("too late")) })).rejects.toThrow("too late");
  });

  test("a connection that is refused or cut rejects with the system's code", async () => {
    const cut = await serve((_, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half");
      setTimeout(() => response.destroy(), 10);
    });
    await expect(post(cut)).rejects.toMatchObject({ code: "ECONNRESET" });
    await expect(post("http://127.0.0.1:1/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("gives an answer in several pieces as one, and an empty one as empty", async () => {
    const parts = [["grü", "ße"], []];
    const url = await serve(async (_, response) => {
      for (const part of parts.shift() ?? []) await new Promise((sent) => response.write(part, sent));
      response.end();
    });
    const read = async ({ body }: Response) => (await body?.getReader().read())?.value;
    expect(new TextDecoder().decode(await read(await post(url)))).toBe("grüße");
    expect(await read(await post(url))).toHaveLength(0);
  });

  test("leaves what it does not know to the built-in", async () => {
    const url = await serve((request, response) => response.end(request.method));
    expect(await (await createLeanFetch()(url)).text()).toBe("GET");
  });

  test("an answer without end is cut off, through this and through the built-in", async () => {
    const connections: boolean[] = [];
    const url = await serve((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", more).on("close", () => connections.push(true));
      more();
    });
    const lean = createLeanFetch();
    for (const body of ["text", new TextEncoder().encode("bytes")]) {
      const response = await lean(url, { method: "POST", body });
      expect((await response.text()).length).toBe(4 * 2 ** 20);
    }
    await vi.waitFor(() => expect(connections).toEqual([true, true]));
  });
});
