import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import OpenAI from "openai";
import sharp from "sharp";
import { describe, expect, onTestFinished, test } from "vitest";
import { decodeImage, identityOf } from "../image/decode.ts";
import { presentImage } from "../label/teacher-input.ts";
import { defineTask } from "../task.ts";
import { contentHash, loadGoldFile, textHashes } from "./gold-file.ts";
import { type SimulatedTeacherOptions, startSimulatedTeacher } from "./teacher-server.ts";

const classes = ["apple", "pear", "orange"];

async function open(options: Partial<SimulatedTeacherOptions> = {}) {
  const gold = new Map(["red", "green", "blue"].map((text, index) => [contentHash(text), classes[index]!]));
  const teacher = await startSimulatedTeacher({ gold, classes, ...options });
  onTestFinished(() => teacher.close());
  const ask = async (
    text: string,
    { key, headers = {}, ...more }: Record<string, unknown> & { key?: string; headers?: object } = {},
  ) =>
    await fetch(`${teacher.url}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(key && { "idempotency-key": key }), ...headers },
      body: JSON.stringify({ model: "any", messages: [{ role: "user", content: text }], ...more }),
    });
  return { teacher, ask, client: new OpenAI({ apiKey: "none", baseURL: teacher.url, maxRetries: 0 }) };
}

type Completion = { readonly choices: readonly [{ readonly message: { readonly content: string } }] };

const contentOf = async (response: Response): Promise<string> =>
  ((await response.json()) as Completion).choices[0].message.content;

describe("the simulated teacher", () => {
  test("answers the official client, structured, with usage, and is always shown as simulated", async () => {
    const { client } = await open();
    const schema = { type: "object", properties: { verdict: { type: "string", enum: classes } } };
    const { data, response } = await client.chat.completions
      .create({
        model: "gpt-4o-mini",
        messages: [
          { role: "system", content: "Label it." },
          { role: "user", content: "green" },
        ],
        response_format: { type: "json_schema", json_schema: { name: "answer", schema } },
      })
      .withResponse();
    expect(data.choices[0]?.message.content).toBe('{"verdict":"pear"}');
    expect(data.model).toBe("simulated/gpt-4o-mini");
    expect(data.usage?.total_tokens).toBeGreaterThan(0);
    expect(response.headers.get("x-flywheel-simulated")).toBe("1");
    expect((await client.models.list()).data[0]?.id).toMatch(/^simulated\//);
  });

  test("calls the tool that the schema came as", async () => {
    const { client } = await open();
    const parameters = { type: "object", properties: { label: { type: "string" } } };
    const answer = await client.chat.completions.create({
      model: "m",
      messages: [{ role: "user", content: "red" }],
      tools: [{ type: "function", function: { name: "answer", parameters } }],
    });
    expect(answer.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      function: { name: "answer", arguments: '{"label":"apple"}' },
    });
  });

  test("knows an image by its bytes, and by what it shows", async () => {
    const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: "#0a0" } })
      .png()
      .toBuffer();
    const webp = await sharp(png).webp({ lossless: true }).toBuffer();
    const identify = async (bytes: Uint8Array) => identityOf(await decodeImage(bytes));
    const gold = new Map([
      [contentHash(png), "pear"],
      [await identify(png), "pear"],
    ]);
    const { ask } = await open({ gold, identify });
    for (const [bytes, type] of [
      [png, "png"],
      [webp, "webp"],
    ] as const) {
      const url = `data:image/${type};base64,${bytes.toString("base64")}`;
      const messages = [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }];
      expect(await contentOf(await ask("", { messages }))).toBe('{"label":"pear"}');
    }
  });

  test("the same seed gives the same answers, another seed others", async () => {
    const texts = Array.from({ length: 40 }, (_, index) => `text ${index}`);
    const gold = new Map(texts.map((text) => [contentHash(text), "apple"]));
    const answers = async (seed: number) => {
      const { ask } = await open({ gold, errorRate: 0.4, seed });
      return await Promise.all(texts.map(async (text) => await contentOf(await ask(text))));
    };
    expect(await answers(1)).toEqual(await answers(1));
    expect(await answers(1)).not.toEqual(await answers(2));
  });

  test("replays an answer under its key at no charge, also to a repeat that arrives meanwhile", async () => {
    const { ask, teacher } = await open({ latency: { medianMs: 50 } });
    const both = await Promise.all([ask("red", { key: "k" }), ask("red", { key: "k" })]);
    const later = await ask("red", { key: "k" });
    expect(new Set(await Promise.all([...both, later].map(contentOf))).size).toBe(1);
    expect(later.headers.get("idempotent-replayed")).toBe("true");
    expect(teacher.stats()).toMatchObject({ charged: 1, replayed: 2, answered: 1, paidTwice: 0 });
  });

  test("counts a question that was charged twice", async () => {
    const { ask, teacher } = await open();
    await ask("red", { key: "one" });
    await ask("red", { key: "two" });
    expect(teacher.stats()).toMatchObject({ charged: 2, answered: 1, paidTwice: 1 });
  });

  test("refuses what exceeds the limit, in OpenAI's words, and says when to come back", async () => {
    const { ask, teacher } = await open({ rateLimitPerSecond: 5, burstMs: 400 });
    const responses = await Promise.all([ask("red"), ask("green"), ask("blue")]);
    expect(responses.map(({ status }) => status).toSorted()).toEqual([200, 200, 429]);
    const refusal = responses.find(({ status }) => status === 429)!;
    expect(Number(refusal.headers.get("retry-after-ms"))).toBeGreaterThan(0);
    expect(refusal.headers.get("retry-after")).toBe("1");
    expect(await refusal.json()).toMatchObject({ error: { code: "rate_limit_exceeded" } });
    expect(teacher.stats()).toMatchObject({ rateLimited: 1, charged: 2 });
  });

  test.each([
    ["an input without gold", { messages: [{ role: "user", content: "unheard of" }] }, "unknown_input"],
    ["a stream", { stream: true }, "bad_request"],
    ["no messages", { messages: [] }, "bad_request"],
  ])("rejects %s", async (_, body, code) => {
    const { ask } = await open();
    const response = await ask("red", body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  test("a wrong key is refused, an unknown route is not found", async () => {
    const { ask, teacher } = await open({ apiKey: "right" });
    expect((await ask("red")).status).toBe(401);
    expect((await ask("red", { headers: { authorization: "Bearer right" } })).status).toBe(200);
    expect((await fetch(teacher.url.replace("/v1", "/v2"))).status).toBe(404);
    const stats = await (await fetch(teacher.url.replace("/v1", "/simulated/stats"))).json();
    expect(stats).toMatchObject({ unauthorised: 1, charged: 1 });
  });

  test("an impossible error rate is an error", async () => {
    await expect(open({ errorRate: 1.5 })).rejects.toThrow(RangeError);
  });
});

describe("a gold file", () => {
  const write = async (csv: string): Promise<string> => {
    const directory = await mkdtemp(join(tmpdir(), "flywheel-gold-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, "a.png"), "picture");
    await writeFile(join(directory, "gold.csv"), csv);
    return join(directory, "gold.csv");
  };

  test("names files relative to itself, and classes in order of appearance", async () => {
    const { gold, classes } = await loadGoldFile(await write("file,label,note\na.png,pear,x\n"));
    expect(gold.get(createHash("sha256").update("picture").digest("hex"))).toBe("pear");
    expect(classes).toEqual(["pear"]);
  });

  test("names files relative to the folder of photos too, and by a bare name that one file there has", async () => {
    const path = await write("file,label\na.png,pear\nx/b.png,apple\nc.png,orange\n");
    const photos = await mkdtemp(join(tmpdir(), "flywheel-photos-"));
    onTestFinished(() => rm(photos, { recursive: true }));
    for (const name of ["a.png", "x/b.png", "x/y/c.png"]) {
      await mkdir(join(photos, name, ".."), { recursive: true });
      await writeFile(join(photos, name), name);
    }
    const { gold } = await loadGoldFile(path, { photos });
    expect(["picture", "x/b.png", "x/y/c.png"].map((content) => gold.get(contentHash(content)))).toEqual([
      "pear",
      "apple",
      "orange",
    ]);
    await writeFile(join(photos, "x", "c.png"), "another");
    const where = `"c.png" is not in ${dirname(path)}, nor in ${photos}; further down, 2 files have that name`;
    await expect(loadGoldFile(path, { photos })).rejects.toMatchObject({
      code: "invalid_gold",
      message: `${path}: record 3: ${where}`,
      hint: expect.stringContaining("--photos"),
    });
  });

  test("knows a large photo in the form in which the teacher is shown it", async () => {
    const path = await write("file,label\nphoto.tiff,pear\n");
    const photo = await sharp({ create: { width: 2000, height: 1500, channels: 3, background: "#a40" } })
      .tiff()
      .toBuffer();
    await writeFile(join(dirname(path), "photo.tiff"), photo);
    const { gold } = await loadGoldFile(path);
    const shown = await presentImage(photo, { width: 2000, height: 1500, mediaType: "image/tiff" });
    expect(gold.get(contentHash(shown.bytes))).toBe("pear");
  });

  test("may be any table of the workspace's task: records by their features, texts by what they say", async () => {
    const columns = { id: "nr", gold: "churn", features: { zip: "category", vip: "boolean" } } as const;
    const task = defineTask({
      name: "churn",
      input: "record",
      instructions: "?",
      output: { kind: "predicate" },
      columns,
      teacher: { model: "compatible/x" },
    });
    const path = await write("nr,zip,vip,churn\n1,01234,yes,Yes\n2,5,no,No\n3,5,yes,\n");
    const { gold, classes: known } = await loadGoldFile(path, { task });
    expect(known).toEqual(["true", "false"]);
    expect(gold.size).toBe(2);
    expect(textHashes('{"vip":true,"zip":"01234"}').map((hash) => gold.get(hash))).toContain("true");
    const wrong = write("zip,churn\n1,perhaps\n");
    await expect(
      loadGoldFile(await wrong, { task: { ...task, columns: { ...task.columns, features: "auto" } } }),
    ).rejects.toThrow(/"perhaps" is no label/);
  });

  test("may list texts", async () => {
    const { gold } = await loadGoldFile(await write('text,label\n"hello, you",greeting\n'));
    expect(gold.get(contentHash("hello, you"))).toBe("greeting");
  });

  test.each([
    ["file,label\ngone.png,pear\n", /record 1.*gone.png/],
    ["file,label\na.png,\n", /record 1: no label/],
    ["label\npear\n", /record 1: no file/],
    ['file,label\n"a.png,pear\n', /gold.csv/],
  ])("that cannot be read is named by record: %j", async (csv, message) => {
    await expect(loadGoldFile(await write(csv))).rejects.toThrow(message);
  });
});
