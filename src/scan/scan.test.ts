import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "../contracts.ts";
import type { LoggedAnswer, LoggedCall } from "../ingest/logs/logged-call.ts";
import { createRng } from "../math/random.ts";
import { findDecisions } from "./find-decisions.ts";
import { moneyOf } from "./money.ts";
import { renderScan } from "./page.ts";
import { type ScanOptions, scanLog } from "./scan.ts";

const clock: Clock = { now: () => 1_700_000_000_000, sleep: () => Promise.resolve() };
const usage = { inputTokens: 100, outputTokens: 10 };

const call = (n: number, answer: string | LoggedAnswer, changes: Partial<LoggedCall> = {}): LoggedCall => ({
  input: `input ${n}`,
  prompt: "Good or bad?",
  answer: typeof answer === "string" ? { kind: "text", text: answer } : answer,
  model: "gpt-4o-2024-08-06",
  usage,
  latencyMs: 0,
  ...changes,
});
const calls = (count: number, answerOf: (n: number) => string | LoggedAnswer, changes: Partial<LoggedCall> = {}) =>
  Array.from({ length: count }, (_, n) => call(n, answerOf(n), changes));

describe("decisions are found", () => {
  test("in bare words, whatever the spelling, and in the field of JSON that tells most apart", () => {
    const bare = calls(500, (n) => (n % 5 === 0 ? "Bad." : n % 2 === 0 ? "bad" : "Good"));
    expect(findDecisions(bare).decisions).toMatchObject([
      { labels: [{ value: "bad", calls: 300 }, { value: "Good" }] },
    ]);
    const json = calls(500, (n) => JSON.stringify({ ok: true, mood: ["a", "b", "c"][n % 3], why: `because ${n}` }));
    const [decision] = findDecisions(json).decisions;
    expect(decision?.labels.map(({ value }) => value)).toEqual(["a", "b", "c"]);
    expect(decision?.calls[4]).toMatchObject({ text: "input 4", label: "b" });
  });

  test("prompt by prompt; slips and failures stay calls without a label", () => {
    const failed = { kind: "failed", message: "refused" } as const;
    const some = calls(500, (n) => (n === 0 ? "I am not sure" : n === 1 ? failed : n % 2 ? "yes" : "no"));
    const { decisions } = findDecisions([...some, ...calls(450, (n) => ["x", "y"][n % 2]!, { prompt: "Other" })]);
    expect(decisions.map(({ prompt, calls: { length } }) => [prompt, length])).toEqual([
      ["Good or bad?", 500],
      ["Other", 450],
    ]);
    expect(decisions[0]?.calls.filter(({ label }) => label === undefined)).toHaveLength(2);
  });

  test.each([
    ["free answers", calls(500, (n) => `summary number ${n}`)],
    ["always the same answer", calls(500, () => "yes")],
    ["fewer than 400 calls", calls(300, (n) => (n % 2 ? "yes" : "no"))],
    ["the inputs are no texts", calls(500, (n) => (n % 2 ? "yes" : "no"), { input: undefined })],
  ])("and %s are none", (why, given) => {
    expect(findDecisions(given)).toMatchObject({ decisions: [], others: [{ why: expect.stringContaining(why) }] });
  });
});

describe("money", () => {
  test("is counted from tokens and list prices; without tokens from the length of the texts", () => {
    expect(moneyOf(calls(10, () => "yes"))?.perCallUsd).toBeCloseTo((100 * 2.5 + 10 * 10) / 1e6, 12);
    const untold = moneyOf(calls(10, () => "yes", { usage: { inputTokens: 0, outputTokens: 0 } }));
    expect(untold).toMatchObject({ isEstimated: true });
    expect(untold?.perCallUsd).toBeGreaterThan(0);
  });

  test("is not counted where one price is unknown, unless the user gives it", () => {
    const unknown = calls(10, () => "yes", { model: "my-own-model" });
    expect(moneyOf([...calls(5, () => "yes"), ...unknown])).toBeUndefined();
    expect(moneyOf(unknown, { inputPerMillionUsd: 1, outputPerMillionUsd: 1 })?.perCallUsd).toBeCloseTo(110 / 1e6, 12);
  });
});

