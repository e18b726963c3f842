/** @file Where a file that gold names lies, looked for as `ingest --gold` looks for its row. */

import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { fileForms } from "../ingest/file-forms.ts";
import { IMAGE_EXTENSION, walkFolder } from "../ingest/walk-folder.ts";

/** The path of a file. @throws Error saying where it was looked for */
export type FindPhoto = (file: string) => string;

/**
 * Beside the gold file, then in the folder of photos; there also further down, under a bare name that one file has.
 * @param photos the folder that would be ingested, if another than the gold file's
 */
export async function openPhotos(goldPath: string, photos: string | undefined): Promise<FindPhoto> {
  const folders = [dirname(goldPath), ...(photos === undefined ? [] : [photos])].map((folder) => resolve(folder));
  const named = photos === undefined ? new Map<string, readonly string[]>() : await namesBelow(resolve(photos));
  return (file) => {
    const below = fileForms(file).flatMap((form) => named.get(form) ?? []);
    const inFolders = fileForms(file).flatMap((form) => folders.map((folder) => resolve(folder, form)));
    const paths = [...inFolders, ...(below.length === 1 ? below : [])];
    const found = paths.find((path) => existsSync(path));
    if (found !== undefined) return found;
    const several = below.length > 1 ? `; further down, ${below.length} files have that name` : "";
    throw new Error(`"${file}" is not in ${folders.join(", nor in ")}${several}`);
  };
}

async function namesBelow(folder: string): Promise<Map<string, string[]>> {
  const findings = await Array.fromAsync(walkFolder({ path: folder, source: folder }, IMAGE_EXTENSION));
  const paths = findings.flatMap((finding) => (finding.kind === "file" ? [finding.path] : []));
  return Map.groupBy(paths, (path) => basename(path));
}
