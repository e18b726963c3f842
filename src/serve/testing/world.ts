/**
 * @file A server that really listens, over a real store, with a real student and a teacher that is simulated behind the
 * client code of a real one; and the official OpenAI client to talk to it.
 */

import OpenAI from "openai";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { Teacher } from "../../contracts.ts";
import { fieldsOf } from "../../fields.ts";
import { openTeacher } from "../../label/teacher.ts";
import type { LabelValue } from "../../records.ts";
import { openTestStore, promote } from "../../route/testing/fixtures.ts";
import type { FaultRates } from "../../simulate/faults.ts";
import { contentHash } from "../../simulate/gold-file.ts";
import {
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
  startSimulatedTeacher,
} from "../../simulate/teacher-server.ts";
import type { Store } from "../../store/contract.ts";
import { classesOf, type Task } from "../../task.ts";
import { type Server, type ServerOptions, startServer } from "../server.ts";
import { dataUrl, openColourStudent, photo } from "./colour-student.ts";
import { fruitPhotoTask, type TaskChanges } from "./task.ts";

/** Gold labels that a test fills; what is not in it the teacher cannot know. */
export type Gold = Map<string, LabelValue>;

export type ServeWorld = {
  readonly task: Task;
  readonly store: Store;
  readonly gold: Gold;
  readonly simulated: SimulatedTeacher;
  /** What the simulated teacher reads at every request: a test may mend it. */
  readonly faults: { -readonly [K in keyof FaultRates]: FaultRates[K] };
  readonly teacher: Teacher;
  readonly server: Server;
  readonly client: OpenAI;
};

export type ServeWorldOptions = {
  readonly task?: TaskChanges;
  readonly simulated?: Partial<SimulatedTeacherOptions>;
  readonly server?: Partial<ServerOptions>;
  readonly store?: Store;
  /** False: the store is left without a champion. */
  readonly promoted?: boolean;
};

async function startSimulated(options: SimulatedTeacherOptions): Promise<SimulatedTeacher> {
  const simulated = await startSimulatedTeacher(options);
  onTestFinished(() => simulated.close());
  return simulated;
}

export async function openServeWorld(options: ServeWorldOptions = {}): Promise<ServeWorld> {
  const gold: Gold = new Map();
  const classes = classesOf(fruitPhotoTask("http://127.0.0.1:1/v1", options.task));
  const faults = { gold, classes, ...options.simulated };
  const simulated = await startSimulated(faults);
  const task = fruitPhotoTask(simulated.url, options.task);
  const store = options.store ?? (await openTestStore());
  if (options.promoted !== false) await promote(store, task, "m1", { classes });
  const teacher = openTeacher({ task, env: {} });
  const server = await startTestServer({ task, store, teacher, ...options.server });
  return { task, store, gold, simulated, faults, teacher, server, client: clientOf(server) };
}

export async function startTestServer(
  options: Pick<ServerOptions, "task" | "store"> & Partial<ServerOptions>,
): Promise<Server> {
  const loadStudent = () => openColourStudent("m1", classesOf(fieldsOf(options.task)[0]!.task));
  const log = pino({ level: "silent" });
  const server = await startServer({ port: 0, loadStudent, log, drainTimeoutMs: 5_000, ...options });
  onTestFinished(() => server.close());
  return server;
}

/** Never tries again by itself, so that a test sees what was answered. */
export function clientOf(server: Pick<Server, "url">, apiKey = "none"): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${server.url}/v1`, maxRetries: 0, timeout: 20_000 });
}

export const imageInput = (image: Uint8Array): OpenAI.DecisionCreateParams["input"] => [
  { role: "user", content: [{ type: "input_image", image_url: dataUrl(image) }] },
];

export const fruitQuestion = {
  type: "choice",
  name: "fruit",
  instructions: "Which fruit is it?",
  choices: [{ value: "apple" }, { value: "pear" }],
} as const satisfies OpenAI.DecisionCreateParams.QuestionParamChoice;

/** A picture, known to the teacher as `gold`. */
export async function goldPhoto(
  world: Pick<ServeWorld, "gold">,
  [label, confidence, nth = 0]: readonly ["apple" | "pear", number, number?],
  gold: LabelValue = label,
): Promise<Buffer> {
  const image = await photo(label, confidence, nth);
  world.gold.set(contentHash(image), gold);
  return image;
}

/** Asks with the official client; the decision, the response's headers and its status. */
export async function decide(client: OpenAI, image: Uint8Array, changes: Partial<OpenAI.DecisionCreateParams> = {}) {
  const body = {
    model: "fruit",
    input: imageInput(image),
    questions: [{ ...fruitQuestion, choices: [...fruitQuestion.choices] }],
  };
  const { data, response } = await client.decisions.create({ ...body, ...changes }).withResponse();
  return { decision: data, headers: response.headers, status: response.status };
}