describe("a scan", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "flywheel-scan-test-"));
  });
  afterEach(() => rm(root, { recursive: true }));

  const words = {
    good: ["lovely", "sunny", "kind"],
    bad: ["awful", "rainy", "rude"],
    fair: ["usual", "plain", "so-so"],
  };
  const moods = ["good", "bad", "fair"] as const;

  /** Each text names its mood but for a tenth, which nobody could tell. Over thirty days. */
  async function log(count: number, prompt = "Which mood?"): Promise<string> {
    const rng = createRng("scan");
    const pick = <T>(list: readonly T[]): T => list[Math.floor(rng.next() * list.length)]!;
    const lines = Array.from({ length: count }, (_, n) => {
      const mood = pick(moods);
      const word = n % 10 === 0 ? "unclear" : pick(words[mood]);
      const created = 1_700_000_000 + Math.round((n * 30 * 86_400) / count);
      const response = {
        created,
        model: "gpt-4o",
        choices: [{ message: { role: "assistant", content: JSON.stringify({ mood }) }, finish_reason: "stop" }],
        usage: { prompt_tokens: 1_000, completion_tokens: 10 },
      };
      const messages = [
        { role: "system", content: prompt },
        { role: "user", content: `Case ${n}: it was ${word} on day ${n % 7}` },
      ];
      return JSON.stringify({ request: { model: "gpt-4o", messages }, response });
    });
    const path = join(root, "log.jsonl");
    await writeFile(path, `${lines.join("\n")}\n{"broken\n`);
    return path;
  }

  const scan = (path: string, changes: Partial<ScanOptions> = {}) => scanLog({ path, seed: "0", clock, ...changes });

  test("says how much could be answered locally at which risk, certified, and what that saves", async () => {
    const before = await readdir(tmpdir());
    const path = await log(2_400);
    const result = await scan(path);
    expect(result).toMatchObject({
      format: "openai-chat",
      calls: 2_400,
      unread: 1,
      others: [],
      volume: { basis: "log" },
    });
    expect(result.volume.perMonth / 2_400).toBeCloseTo(30.4 / 30, 1);
    const [decision] = result.decisions;
    expect(decision).toMatchObject({ calls: 2_400, inputs: 2_400 });
    // A tenth cannot be told, and a third of that is right by chance: 93 % agree, 90 % can be told.
    expect(decision!.agreement.value).toBeGreaterThan(0.88);
    const five = result.levels.find(({ risk }) => risk === 0.05)!;
    expect(five.answered.value).toBeGreaterThan(0.85);
    const coverages = result.levels.map(({ answered }) => answered.value);
    expect(coverages).toEqual(coverages.toSorted((a, b) => a - b));
    for (const { risk, bound } of decision!.levels) if (bound !== undefined) expect(bound).toBeLessThanOrEqual(risk);
    expect(five.llmPerMonthUsd).toBeCloseTo((result.volume.perMonth * (1_000 * 2.5 + 10 * 10)) / 1e6, 6);
    expect(
      (await readdir(tmpdir())).filter((name) => /^flywheel-scan-(?!test)/.test(name) && !before.includes(name)),
    ).toEqual([]);
  }, 30_000);

  test("of much traffic saves what is answered, less the audits; its page shows the log's words as words and fetches nothing", async () => {
    const result = await scan(await log(1_200, `</title><script>alert(1)</script>`), { perMonth: 10_000_000 });
    const [, , five] = result.levels;
    expect(five!.savedPerMonthUsd!.value / five!.llmPerMonthUsd!).toBeCloseTo(five!.answered.value * 0.97, 2);
    const page = renderScan(result);
    expect(page).toContain("of these 1,200 calls could be answered locally");
    expect(page).not.toContain("<script>alert");
    expect(page.match(/(?:src|href)="(?!data:|#)[^"]*"|url\((?!data:)/g)).toBeNull();
  }, 30_000);

  test("of a log without decisions, or of no log, says so", async () => {
    await expect(scan(await log(100))).rejects.toMatchObject({
      code: "scan_no_decisions",
      message: expect.stringContaining("fewer than 400"),
    });
    const path = join(root, "other.jsonl");
    await writeFile(path, '{"a":1}\n');
    await expect(scan(path)).rejects.toMatchObject({ code: "scan_no_log" });
  });
});
