/**
 * @file Where an encoder's files come from: a folder, or a hub. What is read goes into the model's own folder later, so that
 * a trained student needs neither.
 */

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../contracts.ts";
import { FlywheelError, messageOf } from "../../../errors.ts";
import { type ExternalFiles, noExternalFiles, readExternalFiles } from "../../../onnx/external-data.ts";
import { selfContained } from "../../../onnx/onnx-file.ts";
import { externalLocations } from "../../../onnx/proto.ts";
import { isMissing } from "../../download-part.ts";
import { fetchExternalData, fetchFromHub, findInHub, type HubName, noteAbsent, parseHubName } from "../../hub.ts";

/** `network`: an ONNX file that reads tokens; `static`: a table of token vectors (Model2Vec). */
export type EncoderKind = "network" | "static";

export type EncoderFiles = {
  readonly kind: EncoderKind;
  /** By the names under which a model folder keeps them: `encoder.onnx` or `model.safetensors`, `tokenizer.json`, … */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** For messages. */
  readonly source: string;
};

/** Names in a folder or repository, in the order in which they are looked for, and what a model folder calls them. */
const network = ["model.onnx", "onnx/model.onnx", "encoder.onnx"] as const;
const table = { "model.safetensors": ["model.safetensors"] } as const;
const needed = { "tokenizer.json": ["tokenizer.json"], "config.json": ["config.json"] } as const;
/** How tokens become a sentence (sentence-transformers' files), and how many are read. */
const optional = {
  "pooling.json": ["1_Pooling/config.json", "pooling.json"],
  "sentence_bert_config.json": ["sentence_bert_config.json"],
  "tokenizer_config.json": ["tokenizer_config.json"],
} as const;

export type EncoderSource = {
  /** A folder, or `hf:ORGANISATION/REPOSITORY[@REVISION]`. */
  readonly weights: string;
  /** Of the file with the weights, `model.onnx` (and the files beside it that hold its tensors) or `model.safetensors`. 64 hex digits. */
  readonly sha256?: string | undefined;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
};

/**
 * @throws FlywheelError `weights_bad_name`, `weights_not_found`, `weights_unavailable`, `weights_corrupt`, `encoder_unusable`,
 *   `onnx_external_data`, and what `readOnnx` throws of a network in several files
 */
export async function readEncoderFiles(source: EncoderSource): Promise<EncoderFiles> {
  const { find, beside, remember } = placeOf(source);
  const required = await readAll(needed, find, source.weights);
  const kind = kindOf(required);
  const weights = kind === "static" ? await readTable(find, source) : await readNetwork(find, beside, source);
  const extras = kind === "static" ? [] : await readOptional(find);
  await remember();
  return { kind, files: new Map([...weights, ...required, ...extras]), source: source.weights };
}

async function readTable(find: Find, source: EncoderSource): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = await readAll(table, find, source.weights);
  for (const [name, bytes] of files) checkPinned(name, [bytes], source);
  return files;
}

/** In a model folder a network is one file, however many it came in. */
async function readNetwork(
  find: Find,
  beside: Place["beside"],
  source: EncoderSource,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { name, bytes } = (await firstOf(network, find)) ?? missing(network, source.weights);
  const external = await beside(name, externalLocations(bytes));
  checkPinned(name, [bytes, ...external.values()], source);
  return new Map([["encoder.onnx", selfContained(bytes, external)]]);
}

function checkPinned(name: string, parts: readonly Uint8Array[], { weights, sha256 }: EncoderSource): void {
  if (sha256 === undefined) return;
  const found = sha256Of(...parts);
  if (found === sha256) return;
  const files = parts.length === 1 ? name : `${name} and the files of its tensors`;
  throw new FlywheelError("weights_corrupt", `${files} of ${weights} has SHA-256 ${found}, expected ${sha256}`, {
    hint: "weightsSha256 in the task's student options pins the encoder's weights; of a network in several files: cat model.onnx model.onnx.data | sha256sum",
  });
}

