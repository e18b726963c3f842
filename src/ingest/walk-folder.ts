/**
 * @file Every file of a kind below a folder, in order of name, so that the first of several duplicates is always the same one.
 *
 * Hidden files and folders are left out. Links are followed, each folder is entered once, so a loop ends.
 */

import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { messageOf } from "../errors.ts";
import type { Finding } from "./candidate.ts";

export const IMAGE_EXTENSION = /\.(jpe?g|jpe|jfif|png|webp|avif|gif|tiff?)$/i;

type Place = { readonly path: string; readonly source: string };

/**
 * @param wanted what the names of wanted files match
 * @param entered identities of folders that were walked already
 */
export async function* walkFolder(
  folder: Place,
  wanted: RegExp,
  entered: Set<string> = new Set(),
): AsyncGenerator<Finding> {
  let names: readonly Dirent[];
  try {
    if (!isNew(await identityOf(folder.path), entered)) return;
    names = await readdir(folder.path, { withFileTypes: true });
  } catch (thrown) {
    yield { kind: "refused", source: folder.source, code: "file_unreadable", message: messageOf(thrown) };
    return;
  }
  const visible = names.filter(({ name }) => !name.startsWith("."));
  for (const entry of visible.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const place = { path: join(folder.path, entry.name), source: join(folder.source, entry.name) };
    yield* visit(place, entry, { wanted, entered });
  }
}

type Walk = { readonly wanted: RegExp; readonly entered: Set<string> };

async function* visit(place: Place, entry: Dirent, { wanted, entered }: Walk): AsyncGenerator<Finding> {
  const extension = extname(entry.name).toLowerCase();
  const kind = entry.isSymbolicLink() ? await kindBehind(place.path) : entry;
  if (kind === undefined) {
    yield { kind: "refused", source: place.source, code: "file_missing", message: "the link points to nothing" };
  } else if (kind.isDirectory()) {
    yield* walkFolder(place, wanted, entered);
  } else if (kind.isFile() && wanted.test(entry.name)) {
    yield { kind: "file", ...place };
  } else {
    // Pipes and devices too: to open one could wait for ever.
    yield { kind: "ignored", extension };
  }
}

async function kindBehind(link: string): Promise<Pick<Dirent, "isDirectory" | "isFile"> | undefined> {
  try {
    return await stat(link);
  } catch {
    // A link to nothing, to itself, or into a folder that may not be entered: its finding says so.
    return undefined;
  }
}

/** Device and file number: the same for every path to one folder. */
async function identityOf(folder: string): Promise<string> {
  const { dev, ino } = await stat(folder, { bigint: true });
  return `${dev}:${ino}`;
}

function isNew(identity: string, entered: Set<string>): boolean {
  if (entered.has(identity)) return false;
  entered.add(identity);
  return true;
}
