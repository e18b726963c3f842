/** @file The whole wheel on records, through the library: a table in, labels from a teacher, trees, a served decision. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { describe, expect, onTestFinished, test } from "vitest";
import { openFlywheel } from "../src/flywheel/open.ts";
import { createRng } from "../src/math/random.ts";
import { loadGoldFile } from "../src/simulate/gold-file.ts";
import { startSimulatedTeacher } from "../src/simulate/teacher-server.ts";
import { defineTask, type Task } from "../src/task.ts";
import { library, needsLibrary } from "../src/xgboost/testing.ts";

const columns = { id: "nr", gold: "left", features: { age: "number", plan: "category", calls: "number" } } as const;

const taskFor = (baseUrl: string): Task =>
  defineTask({
    name: "churn",
    input: "record",
    instructions: "Will they leave?",
    output: { kind: "predicate" },
    columns,
    target: { kind: "regret", risk: 0.1 },
    student: { trainer: "xgboost", xgboost: { num_boost_round: 30 }, committee: "folds" },
    audit: { uniformRate: 0, rate: 0 },
    teacher: {
      model: "compatible/simulated",
      baseUrl,
      passes: 1,
      price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
    },
  });

/** Whoever calls often leaves, the basic plan sooner; near the border nobody knows. */
function customers(count: number): string {
  const rng = createRng("customers");
  const lines = Array.from({ length: count }, (_, nr) => {
    const [age, calls, plan] = [20 + rng.integer(60), rng.integer(1_000) / 100, rng.next() < 0.5 ? "basic" : "gold"];
    const score = calls - (plan === "gold" ? 7 : 4) + 0.4 * rng.normal();
    return `${nr},${rng.next() < 0.1 ? "" : age},${plan},${calls},${score > 0 ? "yes" : "no"}`;
  });
  return `nr,age,plan,calls,left\n${lines.join("\n")}\n`;
}

describe.skipIf(!library)(`records${needsLibrary}`, () => {
  test("from a table to a served decision", async () => {
    const root = await mkdtemp(join(tmpdir(), "flywheel-record-wheel-"));
    onTestFinished(() => rm(root, { recursive: true, force: true }));
    const path = join(root, "customers.csv");
    await writeFile(path, customers(1_200));
    const { gold, classes } = await loadGoldFile(path, { task: taskFor("http://127.0.0.1:1/v1") });
    await using teacher = await startSimulatedTeacher({ gold, classes });
    await using flywheel = await openFlywheel({ directory: root, task: taskFor(teacher.url), env: {} });

    const { columns: seen, files } = await flywheel.ingest({ path });
    expect(files).toBe(1_200);
    expect(seen?.map(({ role }) => role)).toEqual(["id", "feature", "feature", "feature", "gold"]);
    await flywheel.label();
    const review = join(root, "review.csv");
    await flywheel.exportReview({ path: review, format: "csv", limit: 5 });
    expect(await readFile(review, "utf8")).toMatch(/plan: (?:basic|gold) · calls: \d/);
    const { promoted, policy } = await flywheel.train();
    expect(promoted).toBe(true);
    expect(policy.coverage.value).toBeGreaterThan(0.6);
    expect(policy.committeeTrial).toMatchObject({ kind: "folds", size: 5, comparison: { p: expect.any(Number) } });
    expect(await readFile((await flywheel.report()).htmlPath, "utf8")).toContain("plan: ");

    await using server = await flywheel.serve({ port: 0 });
    const client = new OpenAI({ apiKey: "none", baseURL: `${server.url}/v1`, maxRetries: 0 });
    const ask = (data: Record<string, unknown>) =>
      client.decisions
        .create({
          model: "churn",
          input: [{ role: "user", content: [{ type: "input_json", data }] }],
          questions: [{ type: "predicate", instructions: "" }],
        })
        .withResponse();
    const { data, response } = await ask({ plan: "basic", calls: 9, left: "no" });
    expect(response.headers.get("x-flywheel-route")).toBe("answered");
    expect(data.answers[0]).toMatchObject({ type: "predicate", probability: expect.closeTo(1, 0) });
    await expect(ask({ plan: "basic", calls: 9, tenure: 3 })).rejects.toMatchObject({ code: "unknown_feature" });
    await expect(ask({ plan: "basic", calls: "nine" })).rejects.toMatchObject({ code: "value_not_a_number" });
  }, 60_000);
});
