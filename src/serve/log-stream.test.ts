import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const stream = fileURLToPath(new URL("./log-stream.ts", import.meta.url));

/** What a program of these lines writes to standard error. */
function said(...lines: readonly string[]) {
  const program = [
    `import { createLogStream } from ${JSON.stringify(stream)};`,
    "const log = createLogStream(2);",
    ...lines,
  ];
  return spawnSync(process.execPath, ["--input-type=module", "-e", program.join("\n")], { encoding: "utf8" }).stderr;
}

test("every line comes out, in order, those of the last turn and those before a crash as well", () => {
  const many = 'for (let n = 0; n < 20_000; n++) log.write(n + "\\n");';
  const all = Array.from({ length: 20_000 }, (_, n) => `${n}\n`).join("");
  expect(said(many)).toBe(all);
  expect(said(many, "process.exit(0);")).toBe(all);
  expect(
    said('log.write("first\\n");', 'setImmediate(() => setImmediate(() => { log.write("é\\n"); throw "over"; }));'),
  ).toMatch(/^first\n.*é\n/s);
});
