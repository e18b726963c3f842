/** @file Checks a machine and a workspace, and says of each thing that is wrong how to mend it. Changes nothing. */

import { access, constants, statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { FlywheelError, messageOf } from "../errors.ts";
import { decodeImage } from "../image/decode.ts";
import { openTeacher } from "../label/teacher.ts";
import { createGraphBuilder } from "../onnx/builder.ts";
import { openSession } from "../onnx/session.ts";
import type { AnyTask } from "../task.ts";
import { loadXgboost } from "../xgboost/native.ts";
import { loadTask } from "./config.ts";

export type Check = { readonly name: string; readonly ok: boolean; readonly detail: string; readonly hint?: string };

const oldestNode = 24;
const leastFreeBytes = 1e9;

export async function examine(directory: string, env: NodeJS.ProcessEnv): Promise<readonly Check[]> {
  return [
    await check("Node.js", nodeVersion),
    await check("machine", async () => `${availableParallelism()} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GB`),
    await check("ONNX Runtime", onnxRuntime),
    await check("image library", imageLibrary),
    await check("workspace", () => writable(directory)),
    await check("disk", () => freeSpace(directory)),
    ...(await examineConfig(directory, env)),
  ];
}

/** The answer of a check is its detail; what it throws is what is wrong. */
async function check(name: string, examine: () => Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, detail: await examine() };
  } catch (thrown) {
    const hint = FlywheelError.isInstance(thrown) ? thrown.hint : undefined;
    return { name, ok: false, detail: messageOf(thrown), ...(hint && { hint }) };
  }
}

async function nodeVersion(): Promise<string> {
  if (Number(process.versions.node.split(".")[0]) >= oldestNode) return process.version;
  throw new FlywheelError("node_too_old", `${process.version} is older than ${oldestNode}`, {
    hint: `install Node ${oldestNode} or newer`,
  });
}

async function onnxRuntime(): Promise<string> {
  const graph = createGraphBuilder();
  const x = graph.input("x", "float32", [1]);
  graph.output("y", graph.op("Neg", [x]));
  await using session = await openSession(graph.build(), { threads: 1 });
  const { y } = await session.run({ x: { dtype: "float32", dims: [1], data: Float32Array.of(2) } });
  if (Number(y?.data[0]) === -2) return "runs";
  throw new FlywheelError("onnx_wrong", `−2 came out as ${y?.data[0]}`, { hint: "install onnxruntime-node anew" });
}

/** The smallest GIF there is: one pixel. */
const onePixel = Buffer.from("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=", "base64");

async function imageLibrary(): Promise<string> {
  const { width, height } = await decodeImage(onePixel);
  return `decodes (${width}×${height})`;
}

async function writable(directory: string): Promise<string> {
  await access(directory, constants.W_OK);
  return directory;
}

async function freeSpace(directory: string): Promise<string> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  const detail = `${(free / 1e9).toFixed(1)} GB free`;
  if (free >= leastFreeBytes) return detail;
  throw new FlywheelError("disk_nearly_full", detail, { hint: "free some space: photos and models are copied here" });
}

async function examineConfig(directory: string, env: NodeJS.ProcessEnv): Promise<readonly Check[]> {
  let task: AnyTask | undefined;
  const config = await check("config", async () => {
    task = await loadTask(directory);
    return `task "${task.name}", teacher ${task.teacher.model}`;
  });
  const loaded = task;
  if (!loaded) return [config];
  const key = await check("teacher key", async () => teacherKey(loaded, env));
  return loaded.input === "record" ? [config, key, await check("XGBoost", xgboost)] : [config, key];
}

async function xgboost(): Promise<string> {
  const { version, path } = loadXgboost();
  return `${version} (${path})`;
}

/** Opening a teacher reads its key; nothing is sent. */
function teacherKey(task: AnyTask, env: NodeJS.ProcessEnv): string {
  return `${openTeacher({ task, env }).id}: a key is there, or none is needed (nothing was sent)`;
}
