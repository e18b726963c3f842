import { describe, expect, test } from "vitest";
import { breachOf, patternsIn, patternsOfSource } from "../scripts/pattern-law.ts";

const breachesIn = async (code: string) =>
  (await Promise.all(patternsIn("a.ts", code).map(breachOf))).map((breach) => breach?.split(",")[0]);

describe("the pattern law", () => {
  test("finds what backtracks polynomially", async () => {
    expect(await breachesIn(String.raw`text.match(/^[A-Za-z0-9+/\s]*={0,2}\s*$/)`)).toEqual([
      "backtracks (2nd degree polynomial)",
    ]);
    // Where the search may begin anywhere, a run that ends wrongly is walked from each of its places.
    expect(await breachesIn(String.raw`text.replace(/\/+$/, "")`)).toEqual(["backtracks (2nd degree polynomial)"]);
    expect(await breachesIn(String.raw`/^\s*\`\`\`(?:json)?\s*([\s\S]*?)\`\`\`\s*$/.exec(text)`)).toEqual([
      "backtracks (2nd degree polynomial)",
    ]);
  });

  test("lets pass what is linear, and counts at once", async () => {
    expect(await breachesIn(String.raw`[/^\d+(?:\.\d+)?$/, /[^A-Za-z0-9+/\s]/, /^[0-9a-f]{64}$/]`)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("refuses a pattern that is put together at run time", async () => {
    const found = "is put together at run time: write it out";
    expect(await breachesIn("new RegExp(given); RegExp('^' + given, 'u')")).toEqual([found, found]);
  });

  test("holds for every pattern of the source", { timeout: 240_000 }, async () => {
    const patterns = patternsOfSource();
    expect(patterns.length).toBeGreaterThan(100);
    const breaches: string[] = [];
    for (const pattern of patterns) {
      const breach = await breachOf(pattern);
      if (breach !== undefined) breaches.push(`${pattern.path}:${pattern.line} ${breach}`);
    }
    expect(breaches).toEqual([]);
  });
});
