/**
 * @file Unfinished downloads on disk: `<path>.<version>.<pid>.part`. The version is a hash of the server's `ETag`, so that
 * a download is only continued with bytes of the same file; the pid says who is writing. A part whose owner is gone
 * is taken over by renaming it, which only one process can win.
 */

import { createHash } from "node:crypto";
import { open, readdir, rename, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

export type Part = {
  /** The final path. */
  readonly target: string;
  /** 12 hex digits, or `none` where the server has not named a version. */
  readonly version: string;
  readonly owner: number;
};

/** No version is known yet, or the server gives none: such a part can be continued only under a known hash. */
export const noVersion = "none";

/** Owner of a part that its process has let go. */
const nobody = 0;

export const partPath = ({ target, version, owner }: Part): string => `${target}.${version}.${owner}.part`;

/** The version that a response belongs to. */
export function versionOf(response: Response): string {
  const tag = response.headers.get("etag");
  return tag === null ? noVersion : createHash("sha256").update(tag).digest("hex").slice(0, 12);
}

/** The largest part of `target` that no live process owns, else an empty one. */
export async function claimPart(target: string): Promise<Part> {
  for (const orphan of await orphans(target)) {
    const mine = { ...orphan, owner: process.pid };
    if (await renamed(partPath(orphan), partPath(mine))) return mine;
  }
  const fresh = { target, version: noVersion, owner: process.pid };
  await (await open(partPath(fresh), "a")).close();
  return fresh;
}

export async function withVersion(part: Part, version: string): Promise<Part> {
  const next = { ...part, version };
  await rename(partPath(part), partPath(next));
  return next;
}

/** Leaves a part for whoever comes next. */
export async function releasePart(target: string): Promise<void> {
  for (const part of await partsOf(target)) {
    if (part.owner === process.pid) await renamed(partPath(part), partPath({ ...part, owner: nobody }));
  }
}

/** Size of a file, 0 where there is none. */
export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (thrown) {
    if (isMissing(thrown)) return 0;
    throw thrown;
  }
}

async function orphans(target: string): Promise<readonly Part[]> {
  const left = (await partsOf(target)).filter((part) => !isAlive(part.owner));
  const sized = await Promise.all(left.map(async (part) => ({ part, sizeBytes: await sizeOf(partPath(part)) })));
  return sized.toSorted((a, b) => b.sizeBytes - a.sizeBytes).map(({ part }) => part);
}

async function partsOf(target: string): Promise<readonly Part[]> {
  const prefix = `${basename(target)}.`;
  const names = (await readdir(dirname(target))).filter((name) => name.startsWith(prefix));
  return names.flatMap((name) => {
    const [, version, owner] = /^([0-9a-f]{12}|none)\.(\d+)\.part$/.exec(name.slice(prefix.length)) ?? [];
    return version === undefined
      ? []
      : [{ target: join(dirname(target), basename(target)), version, owner: Number(owner) }];
  });
}

function isAlive(pid: number): boolean {
  if (pid === nobody) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return codeOf(thrown) === "EPERM";
  }
}

/** False where another process was first. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
}

const codeOf = (thrown: unknown): unknown =>
  typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;

export const isMissing = (thrown: unknown): boolean => codeOf(thrown) === "ENOENT";
