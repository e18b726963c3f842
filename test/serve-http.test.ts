import { appendFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import OpenAI from "openai";
import { describe, expect, onTestFinished, test } from "vitest";
import { openTestStore, promote, testCard } from "../src/route/testing/fixtures.ts";
import { colourModel, photo, preprocessing } from "../src/serve/testing/colour-student.ts";
import { fruitPhotoTask } from "../src/serve/testing/task.ts";
import { clientOf, decide, goldPhoto, openServeWorld, startTestServer } from "../src/serve/testing/world.ts";
import { writeModelFolder } from "../src/train/model-folder.ts";

/** Serves `routes` on loopback; a string redirects there. */
async function imageHost(routes: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  const host = createServer((request, response) => {
    const found = routes[request.url ?? ""];
    if (typeof found === "string") response.writeHead(302, { location: found }).end();
    else response.writeHead(found ? 200 : 404).end(found);
  });
  await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void host.close());
  return `127.0.0.1:${(host.address() as AddressInfo).port}`;
}

describe("keys", () => {
  const server = { apiKeys: ["first-key", "second-key"] };

  test("each of them opens the door, nothing else does", async () => {
    const world = await openServeWorld({ server });
    const image = await photo("pear", 0.95);
    for (const key of server.apiKeys) expect((await decide(clientOf(world.server, key), image)).status).toBe(200);
    for (const key of ["first-ke", "first-key1", "other"]) {
      const refused = await decide(clientOf(world.server, key), image).catch((thrown: unknown) => thrown);
      expect(refused).toBeInstanceOf(OpenAI.AuthenticationError);
      expect(refused).toMatchObject({ code: "invalid_api_key" });
    }
  });

  test("guard everything but the health of the server", async () => {
    const { server: open } = await openServeWorld({ server });
    const status = async (path: string) => (await fetch(`${open.url}${path}`)).status;
    expect(await Promise.all(["/healthz", "/readyz"].map(status))).toEqual([200, 200]);
    expect(await Promise.all(["/metrics", "/v1/models", "/v1/decisions/x"].map(status))).toEqual([401, 401, 401]);
  });

  test("are required beyond loopback", async () => {
    const { task, store } = await openServeWorld();
    await expect(startTestServer({ task, store, host: "0.0.0.0" })).rejects.toMatchObject({
      code: "api_keys_required",
    });
    const open = await startTestServer({ task, store, host: "0.0.0.0", apiKeys: ["k"] });
    expect((await fetch(`${open.url}/healthz`)).status).toBe(200);
  });
});

describe("starting", () => {
  test("on a port that is taken says so", async () => {
    const { task, store, server } = await openServeWorld();
    const port = Number(new URL(server.url).port);
    await expect(startTestServer({ task, store, port })).rejects.toMatchObject({
      code: "port_in_use",
      hint: expect.stringContaining("--port"),
    });
  });

  test("on a host that is not this machine's says so", async () => {
    const { task, store } = await openServeWorld();
    const starting = startTestServer({ task, store, host: "192.0.2.1", apiKeys: ["k"] });
    await expect(starting).rejects.toMatchObject({ code: "host_unavailable" });
  });
});

