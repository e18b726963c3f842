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
  test("in bare words, whatever the spelling, and in the properties of JSON; what stands beside them is named", () => {
    const bare = calls(500, (n) => (n % 5 === 0 ? "Bad." : n % 2 === 0 ? "bad" : "Good"));
    expect(findDecisions(bare).decisions).toMatchObject([
      { fields: [{ name: "", labels: [{ value: "bad", calls: 300 }, { value: "Good" }] }], rest: [] },
    ]);
    const json = calls(500, (n) => JSON.stringify({ ok: true, mood: ["a", "b", "c"][n % 3], why: `because ${n}` }));
    const [decision] = findDecisions(json).decisions;
    expect(decision?.fields.map(({ name }) => name)).toEqual(["mood"]);
    expect(decision?.fields[0]?.labels.map(({ value }) => value)).toEqual(["a", "b", "c"]);
    expect(decision?.calls[4]).toMatchObject({ text: "input 4", labels: new Map([["mood", "b"]]) });
    expect(decision?.rest.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      'ok: always the same answer, "true"',
      expect.stringContaining("why: free answers"),
    ]);
  });

  test("in every property of JSON and in every question; only in those that are wanted, where some are", () => {
    const both = calls(500, (n) => JSON.stringify({ mood: ["a", "b"][n % 2], late: n % 3 === 0, note: `n ${n}` }));
    const namesIn = (found: ReturnType<typeof findDecisions>) =>
      found.decisions.map(({ fields }) => fields.map(({ name }) => name));
    expect(namesIn(findDecisions(both))).toEqual([["mood", "late"]]);
    expect(namesIn(findDecisions(both, ["late", "note"]))).toEqual([["late"]]);
    expect(findDecisions(both, ["colour"])).toMatchObject({ decisions: [], others: [{ calls: 500 }] });
    const asked = calls(500, (n) => ({
      kind: "decision",
      given: new Map([
        ["mood", n < 10 ? { refusal: "refused" } : { value: ["a", "b"][n % 2]! }],
        ["late", { value: String(n % 3 === 0) }],
      ]),
    }));
    const { decisions } = findDecisions(asked);
    expect(namesIn({ decisions, others: [] })).toEqual([["mood", "late"]]);
    expect(decisions[0]?.calls[0]?.labels).toEqual(new Map([["late", "true"]]));
  });

  test("prompt by prompt; slips and failures stay calls without a label", () => {
    const failed = { kind: "failed", message: "refused" } as const;
    const some = calls(500, (n) => (n === 0 ? "I am not sure" : n === 1 ? failed : n % 2 ? "yes" : "no"));
    const { decisions } = findDecisions([...some, ...calls(450, (n) => ["x", "y"][n % 2]!, { prompt: "Other" })]);
    expect(decisions.map(({ prompt, calls: { length } }) => [prompt, length])).toEqual([
      ["Good or bad?", 500],
      ["Other", 450],
    ]);
    expect(decisions[0]?.calls.filter(({ labels }) => labels.size === 0)).toHaveLength(2);
  });

  test("in half of the calls, where the other half failed; past thoughts, and in the arguments of a tool", () => {
    const failed = { kind: "failed", message: "overloaded" } as const;
    const half = calls(900, (n) => (n % 2 ? failed : `<think>good or bad?</think>\n${n % 4 ? "good" : "Label: bad"}`));
    const labels = [{ value: "bad", calls: 225 }, { value: "good" }];
    expect(findDecisions(half)).toMatchObject({ decisions: [{ fields: [{ name: "", labels }] }], others: [] });
    expect(findDecisions(half.slice(0, 700))).toMatchObject({
      others: [{ why: "fewer than 400 calls with an answer: 350 failed" }],
    });
    const filed = calls(500, (n) => ({ kind: "text", text: "Filing.", tool: `{"mood":"${n % 2 ? "good" : "bad"}"}` }));
    expect(findDecisions(filed).decisions[0]?.fields.map(({ name }) => name)).toEqual(["mood"]);
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

  test("is what the log says that was paid, unless the user gives a price; what failed cost nothing", () => {
    const failed = { kind: "failed", message: "overloaded" } as const;
    const none = { inputTokens: 0, outputTokens: 0 };
    const paid = [
      ...calls(1, () => "yes", { model: "my-own-model", costUsd: 0.004 }),
      ...calls(1, () => failed, { model: undefined, usage: none }),
    ];
    expect(moneyOf(paid)).toMatchObject({ perCallUsd: 0.002, isEstimated: false });
    expect(moneyOf(paid, { inputPerMillionUsd: 1, outputPerMillionUsd: 1 })?.perCallUsd).toBeCloseTo(55 / 1e6, 12);
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
  async function log(count: number, prompt = "Which mood?", besides: (n: number) => object = () => ({})) {
    const rng = createRng("scan");
    const pick = <T>(list: readonly T[]): T => list[Math.floor(rng.next() * list.length)]!;
    const lines = Array.from({ length: count }, (_, n) => {
      const mood = pick(moods);
      const word = n % 10 === 0 ? "unclear" : pick(words[mood]);
      const created = 1_700_000_000 + Math.round((n * 30 * 86_400) / count);
      const response = {
        created,
        model: "gpt-4o",
        choices: [
          { message: { role: "assistant", content: JSON.stringify({ mood, ...besides(n) }) }, finish_reason: "stop" },
        ],
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
    // Of one field the whole call is the field: the policy's own count says the same.
    expect(decision!.whole.map(({ coverage }) => coverage)).toEqual(
      decision!.fields[0]!.levels.map(({ coverage }) => coverage),
    );
    // A tenth cannot be told, and a third of that is right by chance: 93 % agree, 90 % can be told.
    expect(decision!.fields[0]!.agreement.value).toBeGreaterThan(0.88);
    const five = result.levels.find(({ risk }) => risk === 0.05)!;
    expect(five.answered.value).toBeGreaterThan(0.85);
    const coverages = result.levels.map(({ answered }) => answered.value);
    expect(coverages).toEqual(coverages.toSorted((a, b) => a - b));
    for (const { risk, bound } of decision!.fields[0]!.levels)
      if (bound !== undefined) expect(bound).toBeLessThanOrEqual(risk);
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

  test("of calls with several answers looks at each, and counts a call where all of them are sure", async () => {
    // Even days are told by the text; whether the case is lucky nobody can know for every other one.
    const path = await log(1_200, "Which mood?", (n) => ({
      even: (n % 7) % 2 === 0,
      lucky: n % 2 === 0 ? n % 7 < 3 : ["yes", "no"][Math.floor(n * 0.618_034 * 64) % 2],
      note: `case ${n}`,
    }));
    const result = await scan(path);
    const [decision] = result.decisions;
    expect(decision?.fields.map(({ name }) => name)).toEqual(["mood", "even", "lucky"]);
    expect(decision?.rest).toMatchObject([{ name: "note" }]);
    for (const [nth, { risk, coverage }] of decision!.whole.entries()) {
      const own = decision!.fields.map(({ levels }) => levels[nth]!);
      expect(own.every((level) => level.risk === risk)).toBe(true);
      const each = own.map((level) => level.coverage.value);
      expect(coverage.value).toBeLessThanOrEqual(Math.min(...each));
      // What all answer is no less than what is left when each takes its unsure calls away.
      expect(coverage.value).toBeGreaterThanOrEqual(1 - each.reduce((sum, value) => sum + 1 - value, 0) - 0.01);
      expect(result.levels[nth]!.answered.value).toBeCloseTo(coverage.value, 12);
    }
    const page = renderScan(result);
    for (const name of ["mood", "even", "lucky"]) expect(page).toContain(`<h3>${name}</h3>`);
    expect(page).toContain("all of them at once");
    expect(page).toContain("note (free answers");
    const ids = [...page.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const chosen = await scan(path, { fields: ["even"] });
    expect(chosen.decisions[0]?.fields.map(({ name }) => name)).toEqual(["even"]);
    expect(chosen.levels.at(-1)!.answered.value).toBeGreaterThan(result.levels.at(-1)!.answered.value);
  }, 60_000);

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
