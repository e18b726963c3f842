import { expect, test } from "vitest";
import { withOutlines } from "./outlines.ts";

const drawing = (text: string, attributes = "") =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="50" style="font-size: 20px;"><g text-anchor="end" fill="#123456"><text x="100" y="0.5em" ${attributes}>${text}</text></g></svg>`;

/** Every x of the first path. */
function extent(svg: string): { readonly left: number; readonly right: number } {
  const d = / d="([^"]*)"/.exec(svg)?.[1] ?? "";
  const xs = [...d.matchAll(/[ML](-?[\d.]+) /g)].map(([, x]) => Number(x));
  return { left: Math.min(...xs), right: Math.max(...xs) };
}

test("text becomes a path that needs no font, in its place and colour", () => {
  const svg = withOutlines(drawing("71.3\u202f%", 'transform="rotate(-90)"'));
  expect(svg).not.toContain("<text");
  expect(svg).toContain('transform="rotate(-90)"');
  const { left, right } = extent(svg);
  expect(right).toBeLessThanOrEqual(100);
  expect(right).toBeGreaterThan(95);
  expect(right - left).toBeGreaterThan(40);
  expect(right - left).toBeLessThan(70);
});

test("text is anchored by its own width", () => {
  const { left, right } = extent(withOutlines(drawing("mmmm", 'text-anchor="middle"')));
  expect((left + right) / 2).toBeCloseTo(100, 0);
});

test("Greek and Cyrillic are outlines too; a script that the font lacks stays text for the system to draw", () => {
  expect(withOutlines(drawing("κ τ груша"))).not.toContain("<text");
  expect(withOutlines(drawing("りんご"))).toContain("<text");
});
