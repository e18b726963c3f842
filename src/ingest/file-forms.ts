/**
 * @file Other spellings of a file's name in a list: macOS writes letters and their accents apart (NFD) where others write
 * them together (NFC), Windows separates folders by backslashes, and people leave extensions out.
 */

import { access } from "node:fs/promises";
import { extname, resolve } from "node:path";

const IMAGE_ENDINGS = ["jpg", "jpeg", "png", "webp", "avif", "gif", "tif", "tiff"];
const TEXT_ENDINGS = ["txt", "text", "md"];
const ENDINGS = [...IMAGE_ENDINGS, ...TEXT_ENDINGS].flatMap((ending) => [`.${ending}`, `.${ending.toUpperCase()}`]);

/** `file` first, then what else it may be called, likelier ones first. Never empty. */
export function fileForms(file: string): readonly [string, ...string[]] {
  const slashed = file.replaceAll("\\", "/");
  const spelled = [file, slashed].flatMap((one) => [one, one.normalize("NFC"), one.normalize("NFD")]);
  const endings = ENDINGS.includes(extname(slashed)) ? [] : ENDINGS;
  const ended = spelled.slice(3).flatMap((one) => endings.map((ending) => `${one}${ending}`));
  return [file, ...new Set([...spelled, ...ended].filter((one) => one !== file))];
}

/** The first form of `file` that is there in `folder`; `file` itself where none is. Absolute. */
export async function findForm(folder: string, file: string): Promise<string> {
  for (const form of fileForms(file)) {
    const path = resolve(folder, form);
    if (await isThere(path)) return path;
  }
  return resolve(folder, file);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false; // whoever opens it says why
  }
}
