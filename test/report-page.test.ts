/** @file The report in a browser: it fetches nothing, complains of nothing, runs nobody's script and fits a telephone. */

import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collectReport } from "../src/report/collect.ts";
import { renderPage } from "../src/report/page/page.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import type { Task } from "../src/task.ts";
import { type FixtureOptions, fillWorkspace, fruitTask, START } from "./support/report-fixture.ts";

const executablePath = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";
const args = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const hostile = [
  `<script>document.title="run"</script>`,
  `"><img src=x onerror='document.title="run"'>`,
  `</title></svg>`,
  "w".repeat(200),
  "pear",
];
const pages: Readonly<Record<string, Partial<FixtureOptions> & { readonly task: Task }>> = {
  turned: { task: fruitTask() },
  ingested: { task: fruitTask(), until: "ingested" },
  uncertified: { task: fruitTask(), until: "certified", certified: false },
  "of many classes": { task: fruitTask(Array.from({ length: 40 }, (_, index) => `a rather long class name ${index}`)) },
  hostile: { task: { ...fruitTask(hostile), instructions: `</dd><script>document.title="run"</script>` } },
};
const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, isMobile: true, deviceScaleFactor: 2 };
const views: Readonly<Record<string, BrowserContextOptions>> = {
  phone,
  desktop: { viewport: { width: 1280, height: 900 } },
  "dark desktop": { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
};

// Debian's package; there is no download in its place.
describe.skipIf(!existsSync(executablePath))(`in Chromium (skipped where ${executablePath} is absent)`, () => {
  let browser: Browser;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "flywheel-page-"));
    browser = await chromium.launch({ executablePath, args });
    for (const [name, options] of Object.entries(pages)) await writePage(join(directory, `${name}.html`), options);
  });
  afterAll(async () => {
    await browser.close();
    await rm(directory, { recursive: true });
  });

  /** Opens a page and gathers everything that it complains of or asks for. */
  async function open(
    name: string,
    context: BrowserContextOptions,
  ): Promise<{ readonly page: Page; readonly noise: string[] }> {
    const page = await (await browser.newContext(context)).newPage();
    const url = pathToFileURL(join(directory, `${name}.html`)).href;
    const noise: string[] = [];
    page.on("console", (message) => noise.push(`console ${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => noise.push(`error: ${error.message}`));
    page.on("request", (request) => {
      if (request.url() !== url && !request.url().startsWith("data:")) noise.push(`request: ${request.url()}`);
    });
    await page.goto(url);
    return { page, noise };
  }

  const cases = [
    ...Object.keys(pages).map((name) => [name, "phone"] as const),
    ...["turned", "hostile"].map((name) => [name, "desktop"] as const),
    ["turned", "dark desktop"] as const,
  ];

  test.each(cases)("the page %s, on a %s, is silent, complete and no wider than the screen", async (name, view) => {
    const { page, noise } = await open(name, views[view]!);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(views[view]!.viewport!.width);
    expect(await page.getByRole("heading", { level: 2 }).count()).toBeGreaterThanOrEqual(9);
    expect(
      await page.evaluate("document.fonts.ready.then((fonts) => [...fonts].every((font) => font.status !== 'error'))"),
    ).toBe(true);
    expect(await page.title()).not.toBe("run");
    expect(noise).toEqual([]);
    await page.context().close();
  });

  test("pictures and drawings have names, tables have heads", async () => {
    const { page } = await open("turned", views["desktop"]!);
    const nameless = `[...document.querySelectorAll("img")].filter((img) => !img.alt).length
      + [...document.querySelectorAll("svg")].filter((svg) => !document.getElementById(svg.getAttribute("aria-labelledby").split(" ")[0])).length
      + [...document.querySelectorAll("table")].filter((table) => !table.caption || !table.tHead).length`;
    expect(await page.evaluate(nameless)).toBe(0);
    const ids = await page.evaluate<string[]>(`[...document.querySelectorAll("[id]")].map((element) => element.id)`);
    expect(ids).toHaveLength(new Set(ids).size);
    expect(await page.getByRole("img", { name: "Confusion matrix" }).isVisible()).toBe(true);
    await page.context().close();
  });

  test("the banner of a simulated teacher is in sight when the page opens", async () => {
    const { page } = await open("turned", phone);
    const box = await page.getByRole("note").boundingBox();
    expect(box!.y).toBe(0);
    expect(await page.getByRole("note").textContent()).toContain("Simulated teacher");
    await page.context().close();
  });

  test("a click on a head sorts the table, a second one turns it round", async () => {
    const { page } = await open("turned", views["desktop"]!);
    await page.locator("#figure-class-measures summary").click();
    const table = page.locator("#figure-class-measures table");
    const rows = async () => (await table.locator("tbody td:nth-child(2)").allTextContents()).map(Number);
    const before = await rows();
    await table.getByRole("button", { name: "Rows" }).click();
    expect(await rows()).toEqual(before.toSorted((a, b) => a - b));
    await table.getByRole("button", { name: "Rows" }).click();
    expect(await rows()).toEqual(before.toSorted((a, b) => b - a));
    expect(await table.getByRole("columnheader", { name: "Rows" }).getAttribute("aria-sort")).toBe("descending");
    await page.context().close();
  });

  test("everything can be read without any script", async () => {
    const { page, noise } = await open("turned", { ...views["desktop"]!, javaScriptEnabled: false });
    await page.locator("#figure-confusion summary").click();
    expect(await page.locator("#figure-confusion table").isVisible()).toBe(true);
    expect(noise).toEqual([]);
    await page.context().close();
  });

  test("a script that got into the page all the same would not run", async () => {
    const { page } = await open("turned", views["desktop"]!);
    await page.evaluate(
      `{ const script = document.createElement("script"); script.textContent = "document.title = 'run'"; document.body.append(script); }`,
    );
    expect(await page.title()).not.toBe("run");
    await page.context().close();
  });
});

async function writePage(
  path: string,
  { task, ...options }: Partial<FixtureOptions> & { readonly task: Task },
): Promise<void> {
  await using store = await openSqliteStore({ directory: `${path}.store` });
  await fillWorkspace(store, { seed: 3, until: "served", rows: 400, ...options, task });
  const clock = { now: () => START + 10_000_000, sleep: async () => {} };
  await writeFile(path, renderPage(await collectReport({ store, task, clock, seed: 1 })));
}
