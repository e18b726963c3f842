/** @file Where every figure of a report comes from: enough to make it again. */

import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { z } from "zod";
import type { Seed } from "../math/random.ts";
import { promptVersion, type Task } from "../task.ts";
import type { Subject } from "./collect-student.ts";
import type { ProvenanceEntry } from "./report-data.ts";

export type ProvenanceSources = {
  readonly subject: Subject | undefined;
  readonly task: Task;
  readonly seed: Seed;
};

export function provenance({ subject, task, seed }: ProvenanceSources): readonly ProvenanceEntry[] {
  const { card, policy, champion } = subject ?? {};
  const entries: readonly (readonly [string, string | undefined])[] = [
    ["Task", task.name],
    ["Seed", String(seed)],
    ["Prompt version", promptVersion(task)],
    ["Model", card?.id],
    ["Trained with seed", card?.seed],
    ["Training data (hash)", card?.dataHash],
    ["Code that trained it", card?.codeVersion],
    ["ONNX Runtime", versionOf("onnxruntime-node")],
    ["Policy", policy?.id],
    ["Certified on (hash)", policy?.certificate?.dataHash],
    ["Champion version", champion && String(champion.version)],
    ["Node", process.versions.node],
    ["Machine", `${platform()} ${arch()}`],
  ];
  return entries.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

const require = createRequire(import.meta.url);
const Package = z.object({ version: z.string() });

const versionOf = (name: string): string => Package.parse(require(`${name}/package.json`)).version;
