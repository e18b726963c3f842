/**
 * @file What a file is, from its bytes; its name may lie.
 *
 * Only formats that are meant for photographs are let through to the decoder: SVG, PDF and the like are programs to it.
 */

export const MediaType = ["image/jpeg", "image/png", "image/webp", "image/avif", "image/gif", "image/tiff"] as const;
export type MediaType = (typeof MediaType)[number];

/** How a file begins: `text` at byte `at` (default 0), one character per byte. */
type Signature<T> = { readonly text: string; readonly at?: number; readonly means: T };

const images: readonly Signature<MediaType>[] = [
  { text: "\xff\xd8\xff", means: "image/jpeg" },
  { text: "\x89PNG\r\n\x1a\n", means: "image/png" },
  { text: "GIF87a", means: "image/gif" },
  { text: "GIF89a", means: "image/gif" },
  { text: "WEBP", at: 8, means: "image/webp" },
  { text: "ftypavif", at: 4, means: "image/avif" },
  { text: "ftypavis", at: 4, means: "image/avif" },
  { text: "II*\0", means: "image/tiff" },
  { text: "MM\0*", means: "image/tiff" },
  { text: "II+\0", means: "image/tiff" },
  { text: "MM\0+", means: "image/tiff" },
];

/** The type of an image that we read, or undefined. */
export function mediaTypeOf(bytes: Uint8Array): MediaType | undefined {
  const head = headOf(bytes);
  return images.find(({ text, at }) => head.startsWith(text, at))?.means;
}

const strangers: readonly Signature<string>[] = [
  { text: "version https://git-lfs", means: "a Git LFS pointer (run `git lfs pull`)" },
  { text: "%PDF-", means: "a PDF document" },
  { text: "PK\x03\x04", means: "a ZIP archive or an office document" },
  { text: "\x1f\x8b", means: "a gzip archive" },
  { text: "8BPS", means: "a Photoshop document" },
  { text: "\xff\x0a", means: "a JPEG XL image" },
  { text: "JXL ", at: 4, means: "a JPEG XL image" },
  { text: "jP  ", at: 4, means: "a JPEG 2000 image" },
  { text: "\0\0\x01\0", means: "an icon" },
  { text: "AVI ", at: 8, means: "an AVI video" },
  { text: "\x1aE\xdf\xa3", means: "a WebM or Matroska video" },
  { text: "ftyphei", at: 4, means: "an HEIC image (convert it to JPEG first)" },
  { text: "ftyphev", at: 4, means: "an HEIC image (convert it to JPEG first)" },
  { text: "ftypmif1", at: 4, means: "an HEIC image (convert it to JPEG first)" },
  { text: "ftyp", at: 4, means: "an MP4 or QuickTime video" },
  { text: "\x7fELF", means: "a program" },
];

const documents: readonly { readonly begins: RegExp; readonly means: string }[] = [
  { begins: /^(<!doctype html|<html)/i, means: "an HTML page" },
  { begins: /^(<\?xml.*)?<svg/is, means: "an SVG drawing" },
  { begins: /^<\?xml/i, means: "an XML document" },
  { begins: /^[[{]/, means: "JSON" },
];

/** What a file that is none of our images looks like, for people. */
export function describeContent(bytes: Uint8Array): string {
  const head = headOf(bytes);
  const stranger = strangers.find(({ text, at }) => head.startsWith(text, at))?.means;
  if (stranger !== undefined) return stranger;
  if (/^\0+$/.test(head)) return "nothing but zero bytes";
  if (/^BM.{4}\0\0\0\0/s.test(head)) return "a BMP image";
  if (/\p{Cc}/u.test(head.replaceAll(/[\t\n\f\r\x80-\xff]/g, ""))) return "unknown binary data";
  return documents.find(({ begins }) => begins.test(head.trimStart()))?.means ?? "text";
}

/** Whether the end of the file is missing, as far as its format tells. */
export function isCutShort(bytes: Uint8Array, type: MediaType): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type) {
    case "image/jpeg":
      // Some cameras append data of their own after the mark of the end.
      return !buffer.includes(Buffer.of(0xff, 0xd9));
    case "image/png":
      return !buffer.includes("IEND", 0, "latin1");
    case "image/gif":
      return buffer.at(-1) !== ";".charCodeAt(0);
    case "image/webp":
      return buffer.length < 12 || buffer.length < 8 + buffer.readUInt32LE(4);
    case "image/avif":
      return isBoxCutShort(buffer);
    case "image/tiff":
      return isDirectoryCutShort(buffer);
    default:
      return type satisfies never;
  }
}

/** Whether the last of the boxes that make up an ISO media file reaches beyond its end. */
function isBoxCutShort(buffer: Buffer): boolean {
  let start = 0;
  while (start < buffer.length) {
    if (start + 8 > buffer.length) return true;
    const size = buffer.readUInt32BE(start);
    // 0: up to the end of the file; 1: a 64-bit size, which no photograph needs.
    if (size < 8) return false;
    start += size;
  }
  return start > buffer.length;
}

/** Whether the first directory of a TIFF, which most writers put at the end, reaches beyond it. 12 bytes an entry. */
function isDirectoryCutShort(buffer: Buffer): boolean {
  const isLittle = buffer[0] === "I".charCodeAt(0);
  if (buffer.length < 8) return true;
  const start = isLittle ? buffer.readUInt32LE(4) : buffer.readUInt32BE(4);
  if (start + 2 > buffer.length) return true;
  const entries = isLittle ? buffer.readUInt16LE(start) : buffer.readUInt16BE(start);
  return start + 2 + 12 * entries + 4 > buffer.length;
}

/** The first bytes, one character each. */
function headOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 256)).toString("latin1");
}