describe("a student as training writes it", () => {
  async function trained() {
    const store = await openTestStore();
    const task = fruitPhotoTask("http://127.0.0.1:1/v1", { whenTeacherDown: "refuse" });
    const { modelId } = await promote(store, task, "m1");
    const folder = store.models.folder(modelId);
    await writeModelFolder(folder, {
      model: colourModel(),
      card: { ...testCard("m1"), inputKind: "image", preprocessing },
    });
    return { store, task, folder };
  }

  test("is loaded from the model's folder", async () => {
    const { store, task } = await trained();
    const client = clientOf(await startTestServer({ task, store, loadStudent: undefined }));
    expect((await decide(client, await photo("pear", 0.95))).decision.answers).toMatchObject([{ choice: "pear" }]);
  });

  test("that was damaged answers nothing, and the server says so", async () => {
    const { store, task, folder } = await trained();
    await appendFile(join(folder, "model.onnx"), "x");
    const server = await startTestServer({ task, store, loadStudent: undefined });
    const refused = decide(clientOf(server), await photo("pear", 0.95));
    await expect(refused).rejects.toMatchObject({ status: 503, code: "no_teacher" });
    const ready = await fetch(`${server.url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ student: expect.stringContaining("model_corrupt") });
  });
});

describe("models", () => {
  test("are the task, by its name or with a prefix; any other is a 404", async () => {
    const { client } = await openServeWorld();
    const image = await photo("pear", 0.95);
    expect((await client.models.list()).data).toMatchObject([{ id: "fruit", object: "model", owned_by: "flywheel" }]);
    expect(await client.models.retrieve("flywheel/fruit")).toMatchObject({ id: "fruit" });
    expect((await decide(client, image, { model: "flywheel/fruit" })).decision.model).toBe("flywheel/fruit");
    const unknown = decide(client, image, { model: "gpt-6-luna" });
    await expect(unknown).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(unknown).rejects.toMatchObject({ code: "model_not_found", param: "model" });
  });
});

describe("what is no request", () => {
  test.each([
    ["malformed JSON", "application/json", "{", 400, "invalid_request"],
    ["nothing", "application/json", "", 400, "invalid_request"],
    ["a text", "text/plain", "hello", 415, "unsupported_media_type"],
    ["a form", "application/x-www-form-urlencoded", "a=b", 415, "unsupported_media_type"],
    ["too much", "application/json", `"${"x".repeat(2_000)}"`, 413, "request_too_large"],
    ["a list", "application/json", "[]", 400, "invalid_value"],
  ])("%s is refused in OpenAI's shape", async (_, type, body, status, code) => {
    const { server } = await openServeWorld({ server: { bodyLimitBytes: 1_000 } });
    const headers = { "content-type": type };
    const response = await fetch(`${server.url}/v1/decisions`, { method: "POST", headers, body });
    expect(response.status).toBe(status);
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
    const error = { code, message: expect.any(String), type: "invalid_request_error", param: null };
    expect(await response.json()).toEqual({ error });
  });

  test("an unknown route is a 404 that names those there are", async () => {
    const { server } = await openServeWorld();
    const response = await fetch(`${server.url}/v1/chat/completions?key=secret`, { method: "POST" });
    expect(response.status).toBe(404);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toContain("POST /v1/decisions");
    expect(error.message).not.toContain("secret");
  });

  test("a caller cannot choose its request id, on which the audit draw hangs", async () => {
    const { server } = await openServeWorld();
    const response = await fetch(`${server.url}/healthz`, {
      headers: { "request-id": "mine", "x-request-id": "mine" },
    });
    expect(response.headers.get("x-request-id")).not.toBe("mine");
  });
});

describe("an image by its address", () => {
  const at = (url: string) =>
    ({ input: [{ role: "user", content: [{ type: "input_image", image_url: url }] }] }) as object;

  test("is fetched from hosts that the operator allowed, and from no other", async () => {
    const image = await photo("pear", 0.95);
    const host = await imageHost({ "/pear.png": image });
    const { client } = await openServeWorld({ server: { imageHosts: [host] } });
    const { decision } = await decide(client, image, at(`http://${host}/pear.png`));
    expect(decision.answers).toMatchObject([{ choice: "pear" }]);
    for (const url of [
      `http://user@${host}/pear.png`,
      `http://${host.split(":")[0]}/pear.png`,
      "https://example.com/",
    ]) {
      const asked = decide(client, image, at(url));
      await expect(asked).rejects.toMatchObject({ status: 400, code: "image_url_not_allowed" });
    }
  });

  test("that redirects, is missing, or is too large is not followed, found or read", async () => {
    const image = await photo("pear", 0.95);
    const host = await imageHost({ "/away": "http://127.0.0.1:1/", "/large": new Uint8Array(300_000) });
    const { client } = await openServeWorld({ server: { imageHosts: [host], bodyLimitBytes: 100_000 } });
    for (const path of ["/away", "/missing", "/large"]) {
      const asked = decide(client, image, at(`http://${host}${path}`));
      await expect(asked, path).rejects.toMatchObject({ status: 502, code: "image_unreachable" });
    }
  });
});

describe("readiness", () => {
  const ready = async (url: string) => {
    const response = await fetch(`${url}/readyz`);
    return { status: response.status, body: await response.json() };
  };

  test("needs somebody who can decide", async () => {
    const { task, store, server } = await openServeWorld({ promoted: false });
    expect(await ready(server.url)).toMatchObject({
      status: 200,
      body: { student: "none (no-champion)", teacher: "not asked yet", teacherLastKnown: null },
    });
    const alone = await startTestServer({ task, store });
    expect(await ready(alone.url)).toMatchObject({ status: 503, body: { status: "not_ready" } });
  });

  test("is there with a certified champion alone", async () => {
    const { task, store } = await openServeWorld();
    const alone = await startTestServer({ task, store });
    expect(await ready(alone.url)).toMatchObject({ status: 200, body: { student: "champion v1", store: "ok" } });
  });
});

describe("metrics", () => {
  const read = async (url: string, name: string) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return text.split("\n").filter((line) => line.startsWith(name) && !line.startsWith(`${name}_bucket`));
  };

  test("say what was routed, what it cost and what was saved", async () => {
    const world = await openServeWorld({ task: { audit: { uniformRate: 1, rate: 0 } } });
    const { client, server, store } = world;
    await decide(client, await goldPhoto(world, ["pear", 0.95]));
    await decide(client, await goldPhoto(world, ["pear", 0.6]));
    await decide(client, Buffer.from("no image")).catch(() => undefined);
    await server.workOffBacklog();
    const { spentUsd } = await store.spend.totals();
    expect(await read(server.url, "flywheel_requests_total{")).toEqual([
      'flywheel_requests_total{task="fruit",route="audited",model_version="v1",status="200"} 1',
      'flywheel_requests_total{task="fruit",route="escalated",model_version="v1",status="200"} 1',
      'flywheel_requests_total{task="fruit",route="none",model_version="none",status="400"} 1',
    ]);
    expect(await read(server.url, "flywheel_escalations_total{")).toEqual([
      'flywheel_escalations_total{task="fruit",reason="unsure"} 1',
    ]);
    expect(await read(server.url, "flywheel_cost_usd_total{")).toEqual([
      `flywheel_cost_usd_total{provider="compatible"} ${spentUsd}`,
    ]);
    expect(spentUsd).toBeGreaterThan(0);
    expect(await read(server.url, "flywheel_target_risk{")).toEqual(['flywheel_target_risk{task="fruit"} 0.05']);
    expect(await read(server.url, "flywheel_queue_depth{")).toEqual(['flywheel_queue_depth{task="fruit"} 0']);
    // Two uniform requests without an error: an exact upper bound of 1 − √0.05.
    const [upper] = await read(server.url, "flywheel_audit_disagreement_upper{");
    expect(Number(upper?.split(" ")[1])).toBeCloseTo(1 - Math.sqrt(0.05), 9);
    expect(await read(server.url, "flywheel_request_duration_seconds_count{")).toHaveLength(3);
    expect(await read(server.url, "flywheel_overhead_seconds_count{")).toHaveLength(3);
  });

  test("saved: the student's answers at the price of an escalation, the same on every replica", async () => {
    const world = await openServeWorld();
    const { client, server, store, task } = world;
    const other = await startTestServer({ task, store });
    await decide(client, await goldPhoto(world, ["pear", 0.6]));
    for (const nth of [1, 2, 3]) await decide(client, await photo("pear", 0.95, nth));
    const { spentUsd } = await store.spend.totals();
    for (const { url } of [server, other]) {
      const [saved] = await read(url, "flywheel_saved_usd_total{");
      expect(Number(saved?.split(" ")[1])).toBeCloseTo(3 * spentUsd, 9);
    }
  });
});
