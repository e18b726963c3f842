/** The wheel as a new user turns it: the real command in processes of its own, a simulated teacher over HTTP. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeFruitPhotos } from "../src/demo/write-fruit-photos.ts";

const main = resolve("src/cli/main.ts");

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

function flywheel(...words: readonly string[]): Promise<Ran> {
  return new Promise((done) => {
    execFile(process.execPath, [main, ...words], (error, stdout, stderr) => {
      done({ code: typeof error?.code === "number" ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}

/** Starts a command that runs until it is stopped, and reads the address that it prints. */
async function background(...words: readonly string[]): Promise<{ url: string; process: ChildProcess }> {
  const child = spawn(process.execPath, [main, "--json", ...words], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return { url: JSON.parse(line).url, process: child };
}

async function stop(child: ChildProcess): Promise<number | null> {
  const exit = once(child, "exit");
  child.kill("SIGINT");
  const [code] = await exit;
  return code;
}

let workspace: string;
let teacher: Awaited<ReturnType<typeof background>>;

beforeAll(async () => {
  workspace = await mkdtemp(join(tmpdir(), "flywheel-cli-"));
  await writeFruitPhotos({ directory: workspace, count: 60, seed: 1, side: 32 });
  await writeFile(join(workspace, "photos", "broken.jpg"), "this is no image");
  teacher = await background(
    "simulate-teacher",
    "--gold",
    join(workspace, "gold.csv"),
    "--port",
    "0",
    "--latency",
    "1",
  );
  const task = {
    name: "fruit",
    input: "image",
    instructions: "Which fruit?",
    output: { kind: "choice", choices: ["apple", "mushroom", "orange", "pear", "sweet_pepper"] },
    teacher: {
      model: "compatible/simulated",
      baseUrl: teacher.url,
      price: { inputPerMillionUsd: 1, outputPerMillionUsd: 1 },
    },
    student: { imageSize: 32, epochs: 1 },
  };
  await writeFile(join(workspace, "flywheel.config.json"), JSON.stringify(task));
});

afterAll(async () => {
  await stop(teacher.process);
});

const inWorkspace = (...words: readonly string[]) => flywheel("--dir", workspace, ...words);

async function json(...words: readonly string[]) {
  const { code, stdout, stderr } = await inWorkspace("--json", ...words);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trim().split("\n")).toHaveLength(1);
  return JSON.parse(stdout);
}

