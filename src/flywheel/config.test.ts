import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadTask } from "./config.ts";
import { placeOf } from "./config-place.ts";
import { configTemplate } from "./config-template.ts";
import { initWorkspace } from "./init.ts";

const workspace = () => mkdtemp(join(tmpdir(), "flywheel-config-"));
const definition = {
  name: "fruit",
  input: "image",
  instructions: "Which?",
  output: { kind: "choice", choices: ["apple", "pear"] },
  teacher: { model: "google/gemini-2.5-flash" },
};

test.each([
  [{}, { name: "fruit", input: "image" }],
  [{ input: "text" }, { name: "tickets", input: "text" }],
  [{ input: "record" }, { name: "orders", input: "record" }],
] as const)("what init writes for %o loads", async (options, task) => {
  const directory = await workspace();
  await initWorkspace(directory, options);
  expect(await loadTask(directory)).toMatchObject(task);
});

test.each(["image", "text", "record"] as const)(
  "so does each line that it suggests for %s in a comment",
  async (input) => {
    const written = configTemplate(input);
    const comments = [...written.matchAll(/\/\/ (?=\w+: [{"])/g)];
    expect(comments.length).toBeGreaterThan(3);
    for (const { 0: slashes, index } of comments) {
      const directory = await workspace();
      const config = written.slice(0, index) + written.slice(index + slashes.length);
      await writeFile(join(directory, "flywheel.config.ts"), config);
      expect((await loadTask(directory)).input).toBe(input);
    }
  },
);

test.each(["flywheel.config.ts", "flywheel.config.mjs", "flywheel.config.json"])(
  "init writes nothing over or beside %s",
  async (name) => {
    const directory = await workspace();
    await writeFile(join(directory, name), "{}");
    const message = `${join(directory, name)} exists already`;
    await expect(initWorkspace(directory)).rejects.toMatchObject({ code: "config_exists", message });
    expect(await readdir(directory)).toEqual([name]);
  },
);

test("flywheel.config.json works wherever flywheel.config.ts does", async () => {
  const directory = await workspace();
  await writeFile(join(directory, "flywheel.config.json"), JSON.stringify(definition));
  expect((await loadTask(directory)).target.risk).toBe(0.03);
});

test.each([
  ["config_missing", {}],
  ["config_unreadable", { "flywheel.config.json": "{ name:" }],
  ["config_unreadable", { "flywheel.config.ts": "export const task = 1;" }],
  ["config_unreadable", { "flywheel.config.ts": "export default (" }],
  ["invalid_task", { "flywheel.config.json": "{}" }],
  ["config_ambiguous", { "flywheel.config.json": "{}", "flywheel.config.ts": "export default {}" }],
])("a workspace that has %s says so", async (code, files) => {
  const directory = await workspace();
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
  await expect(loadTask(directory)).rejects.toMatchObject({ code, hint: expect.any(String) });
});

test("no hint sends anybody to a config of a name that theirs may not have", async () => {
  const rows = (await readFile("docs/errors.md", "utf8")).split("\n");
  expect(rows.filter((row) => row.includes("flywheel.config"))).toEqual([expect.stringContaining("config_missing")]);
});

test.each([
  ["flywheel.config.json", '{\n  "name": "x",\n  "input" "text"\n}', "3:11"],
  ["flywheel.config.json", '{\n  "name": tru,\n  "input": "text"\n}', "2:14"],
  ["flywheel.config.json", '{\n  "name": "x",\n}', "3:1"],
  ["flywheel.config.json", '{\n  "name": "x"\n', "3:1"],
  ["flywheel.config.ts", 'export default {\n  name: "x",\n  input: "text"\n  output: 3,\n};\n', "4:3"],
  ["flywheel.config.ts", "const x: number = 3;\nexport default { a: y.z };\n", "2:21"],
])("%s that does not parse is named with line and column: %j", async (name, content, place) => {
  const directory = await workspace();
  await writeFile(join(directory, name), content);
  const error = await loadTask(directory).then(
    () => expect.unreachable("it should not load"),
    (thrown) => thrown,
  );
  expect(error.code).toBe("config_unreadable");
  expect(error.message).toContain(`${join(directory, name)}:${place}: `);
});

test("of a script whose loader names no place, the parser of TypeScript does", () => {
  const source = 'export default {\n  name: "x",\n  input: "text"\n  output: 3,\n};\n';
  const thrown = new SyntaxError("Unexpected identifier 'output'");
  expect(placeOf(thrown, "flywheel.config.mjs", source)).toEqual({ line: 4, column: 3 });
});
