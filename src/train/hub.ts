/**
 * @file Weights by name from a model hub that speaks Hugging Face's URLs, through a cache on disk.
 *
 * `hf:timm/mobilenetv3_small_100.lamb_in1k` is `HUB/timm/mobilenetv3_small_100.lamb_in1k/resolve/main/model.safetensors`;
 * `hf:ORG/REPO@REVISION/FILE` names a revision or another file. The hash of a first download is noted beside the file:
 * from then on every use checks it, so that a damaged cache is refused, never trained on. `weightsSha256` pins it from
 * the start.
 */

import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, posix } from "node:path";
import type { Clock } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import { externalLocations } from "../onnx/proto.ts";
import { download, sha256OfFile } from "./download.ts";
import { isMissing } from "./download-part.ts";

const defaultHubUrl = "https://huggingface.co";

const withoutLastSlashes = (url: string): string => (url.endsWith("/") ? withoutLastSlashes(url.slice(0, -1)) : url);

export type HubName = {
  readonly organisation: string;
  readonly repository: string;
  readonly revision: string;
  readonly file: string;
};

/** `undefined` where `weights` is not a hub name. @throws FlywheelError `weights_bad_name` */
export function parseHubName(weights: string): HubName | undefined {
  if (!weights.startsWith("hf:")) return undefined;
  const parsed = /^hf:([\w.-]+)\/([\w.-]+)(?:@([\w.-]+))?(?:\/([\w./-]+))?$/.exec(weights);
  const [, organisation, repository, revision = "main", file = "model.safetensors"] = parsed ?? [];
  const parts = [organisation, repository, revision, ...file.split("/")];
  if (!organisation || !repository || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw new FlywheelError("weights_bad_name", `"${weights}" is not a hub name`, {
      hint: "write hf:ORGANISATION/REPOSITORY, hf:ORGANISATION/REPOSITORY@REVISION or …/FILE",
    });
  }
  return { organisation, repository, revision, file };
}

export type HubOptions = {
  readonly sha256?: string | undefined;
  readonly clock: Clock;
  readonly environment?: Environment;
  readonly onProgress?: ((sizeBytes: number, totalBytes: number | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * The path of the file in the cache, downloaded if it is not there yet.
 *
 * The cache lies in `FLYWHEEL_CACHE`, else `XDG_CACHE_HOME/flywheel`, else `~/.cache/flywheel`; the hub is
 * `FLYWHEEL_HUB_URL`.
 * @throws FlywheelError `weights_corrupt` where the cached file is not what was first downloaded or pinned;
 *   `weights_not_found`, `weights_unavailable`
 */
export async function fetchFromHub(name: HubName, options: HubOptions): Promise<string> {
  const environment = options.environment ?? process.env;
  const { organisation, repository, revision, file } = name;
  const path = pathInCache(name, environment);
  const noted = await notedHash(path);
  if (noted !== undefined) return await checked(path, { noted, pinned: options.sha256 });
  const hub = withoutLastSlashes(environment["FLYWHEEL_HUB_URL"] ?? defaultHubUrl);
  const url = `${hub}/${organisation}/${repository}/resolve/${revision}/${file.split("/").map(encodeURIComponent).join("/")}`;
  await noteHash(path, await download({ ...options, url, path }));
  return path;
}

/**
 * Brings the files in which an `.onnx` file of a hub keeps its tensors to their place beside it in the cache.
 * @throws FlywheelError `onnx_external_data` where it names files outside its folder, and as `fetchFromHub`
 */
export async function fetchExternalData(name: HubName, path: string, options: HubOptions): Promise<void> {
  const unpinned = { ...options, sha256: undefined }; // the hash is of all of them together
  for (const location of externalLocations(await readFile(path))) {
    await fetchFromHub({ ...name, file: posix.join(posix.dirname(name.file), location) }, unpinned);
  }
}

/** `fetchFromHub` for a file that need not be there. Where `noteAbsent` noted that it is not, the hub is not asked again. */
export async function findInHub(name: HubName, options: HubOptions): Promise<string | undefined> {
  if (existsSync(absentPath(pathInCache(name, options.environment ?? process.env)))) return undefined;
  try {
    return await fetchFromHub(name, options);
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown) && thrown.code === "weights_not_found") return undefined;
    throw thrown;
  }
}

/** To be called once all that is needed was found: what is in the cache can then be used without the hub. */
export async function noteAbsent(
  names: readonly HubName[],
  { environment = process.env }: Pick<HubOptions, "environment"> = {},
): Promise<void> {
  for (const name of names) {
    const path = absentPath(pathInCache(name, environment));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "");
  }
}

const absentPath = (path: string): string => `${path}.absent`;

type Environment = Readonly<Record<string, string | undefined>>;

function pathInCache({ organisation, repository, revision, file }: HubName, environment: Environment): string {
  return join(cacheFolder(environment), "hub", organisation, repository, revision, ...file.split("/"));
}

function cacheFolder(environment: Environment): string {
  const { FLYWHEEL_CACHE: own, XDG_CACHE_HOME: shared } = environment;
  return own || join(shared || join(homedir(), ".cache"), "flywheel");
}

const notePath = (path: string): string => `${path}.sha256`;

/** The note is written last: where it is, the file is whole. */
async function notedHash(path: string): Promise<string | undefined> {
  try {
    return (await readFile(notePath(path), "utf8")).trim();
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

async function noteHash(path: string, sha256: string): Promise<void> {
  const temporary = `${notePath(path)}.${process.pid}`;
  await writeFile(temporary, `${sha256}\n`);
  await rename(temporary, notePath(path));
}

async function checked(
  path: string,
  { noted, pinned }: { readonly noted: string; readonly pinned: string | undefined },
): Promise<string> {
  const found = await hashOrMissing(path);
  const expected = pinned ?? noted;
  if (found === expected) return path;
  throw new FlywheelError("weights_corrupt", `${path} has SHA-256 ${found}, expected ${expected}`, {
    hint:
      found === noted
        ? "weightsSha256 in the task's student options names another file than the one in the cache"
        : `delete ${path} and ${notePath(path)} to load it again`,
  });
}

async function hashOrMissing(path: string): Promise<string> {
  try {
    return await sha256OfFile(path);
  } catch (thrown) {
    if (isMissing(thrown)) return "(file missing)";
    throw thrown;
  }
}
