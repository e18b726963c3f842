/**
 * @file A row or two in a thousand are threats, and none of the words say which: always saying "fine" keeps the target. That must be
 * said before money is spent, and at every step after, in the same words.
 */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type { CommandContext } from "../src/cli/command.ts";
import { runIngest } from "../src/cli/commands/ingest.ts";
import { runPlan } from "../src/cli/commands/label.ts";
import { runStatus } from "../src/cli/commands/status.ts";
import { runTrain } from "../src/cli/commands/train.ts";
import { systemClock } from "../src/clock.ts";
import { openFlywheel } from "../src/flywheel/open.ts";
import { ONE_ANSWER } from "../src/one-answer.ts";
import { loadGoldFile } from "../src/simulate/gold-file.ts";
import { startSimulatedTeacher } from "../src/simulate/teacher-server.ts";
import { defineTask, type Task, type TaskDefinition } from "../src/task.ts";

const ROWS = 2_000;

const taskFor = (baseUrl: string, changes: Partial<TaskDefinition> = {}): Task =>
  defineTask({
    name: "letters",
    input: "text",
    instructions: "Is this a threat?",
    output: { kind: "choice", choices: ["fine", "threat"] },
    columns: { gold: "label" },
    target: { kind: "regret", risk: 0.03 },
    student: { trainer: "linear-text", text: { c: [10] } },
    audit: { uniformRate: 0, rate: 0 },
    teacher: {
      model: "compatible/simulated",
      baseUrl,
      passes: 1,
      price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
    },
    ...changes,
  });

/** Two of these train, by their hashes, and one certifies. */
const threats: ReadonlySet<number> = new Set([8, 1_008, 9]);
const letters = (withGold: boolean, rows = ROWS): string =>
  [
    withGold ? "text,label" : "text",
    ...Array.from({ length: rows }, (_, row) => {
      const text = `letter ${row} about matter ${(row * 7919) % 97}`;
      return withGold ? `${text},${threats.has(row) ? "threat" : "fine"}` : text;
    }),
  ].join("\n");

const context: CommandContext = {
  dir: ".",
  json: false,
  seed: "0",
  clock: systemClock,
  signal: new AbortController().signal,
  progress: () => undefined,
  env: {},
  say: () => undefined,
};

const said = `warning: always saying "fine" would keep the target`;

async function folder(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "flywheel-rare-class-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  return root;
}

test("with gold labels it is the first thing that ingest, plan, train and status say, and at the top of the report", async () => {
  const root = await folder();
  const path = join(root, "letters.csv");
  await writeFile(path, letters(true));
  const { gold, classes } = await loadGoldFile(path, { task: taskFor("http://127.0.0.1:1/v1") });
  await using teacher = await startSimulatedTeacher({ gold, classes });
  await using flywheel = await openFlywheel({ directory: root, task: taskFor(teacher.url), env: {} });
  vi.spyOn(process, "emitWarning").mockReturnValue();

  for (const { text } of [await runIngest(flywheel, context, { path }), await runPlan(flywheel)]) {
    expect(text[0]).toContain(`${said}: 3 of ${ROWS} labels are another ("threat" 3)`);
    expect(text[0]).toContain('set target.recall: { "threat": 0.95 }, target.never');
    expect(text[0]).toContain(`[${ONE_ANSWER}]`);
  }
  expect((await runStatus(flywheel)).text[0]).toContain(said);
  await flywheel.label();
  const trained = (await runTrain(flywheel, context)).text;
  expect(trained[0]).toContain(said);
  expect(trained.filter((line) => line.includes(ONE_ANSWER))).toHaveLength(1);
  expect((await runStatus(flywheel)).text.filter((line) => line.includes(ONE_ANSWER))).toHaveLength(1);
  const html = await readFile((await flywheel.report()).htmlPath, "utf8");
  expect(html.indexOf(ONE_ANSWER)).toBeGreaterThan(0);
  expect(html.indexOf(ONE_ANSWER)).toBeLessThan(html.indexOf('class="keys"'));
}, 120_000);

test("without gold it is said after the first pass; a task that asks for the recall hears nothing of it", async () => {
  const root = await folder();
  const [path, goldPath] = [join(root, "letters.csv"), join(root, "gold.csv")];
  await writeFile(path, letters(false, 300));
  await writeFile(goldPath, letters(true, 300));
  const { gold, classes } = await loadGoldFile(goldPath, { task: taskFor("http://127.0.0.1:1/v1") });
  await using teacher = await startSimulatedTeacher({ gold, classes });
  const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
  const target = { kind: "regret", risk: 0.03, recall: { threat: 0.95 } } as const;
  for (const [name, changes] of Object.entries({ plain: {}, asking: { target } })) {
    warn.mockClear();
    const task = taskFor(teacher.url, { ...changes, columns: {} });
    await using flywheel = await openFlywheel({ directory: join(root, name), task, env: {} });
    expect((await flywheel.ingest({ path })).warnings).toEqual([]);
    await flywheel.label();
    const calls = warn.mock.calls.filter(([, options]) => JSON.stringify(options ?? {}).includes(ONE_ANSWER));
    expect(calls).toHaveLength(name === "plain" ? 1 : 0);
    expect((await flywheel.status()).warnings).toHaveLength(name === "plain" ? 1 : 0);
  }
}, 120_000);
