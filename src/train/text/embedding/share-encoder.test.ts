import { expect, test } from "vitest";
import type { SentenceEncoder } from "./sentence-encoder.ts";
import { shareEncoder } from "./share-encoder.ts";

/** Embeds a text as its length, when it is told to. */
function lengths() {
  const log = { opened: 0, closed: 0, embedded: [] as string[] };
  let answer = (): void => {};
  const mayAnswer = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const open = async (): Promise<SentenceEncoder> => {
    log.opened += 1;
    return {
      width: 1,
      async embed(texts) {
        log.embedded.push(...texts);
        await mayAnswer;
        if (texts.includes("broken")) throw new Error("broken");
        return Float32Array.from(texts, ({ length }) => length);
      },
      async [Symbol.asyncDispose]() {
        log.closed += 1;
      },
    };
  };
  return { log, open, answer: () => answer() };
}

test("whoever comes while it is open gets the same encoder, and the last to leave closes it", async () => {
  const { log, open } = lengths();
  const [one, two] = await Promise.all([shareEncoder("a", open), shareEncoder("a", open)]);
  await using other = await shareEncoder("b", open);
  expect(log.opened).toBe(2);
  await one[Symbol.asyncDispose]();
  await one[Symbol.asyncDispose](); // leaves once, however often it is told to
  expect(log.closed).toBe(0);
  await two[Symbol.asyncDispose]();
  expect(log.closed).toBe(1);
  await using again = await shareEncoder("a", open);
  expect([log.opened, again.width, other.width]).toEqual([3, 1, 1]);
});

test("a text that several ask about at once is embedded once, and one that gives up stops nobody", async () => {
  const { log, open, answer } = lengths();
  await using one = await shareEncoder("c", open);
  await using two = await shareEncoder("c", open);
  const giving = new AbortController();
  const asked = [one.embed(["pear"], { signal: giving.signal }), two.embed(["pear"]), two.embed(["fig", "pear"])];
  giving.abort(new Error("enough"));
  answer();
  await expect(asked[0]).rejects.toThrow("enough");
  expect([[...(await asked[1]!)], [...(await asked[2]!)]]).toEqual([[4], [3, 4]]);
  expect([...(await one.embed(["pear"]))]).toEqual([4]);
  expect(log.embedded).toEqual(["pear", "fig", "pear"]);
});

test("what failed is not kept: neither an encoder that did not open nor a text that broke", async () => {
  const { log, open, answer } = lengths();
  const failing = () => Promise.reject(new Error("no such file"));
  await expect(shareEncoder("d", failing)).rejects.toThrow("no such file");
  await using encoder = await shareEncoder("d", open);
  answer();
  await expect(encoder.embed(["broken"])).rejects.toThrow("broken");
  await expect(encoder.embed(["broken"])).rejects.toThrow("broken");
  expect(log.embedded).toEqual(["broken", "broken"]);
  for (let index = 0; index < 100; index++) await encoder.embed([`text ${index}`]);
  await encoder.embed(["text 99"]);
  await encoder.embed(["text 0"]);
  expect(log.embedded.filter((text) => text === "text 99")).toHaveLength(1);
  expect(log.embedded.filter((text) => text === "text 0")).toHaveLength(2);
});

test("under a stopwatch nothing is said from memory, and nothing is kept", async () => {
  const { log, open, answer } = lengths();
  answer();
  await using usual = await shareEncoder("e", open);
  await using timed = await shareEncoder("e", open, { remembers: false });
  for (const encoder of [usual, timed, timed, usual]) expect(await encoder.embed(["fig"])).toEqual(Float32Array.of(3));
  expect(log).toMatchObject({ opened: 1, embedded: ["fig", "fig", "fig"] });
});
