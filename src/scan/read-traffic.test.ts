import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readTraffic } from "./read-traffic.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "flywheel-traffic-"));
});
afterEach(() => rm(directory, { recursive: true }));

const lines = (records: readonly unknown[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join("");

test("what a batch asked is in the file that it was made from", async () => {
  const [output, requestsPath] = [join(directory, "output.jsonl"), join(directory, "input.jsonl")];
  const ids = ["a", "b", "c"];
  const messages = (id: string) => [
    { role: "system", content: "Good or bad?" },
    { role: "user", content: `item ${id}` },
  ];
  const answer = { choices: [{ message: { role: "assistant", content: "good" }, finish_reason: "stop" }] };
  await writeFile(output, lines(ids.map((id) => ({ custom_id: id, response: { status_code: 200, body: answer } }))));
  const asked = ids.slice(1).map((id) => ({ custom_id: id, body: { model: "m", messages: messages(id) } }));
  await writeFile(requestsPath, lines(asked));
  await expect(readTraffic({ path: output })).rejects.toMatchObject({ code: "log_requests_missing" });
  const traffic = await readTraffic({ path: output, requestsPath });
  expect(traffic).toMatchObject({ format: "openai-batch", total: 2, unread: 1 });
  expect(traffic.calls.map(({ prompt, input, answer: given }) => [prompt, input, given])).toEqual([
    ["Good or bad?", "item b", { kind: "text", text: "good" }],
    ["Good or bad?", "item c", { kind: "text", text: "good" }],
  ]);
});
