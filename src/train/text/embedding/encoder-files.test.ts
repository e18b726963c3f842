import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Clock } from "../../../contracts.ts";
import { readOnnx } from "../../../onnx/proto.ts";
import { inTwoFiles } from "../../../onnx/testing.ts";
import { openEncoder } from "./encoder.ts";
import { hashOfFiles, readEncoderFiles } from "./encoder-files.ts";
import { encoderFolder } from "./testing.ts";

/** Waits are not slept. */
const clock: Clock = { now: () => 0, sleep: async () => {} };
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flywheel-encoder-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const copyOf = async (name: "network" | "static"): Promise<string> => {
  const copy = join(folder, "copy");
  await cp(encoderFolder(name), copy, { recursive: true });
  return copy;
};

describe("an encoder in a folder", () => {
  test("is a network where it has one, with what says how it reads", async () => {
    const files = await readEncoderFiles({ weights: encoderFolder("network"), clock });
    expect(files.kind).toBe("network");
    expect([...files.files.keys()].sort()).toEqual(
      ["config.json", "encoder.onnx", "pooling.json", "sentence_bert_config.json", "tokenizer.json"].sort(),
    );
    await using encoder = await openEncoder(files, { threads: 1 });
    expect(encoder.width).toBe(16);
  });

  test("is static where Model2Vec wrote it", async () => {
    const files = await readEncoderFiles({ weights: encoderFolder("static"), clock });
    expect(files.kind).toBe("static");
    await using encoder = await openEncoder(files, { threads: 1 });
    const embeddings = await encoder.embed(["where is my card", ""]);
    expect(Math.hypot(...embeddings.subarray(0, encoder.width))).toBeCloseTo(1, 5);
    expect([...embeddings.subarray(encoder.width)]).toEqual(new Array(encoder.width).fill(0));
  });

  test.each(["tokenizer.json", "config.json", "model.onnx"])("cannot be used without %s", async (name) => {
    const weights = await copyOf("network");
    await rm(join(weights, name));
    await expect(readEncoderFiles({ weights, clock })).rejects.toMatchObject({
      code: "encoder_unusable",
      message: expect.stringContaining(name),
      hint: expect.stringContaining("tokenizer.json"),
    });
  });

  test("has to be there", async () => {
    const missing = { weights: join(folder, "nowhere"), clock };
    await expect(readEncoderFiles(missing)).rejects.toMatchObject({ code: "weights_not_found" });
    await writeFile(join(folder, "file"), "");
    const file = { weights: join(folder, "file"), clock };
    await expect(readEncoderFiles(file)).rejects.toMatchObject({ code: "weights_not_found" });
  });

  test("is refused where its files are damaged", async () => {
    const weights = await copyOf("network");
    await writeFile(join(weights, "tokenizer.json"), "{");
    const files = await readEncoderFiles({ weights, clock });
    await expect(openEncoder(files, { threads: 1 })).rejects.toMatchObject({ code: "encoder_unusable" });
  });

  test("is known by the bytes of its files, wherever it lies", async () => {
    const weights = await copyOf("static");
    const original = hashOfFiles(await readEncoderFiles({ weights: encoderFolder("static"), clock }));
    expect(hashOfFiles(await readEncoderFiles({ weights, clock }))).toBe(original);
    await writeFile(join(weights, "config.json"), `${readFileSync(join(weights, "config.json"), "utf8")} `);
    expect(hashOfFiles(await readEncoderFiles({ weights, clock }))).not.toBe(original);
  });

  test("may be pinned by the hash of its weights", async () => {
    const bytes = readFileSync(join(encoderFolder("network"), "model.onnx"));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const source = { weights: encoderFolder("network"), clock };
    expect((await readEncoderFiles({ ...source, sha256 })).kind).toBe("network");
    await expect(readEncoderFiles({ ...source, sha256: "0".repeat(64) })).rejects.toMatchObject({
      code: "weights_corrupt",
    });
  });
});

/** As PyTorch's exporter writes it by default: the weights in a file of their own. */
const twoFiles = () => {
  const bytes = readFileSync(join(encoderFolder("network"), "model.onnx"));
  return inTwoFiles(readOnnx(bytes), "model.onnx.data");
};

