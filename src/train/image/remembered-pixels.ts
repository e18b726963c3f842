/**
 * @file The pixels of photos, remembered while there is room. Traffic, every round's training and every model's held-out
 * predictions ask for the same photos again, and to decode a small one takes longer than a network of its size does.
 */

import { createHash } from "node:crypto";
import { resizeToRgb } from "../../image/prepare.ts";
import type { ImagePreprocessing } from "../../records.ts";

/** Four thousand photos of 64 × 64, three hundred of 224 × 224. */
const MOST_BYTES = 48 * 2 ** 20;

type Square = Pick<ImagePreprocessing, "size" | "resize">;

/**
 * As `resizeToRgb`, `[size, size, 3]`; not to be written to.
 * @throws FlywheelError as `resizeToRgb`
 */
export type PixelReader = (photo: Uint8Array, square: Square) => Promise<Uint8Array>;

export class PixelMemory {
  readonly #mostBytes: number;
  /** The one asked for last is the last. */
  readonly #pixels = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** A `PixelReader`. */
  async pixelsOf(photo: Uint8Array, { size, resize }: Square): Promise<Uint8Array> {
    const key = `${size} ${resize} ${createHash("sha256").update(photo).digest("base64")}`;
    const pixels = this.#pixels.get(key) ?? (await resizeToRgb(photo, size, { resize }));
    this.#remember(key, pixels);
    return pixels;
  }

  #remember(key: string, pixels: Uint8Array): void {
    this.#forget(key);
    this.#pixels.set(key, pixels);
    this.#bytes += pixels.byteLength;
    for (const oldest of this.#pixels.keys()) {
      if (this.#bytes <= this.#mostBytes) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#pixels.get(key)?.byteLength ?? 0;
    this.#pixels.delete(key);
  }
}

/** One for all students of the process: they ask for the same photos. */
export const rememberedPixels = new PixelMemory(MOST_BYTES);