describe("the wheel, command by command", () => {
  test("ingest lists what it cannot read, and takes the rest", async () => {
    const summary = await json("ingest", join(workspace, "photos"), "--gold", join(workspace, "gold.csv"));
    expect(summary).toMatchObject({ files: 61, added: 60, rejected: 1 });
    expect(summary.rejections[0].source).toContain("broken.jpg");
    expect(await json("ingest", join(workspace, "photos"))).toMatchObject({ added: 0, unchanged: 60 });
  });

  test("plan says what labelling costs and spends nothing", async () => {
    expect((await json("plan")).costUsd.high).toBeGreaterThan(0);
    expect((await json("status")).spend.spentUsd).toBe(0);
  });

  test("label asks twice, and asks nothing again when run again", async () => {
    const first = await json("label");
    expect(first.labels.total).toBe(60);
    expect(first.simulated).toBe(true);
    const again = await json("label");
    expect(again.answers.reduce((sum: number, count: number) => sum + count, 0)).toBe(0);
    expect(again.spentUsd).toBe(first.spentUsd);
  });

  test("rulings go out and come back, and importing twice changes nothing", async () => {
    const path = join(workspace, "review.csv");
    await json("review", "export", path, "--limit", "10");
    const lines: Record<string, string>[] = parse(await readFile(path), { columns: true, bom: true });
    const ruled = lines.map((line) => ({ ...line, label: "pear" }));
    const unknown = { ...ruled[0], row: "f".repeat(64), file: "nowhere.jpg" };
    await writeFile(path, stringify([...ruled, unknown], { header: true }));
    const imported = await json("review", "import", path, "--person", "ada");
    expect(imported).toMatchObject({ recorded: lines.length });
    expect(imported.problems).toHaveLength(1);
    expect(await json("review", "import", path, "--person", "ada")).toMatchObject({ recorded: 0 });
  });

  test("train says why sixty photos certify nothing, and what would", async () => {
    const { policy, promoted } = await json("train");
    expect(promoted).toBe(false);
    expect(policy.noCertificate.reason).toBeTruthy();
  });

  test("report writes one page, its charts and a summary", async () => {
    const { htmlPath, summaryPath, pngPaths } = await json("report");
    expect(await readFile(htmlPath, "utf8")).toMatch(/simulated/i);
    expect(JSON.parse(await readFile(summaryPath, "utf8"))).toMatchObject({ task: "fruit", simulatedTeacher: true });
    expect(pngPaths.every(existsSync)).toBe(true);
  });

  test("serve escalates what nothing certified may answer, and stops when asked", async () => {
    const server = await background("--dir", workspace, "serve", "--port", "0");
    const image_url = `data:image/jpeg;base64,${(await readFile(join(workspace, "photos/00000.jpg"))).toString("base64")}`;
    const response = await fetch(`${server.url}/v1/decisions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: "fruit",
        input: [{ role: "user", content: [{ type: "input_image", image_url }] }],
        questions: [
          {
            type: "choice",
            instructions: "Which fruit?",
            choices: ["apple", "mushroom", "orange", "pear", "sweet_pepper"].map((value) => ({ value })),
          },
        ],
      }),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-flywheel-route")).toBe("escalated");
    expect(await stop(server.process)).toBe(0);
    expect((await json("status")).decisions).toEqual({ total: 1, escalated: 1, sinceLastRound: 1 });
  });

  test("improve turns the wheel, and export takes the model out", async () => {
    expect(await json("improve", "--force")).toMatchObject({ kind: "done" });
    const { directory, files } = await json("export", join(workspace, "exported"));
    for (const file of files) expect(existsSync(join(directory, file)), file).toBe(true);
  });

  test("doctor finds nothing wrong", async () => {
    expect(await json("doctor")).toMatchObject({ ok: true });
  });
});

describe("exit codes and errors", () => {
  test.each([
    [["frobnicate"], 2],
    [["review", "export", "x.csv", "--format", "yaml"], 2],
    [["--help"], 0],
    [["--version"], 0],
  ])("%j exits with %i", async (words, code) => {
    expect((await flywheel(...words)).code).toBe(code);
  });

  test.each([
    ["label --limit", ["0", "-1", "x", "", "1.5", "1e3"], "a whole number of 1 or more"],
    ["review export x.csv --limit", ["0"], "a whole number of 1 or more"],
    ["scan x.jsonl --per-month", ["0"], "a whole number of 1 or more"],
    ["scan x.jsonl --price", ["2.5", "2.5,", "-1,2"], "two numbers of 0 or more"],
    ["serve --port", ["many", "65536"], "a whole number from 0 to 65535"],
    ["simulate-teacher --gold x.csv --port", ["-1"], "a whole number from 0 to 65535"],
    ["simulate-teacher --gold x.csv --latency", ["-1"], "a whole number of 0 or more"],
    ["simulate-teacher --gold x.csv --rate-limit", ["0"], "a whole number of 1 or more"],
    ["simulate-teacher --gold x.csv --hang", ["2", ""], "[0, 1]"],
  ])(
    "%s refuses what is out of its range, and names the range",
    async (option, values, range) => {
      for (const value of values) {
        const { code, stderr } = await flywheel(...option.split(" "), value);
        expect(code).toBe(2);
        expect(stderr).toContain(range);
        expect(stderr).toContain(`got "${value}"`);
      }
    },
    20_000,
  );

  test("a failure says what, and how to mend it; under --json as one JSON value", async () => {
    const empty = await mkdtemp(join(tmpdir(), "flywheel-cli-empty-"));
    const { code, stdout, stderr } = await flywheel("--dir", empty, "--json", "status");
    expect(code).toBe(1);
    expect(JSON.parse(stdout).error).toMatchObject({ code: "config_missing", hint: expect.stringContaining("init") });
    expect(stderr).toContain("flywheel init");
  });

  test("a file that is not there is not called a bug", async () => {
    const { code, stdout } = await inWorkspace("--json", "review", "import", "nowhere.csv");
    expect([code, JSON.parse(stdout).error.code]).toEqual([1, "system_refused"]);
  });

  test("a rehearsal on a port that is taken says so", async () => {
    const { port } = new URL(teacher.url);
    const { code, stdout } = await flywheel(
      "--json",
      "simulate-teacher",
      "--gold",
      join(workspace, "gold.csv"),
      "--port",
      port,
    );
    expect([code, JSON.parse(stdout).error.code]).toEqual([1, "port_in_use"]);
  });

  test("rollback without an earlier champion is an error, not a change", async () => {
    const { code, stdout } = await inWorkspace("--json", "rollback");
    expect([code, JSON.parse(stdout).error.code]).toEqual([1, "nothing_to_roll_back"]);
  });

  test("an ingest of nothing says so", async () => {
    const empty = await mkdtemp(join(tmpdir(), "flywheel-cli-empty-"));
    const { code, stdout } = await inWorkspace("--json", "ingest", empty);
    expect([code, JSON.parse(stdout).error.code]).toEqual([1, "ingest_nothing_found"]);
  });
});