describe("an encoder whose weights lie in model.onnx.data", () => {
  const inFolder = async (): Promise<string> => {
    const weights = await copyOf("network");
    const { onnx, data } = twoFiles();
    await writeFile(join(weights, "model.onnx"), onnx);
    await writeFile(join(weights, "model.onnx.data"), data);
    return weights;
  };

  test("embeds as it does in one file, and is kept as one", async () => {
    const files = await readEncoderFiles({ weights: await inFolder(), clock });
    expect([...files.files.keys()]).not.toContain("model.onnx.data");
    await using encoder = await openEncoder(files, { threads: 1 });
    const whole = await readEncoderFiles({ weights: encoderFolder("network"), clock });
    await using original = await openEncoder(whole, { threads: 1 });
    expect(await encoder.embed(["where is my card"])).toEqual(await original.embed(["where is my card"]));
  });

  test("is another encoder once a byte of either file is another, and pinned by both", async () => {
    const weights = await inFolder();
    const { onnx, data } = twoFiles();
    const sha256 = createHash("sha256").update(onnx).update(data).digest("hex");
    const before = hashOfFiles(await readEncoderFiles({ weights, clock, sha256 }));
    data[0]! ^= 1;
    await writeFile(join(weights, "model.onnx.data"), data);
    expect(hashOfFiles(await readEncoderFiles({ weights, clock }))).not.toBe(before);
    await expect(readEncoderFiles({ weights, clock, sha256 })).rejects.toMatchObject({ code: "weights_corrupt" });
  });

  test("is refused by name without it", async () => {
    const weights = await inFolder();
    await rm(join(weights, "model.onnx.data"));
    await expect(readEncoderFiles({ weights, clock })).rejects.toMatchObject({
      code: "onnx_external_data",
      message: expect.stringContaining("model.onnx.data"),
    });
  });
});

describe("an encoder of a hub", () => {
  let served: string[];
  /** Served instead of what lies in the folder. */
  let instead: Record<string, Uint8Array>;
  let stop: () => Promise<void>;

  /** Serves the golden network as `hf:tests/tiny`, its ONNX file in a folder of its own as on the hub. */
  beforeEach(async () => {
    served = [];
    instead = {};
    const server = createServer((request, response) => {
      const name = request.url!.replace("/tests/tiny/resolve/main/", "");
      served.push(name);
      const path = join(encoderFolder("network"), name === "onnx/model.onnx" ? "model.onnx" : name);
      const isThere = name in instead || (name !== "model.onnx" && existsSync(path));
      if (!isThere) return void response.writeHead(404).end();
      response.writeHead(200, { etag: `"${name}"` }).end(instead[name] ?? readFileSync(path));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    vi.stubEnv("FLYWHEEL_HUB_URL", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv("FLYWHEEL_CACHE", folder);
    stop = async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    };
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await stop();
  });

  test("is the same encoder, and its files are loaded once", async () => {
    const source = { weights: "hf:tests/tiny", clock };
    const files = await readEncoderFiles(source);
    expect(hashOfFiles(files)).toBe(
      hashOfFiles(await readEncoderFiles({ ...source, weights: encoderFolder("network") })),
    );
    expect(served).toContain("onnx/model.onnx");
    expect(new Set(served).size).toBe(served.length);
  });

  test("is refused where the cache was damaged", async () => {
    const source = { weights: "hf:tests/tiny", clock };
    await readEncoderFiles(source);
    await writeFile(join(folder, "hub/tests/tiny/main/tokenizer.json"), "{}");
    await expect(readEncoderFiles(source)).rejects.toMatchObject({ code: "weights_corrupt" });
  });

  test("that does not exist is said to be unusable, by name", async () => {
    const source = { weights: "hf:tests/other", clock };
    await expect(readEncoderFiles(source)).rejects.toMatchObject({
      code: "encoder_unusable",
      message: expect.stringContaining("hf:tests/other"),
    });
  });

  test("works without the hub once it is cached", async () => {
    const source = { weights: "hf:tests/tiny", clock };
    const before = hashOfFiles(await readEncoderFiles(source));
    const first = served.length;
    expect(hashOfFiles(await readEncoderFiles(source))).toBe(before);
    expect(served).toHaveLength(first);
  });

  test("may lie in two files there, both loaded once", async () => {
    const { onnx, data } = twoFiles();
    instead = { "onnx/model.onnx": onnx, "onnx/model.onnx.data": data };
    const source = { weights: "hf:tests/tiny", clock };
    const files = await readEncoderFiles(source);
    await using encoder = await openEncoder(files, { threads: 1 });
    expect(encoder.width).toBe(16);
    const first = served.length;
    expect(hashOfFiles(await readEncoderFiles(source))).toBe(hashOfFiles(files));
    expect(served).toHaveLength(first);
    expect(served.filter((name) => name === "onnx/model.onnx.data")).toHaveLength(1);
    await writeFile(join(folder, "hub/tests/tiny/main/onnx/model.onnx.data"), new Uint8Array(data.length));
    await expect(readEncoderFiles(source)).rejects.toMatchObject({ code: "weights_corrupt" });
  });
});
