/**
 * @file Immutable payloads in files named by the hash of their bytes: `blobs/ab/cdef…`.
 *
 * A file is written under a temporary name, flushed, then renamed: under its final name it is whole, whatever happens.
 */

import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FlywheelError } from "../errors.ts";
import { type BlobId, blobId } from "../records.ts";
import type { BlobStore } from "./contract.ts";
import { toStoreError } from "./store-errors.ts";

/** What a killed process left half-written is swept up after this time; until then another process may be at it. */
const STALE_AFTER_MS = 3_600_000;

export function createBlobStore(folder: string): BlobStore {
  const path = (id: BlobId): string => join(folder, id.slice(0, 2), id.slice(2));
  const makeFolder = createFolderMaker();
  const writeWhole = async (id: BlobId, bytes: Uint8Array): Promise<void> => {
    const temporary = join(folder, "tmp", randomUUID());
    await Promise.all([dirname(temporary), dirname(path(id))].map(makeFolder));
    try {
      await writeAndFlush(temporary, bytes);
      await rename(temporary, path(id));
    } catch (thrown) {
      await rm(temporary, { force: true });
      throw thrown;
    }
    await flushFolder(dirname(path(id)));
  };
  return {
    path,
    async put(bytes) {
      const id = hashOf(bytes);
      try {
        if (!(await hasSize(path(id), bytes.byteLength))) await writeWhole(id, bytes);
      } catch (thrown) {
        throw toStoreError(thrown, path(id));
      }
      return id;
    },
    async get(id) {
      const bytes = await readBlob(path(id), id);
      if (hashOf(bytes) !== id) throw corruptError(id, path(id));
      return bytes;
    },
  };
}

function hashOf(bytes: Uint8Array): BlobId {
  return blobId(createHash("sha256").update(bytes).digest("hex"));
}

async function hasSize(path: string, sizeBytes: number): Promise<boolean> {
  try {
    return (await stat(path)).size === sizeBytes;
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
}

/** Makes each folder once. */
function createFolderMaker(): (folder: string) => Promise<void> {
  const made = new Set<string>();
  return async (folder) => {
    if (made.has(folder)) return;
    await mkdir(folder, { recursive: true });
    made.add(folder);
  };
}

async function writeAndFlush(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, "wx");
  await file.writeFile(bytes);
  await file.sync();
}

/** Without this a power cut may forget the new name. Windows cannot open folders, and needs no such flush. */
async function flushFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  await using folder: FileHandle = await open(path, "r");
  await folder.sync();
}

async function readBlob(path: string, id: BlobId): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (thrown) {
    if (!isMissing(thrown)) throw toStoreError(thrown, path);
    throw new FlywheelError("blob_missing", `the payload ${id} is not at ${path}`, {
      hint: "restore the workspace's blobs folder, or ingest into a new workspace",
      cause: thrown,
    });
  }
}

function corruptError(id: BlobId, path: string): FlywheelError {
  return new FlywheelError("blob_corrupt", `the payload at ${path} no longer matches its hash ${id}`, {
    hint: "restore this file from a backup, or ingest into a new workspace",
  });
}

/** Removes what killed processes left half-written. */
export async function sweepBlobs(folder: string, nowMs: number): Promise<void> {
  const temporaryFolder = join(folder, "tmp");
  for (const name of await namesIn(temporaryFolder)) {
    const path = join(temporaryFolder, name);
    try {
      if (nowMs - (await stat(path)).mtimeMs > STALE_AFTER_MS) await unlink(path);
    } catch (thrown) {
      // Another process has swept it or has renamed it to its final name.
      if (!isMissing(thrown)) throw thrown;
    }
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (thrown) {
    if (isMissing(thrown)) return [];
    throw thrown;
  }
}

function isMissing(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && "code" in thrown && thrown.code === "ENOENT";
}
