/** @file Takes a model out of the workspace: everything that is needed to run it elsewhere, and nothing secret. */

import { createWriteStream } from "node:fs";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { stringify } from "csv-stringify";
import { FlywheelError } from "../errors.ts";
import { newestModel } from "../improve/newest-model.ts";
import type { ModelCard, Policy } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";

export type ExportedModel = {
  readonly directory: string;
  readonly card: ModelCard;
  readonly policy: Policy | undefined;
  readonly files: readonly string[];
};

type ExportOptions = {
  readonly store: Store;
  readonly task: Task;
  readonly directory: string;
  /** A model id or its first digits; the champion, else the newest model, where absent. */
  readonly modelId?: string | undefined;
};

/**
 * Writes `model.onnx`, what else its kind needs, `card.json`, `policy.json` (calibrator, threshold, certificate), `task.json` and `labels.csv`.
 * @throws FlywheelError `no_model`, `unknown_model`, `ambiguous_model`
 */
export async function exportModel({ store, task, directory, modelId }: ExportOptions): Promise<ExportedModel> {
  const card = await chooseModel(store, modelId);
  const policy = (await store.policies.ofModel(card.id)).at(-1);
  await mkdir(directory, { recursive: true });
  await cp(store.models.folder(card.id), directory, { recursive: true });
  await writeFile(join(directory, "task.json"), `${JSON.stringify(task, null, 2)}\n`);
  const members = await copyMembers(store, policy, directory);
  if (policy) await writeFile(join(directory, "policy.json"), `${JSON.stringify(policy, null, 2)}\n`);
  await writeLabels(store, join(directory, "labels.csv"));
  const own = ["model.onnx", ...Object.keys(card.files ?? {}), "card.json"];
  const files = [...own, ...members, "task.json", "labels.csv", ...(policy ? ["policy.json"] : [])];
  return { directory, card, policy, files };
}

/** The models that the policy hears beside this one, each in a folder of its own below `members/`. */
async function copyMembers(store: Store, policy: Policy | undefined, directory: string): Promise<readonly string[]> {
  const ids = policy?.committee?.kind === "predecessors" ? policy.committee.members : [];
  for (const id of ids) await cp(store.models.folder(id), join(directory, "members", id), { recursive: true });
  return ids.map((id) => `members/${id}`);
}

const labelColumns = ["row", "source", "split", "label", "basis", "weight"] as const;

/** The labels in force, one line a row, in bounded memory. */
async function writeLabels(store: Store, path: string): Promise<void> {
  const csv = stringify({ header: true, columns: [...labelColumns], escape_formulas: true });
  await pipeline(Readable.from(labelLines(store)), csv, createWriteStream(path));
}

async function* labelLines(store: Store): AsyncGenerator<readonly (string | number)[]> {
  for await (const { row, label } of store.labels.list()) {
    yield [row.id, row.source, row.split, label.value, label.basis, label.weight];
  }
}

async function chooseModel(store: Store, asked: string | undefined): Promise<ModelCard> {
  const cards = await store.models.list();
  if (asked !== undefined) return byPrefix(cards, asked);
  const champion = await store.policies.champion();
  const chosen = cards.find((card) => card.id === champion?.modelId) ?? (await newestModel(store));
  if (chosen) return chosen;
  throw new FlywheelError("no_model", "this workspace has no model yet", { hint: "run `flywheel train`" });
}

function byPrefix(cards: readonly ModelCard[], prefix: string): ModelCard {
  const [found, ...others] = cards.filter((card) => card.id.startsWith(prefix));
  const known = cards.map((card) => card.id.slice(0, 12)).join(", ") || "none";
  if (!found) throw new FlywheelError("unknown_model", `no model starts with "${prefix}"`, { hint: `known: ${known}` });
  if (others.length === 0) return found;
  throw new FlywheelError("ambiguous_model", `${others.length + 1} models start with "${prefix}"`, {
    hint: "give more digits",
  });
}
