import { appendFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { embedRows } from "./embed-rows.ts";

let workFolder: string;
beforeEach(async () => {
  workFolder = join(await mkdtemp(join(tmpdir(), "flywheel-embed-")), "model.training");
});
afterEach(async () => {
  await rm(join(workFolder, ".."), { recursive: true });
});

const texts = Array.from({ length: 700 }, (_, index) => `${index} ${"long ".repeat((index * 37) % 11)}`);
const own = (text: string): readonly number[] => [text.length, Number(text.split(" ")[0])];

/** Notes what it was asked. */
function encoder(asked: string[], { until = Number.POSITIVE_INFINITY, stop = () => {} } = {}) {
  return {
    width: 2,
    async embed(batch: readonly string[]) {
      asked.push(...batch);
      if (asked.length >= until) stop();
      return Float32Array.from(batch.flatMap(own));
    },
  };
}

test("every text has its own embedding, in the order of the texts", async () => {
  const seen: number[] = [];
  const progress = ({ done }: { readonly done: number }) => void seen.push(done);
  const embeddings = await embedRows(
    {
      width: 2,
      embed: async (batch, work) => {
        work?.onEmbedded?.(batch.length);
        return Float32Array.from(batch.flatMap(own));
      },
    },
    texts,
    { workFolder, progress },
  );
  expect([...embeddings]).toEqual(texts.flatMap(own));
  expect(seen.at(-1)).toBe(texts.length);
});

test("a training that was stopped embeds nothing twice, and ends the same", async () => {
  const controller = new AbortController();
  const asked: string[] = [];
  const stop = (): void => controller.abort(new Error("enough"));
  const stopped = embedRows(encoder(asked, { until: 300, stop }), texts, { workFolder, signal: controller.signal });
  await expect(stopped).rejects.toMatchObject({ code: "training_interrupted", retryable: true });
  const before = asked.length;
  expect(before).toBeLessThan(texts.length);
  const embeddings = await embedRows(encoder(asked), texts, { workFolder });
  expect([...embeddings]).toEqual(texts.flatMap(own));
  expect(asked).toHaveLength(texts.length);
  expect(new Set(asked).size).toBe(texts.length);
  await embedRows(encoder(asked), texts, { workFolder });
  expect(asked).toHaveLength(texts.length);
});

test("half a row, left by a process that was killed, is embedded again", async () => {
  const asked: string[] = [];
  await embedRows(encoder(asked), texts.slice(0, 10), { workFolder });
  const [file = ""] = await readdir(workFolder);
  await appendFile(join(workFolder, file), new Uint8Array([1, 2, 3]));
  const embeddings = await embedRows(encoder(asked), texts.slice(0, 10), { workFolder });
  expect([...embeddings]).toEqual(texts.slice(0, 10).flatMap(own));
  expect(asked).toHaveLength(10);
});
