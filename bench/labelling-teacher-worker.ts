/**
 * @file A simulated teacher in a process of its own: `node labelling-teacher-worker.ts OPTIONS`, with `OPTIONS` as JSON.
 * Prints its URL, then serves until it is killed. Its gold is drawn from the content's hash: any content has a label.
 */

import type { LabelValue } from "../src/records.ts";
import { type SimulatedTeacherOptions, startSimulatedTeacher } from "../src/simulate/teacher-server.ts";

type Options = Omit<SimulatedTeacherOptions, "gold" | "clock" | "identify">;

const options = JSON.parse(process.argv[2] ?? "{}") as Options;
const labelOf = (hash: string): LabelValue | undefined =>
  options.classes[Number.parseInt(hash.slice(0, 8), 16) % options.classes.length];
const teacher = await startSimulatedTeacher({ ...options, gold: { get: labelOf } });
console.log(teacher.url);
