import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { runStatus } from "../src/cli/commands/status.ts";
import { openFlywheel } from "../src/flywheel/open.ts";
import { collectTraffic } from "../src/report/collect-traffic.ts";
import { photo } from "../src/serve/testing/colour-student.ts";
import { fruitPhotoTask } from "../src/serve/testing/task.ts";
import { clientOf, decide, goldPhoto, openServeWorld, startTestServer } from "../src/serve/testing/world.ts";

async function openSpent() {
  const lines: { readonly level: number; readonly msg: string }[] = [];
  const sink = new Writable({
    write(chunk, _, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const world = await openServeWorld({ task: { budgetUsd: 0.0001, whenTeacherDown: "answer-flagged" } });
  const { task, store, teacher } = world;
  const server = await startTestServer({ task, store, teacher, log: pino({ level: "warn" }, sink) });
  return { ...world, server, client: clientOf(server), lines };
}

test("a spent budget is said in the log, once, in metrics, /readyz, status and the report", async () => {
  const { server, client, lines, store, ...world } = await openSpent();
  const read = async (path: string): Promise<string> => await (await fetch(`${server.url}${path}`)).text();
  expect(JSON.parse(await read("/readyz"))).toMatchObject({ budget: "ok" });
  for (let nth = 0; nth < 3; nth++) {
    const { headers } = await decide(client, await goldPhoto(world, ["pear", 0.6, nth]));
    expect(headers.get("x-flywheel-route")).toBe("degraded");
  }
  await decide(client, await photo("pear", 0.95));

  expect(lines.filter(({ msg }) => msg.includes("the budget is spent"))).toMatchObject([
    { level: 40, budgetUsd: 0.0001 },
  ]);
  expect(JSON.parse(await read("/readyz"))).toMatchObject({ status: "ready", budget: "spent" });
  const metrics = await read("/metrics");
  expect(metrics).toContain('flywheel_budget_exhausted_requests_total{task="fruit"} 3');
  expect(metrics).toContain('flywheel_budget_remaining_usd{task="fruit"} 0.0001');
  expect((await collectTraffic(store)).section).toMatchObject({ overBudget: { value: 0.75, n: 4 } });
});

test("status names the budget, the share of requests that it touched, and what to do", async () => {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-budget-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const task = fruitPhotoTask("http://127.0.0.1:1/v1", { budgetUsd: 0.0001 });
  await using flywheel = await openFlywheel({ directory, task });
  const { client, ...world } = await openServeWorld({ store: flywheel.store, task: { budgetUsd: 0.0001 } });
  for (let nth = 0; nth < 3; nth++) await decide(client, await goldPhoto(world, ["pear", 0.6, nth]));
  await decide(client, await photo("pear", 0.95));
  const { text, json } = await runStatus(flywheel);
  expect(json).toMatchObject({ spend: { isBudgetSpent: true, overBudget: { requests: 3, share: 0.75 } } });
  expect(json).toMatchObject({ next: { command: expect.stringContaining("raise budgetUsd") } });
  expect(text.find((line) => line.startsWith("budget"))).toMatch(/SPENT.*3 requests \(75/);
});