function sha256Of(...parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** One hash of all files: with the same, texts have the same embeddings. 64 hex digits. */
export function hashOfFiles({ files }: Pick<EncoderFiles, "files">): string {
  const hash = createHash("sha256");
  for (const [name, bytes] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name} ${sha256Of(bytes)}\n`);
  }
  return hash.digest("hex");
}

/** Model2Vec says so in its config; all others are networks. */
function kindOf(files: ReadonlyMap<string, Uint8Array>): EncoderKind {
  const config = new TextDecoder().decode(files.get("config.json"));
  return /"model_type"\s*:\s*"model2vec"|"StaticModel"/.test(config) ? "static" : "network";
}

/** The bytes of a file of the source, or nothing. */
type Find = (name: string) => Promise<Uint8Array | undefined>;

type Place = {
  readonly find: Find;
  /** The files in which a network that was found keeps its tensors. */
  readonly beside: (network: string, locations: readonly string[]) => Promise<ExternalFiles>;
  /** To be called once all was found: the hub is then not asked again for what it does not have. */
  readonly remember: () => Promise<void>;
};

function placeOf(source: EncoderSource): Place {
  const hub = parseHubName(source.weights);
  if (hub) return hubPlace(hub, source);
  return {
    find: (file) => readFromFolder(source.weights, file),
    beside: (file, locations) => readExternalFiles(join(source.weights, file), locations),
    remember: async () => {},
  };
}

function hubPlace(hub: HubName, { clock, signal }: EncoderSource): Place {
  const absent: HubName[] = [];
  const options = { clock, signal };
  return {
    async find(file) {
      const path = await findInHub({ ...hub, file }, options);
      if (path !== undefined) return await readFile(path);
      absent.push({ ...hub, file });
      return undefined;
    },
    async beside(file, locations) {
      if (locations.length === 0) return noExternalFiles;
      const path = await fetchFromHub({ ...hub, file }, options); // from the cache
      await fetchExternalData({ ...hub, file }, path, options);
      return await readExternalFiles(path, locations);
    },
    remember: () => noteAbsent(absent),
  };
}

async function readFromFolder(folder: string, file: string): Promise<Uint8Array | undefined> {
  await requireFolder(folder);
  try {
    return await readFile(join(folder, file));
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

async function requireFolder(path: string): Promise<void> {
  const found = await stat(path).catch((thrown: unknown) => {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  });
  if (found?.isDirectory()) return;
  throw new FlywheelError("weights_not_found", `${path} is no folder`, {
    hint: "student.weights names a folder with an encoder's files, or hf:ORGANISATION/REPOSITORY",
  });
}

type Names = Readonly<Record<string, readonly string[]>>;

async function readAll(names: Names, find: Find, source: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const [own, theirs] of Object.entries(names)) {
    const { bytes } = (await firstOf(theirs, find)) ?? missing(theirs, source);
    found.set(own, bytes);
  }
  return found;
}

function missing(names: readonly string[], source: string): never {
  throw new FlywheelError("encoder_unusable", `${source} has no ${names.join(" or ")}`, {
    hint: "an encoder is model.onnx (or onnx/model.onnx), or Model2Vec's model.safetensors, with tokenizer.json and config.json",
  });
}

async function readOptional(find: Find): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const [own, theirs] of Object.entries(optional)) {
    const first = await firstOf(theirs, find);
    if (first) found.set(own, first.bytes);
  }
  return found;
}

type Found = { readonly name: string; readonly bytes: Uint8Array };

async function firstOf(names: readonly string[], find: Find): Promise<Found | undefined> {
  for (const name of names) {
    const bytes = await find(name);
    if (bytes) return { name, bytes };
  }
  return undefined;
}

/** @throws FlywheelError `encoder_unusable` */
export function jsonOf(files: EncoderFiles["files"], name: string, source: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(files.get(name)));
  } catch (cause) {
    throw new FlywheelError("encoder_unusable", `${source}/${name} is not JSON: ${messageOf(cause)}`, {
      hint: "fetch the file again",
      cause,
    });
  }
}
