/**
 * @file From a picture to a student's tensor. Training and serving call the same functions, so they cannot drift apart.
 */

import { type OpenOptions, openImage, type RgbImage, runPipeline } from "./open-image.ts";

/** Resize the short side to `resize`, crop the centre to `size`², then `(x / 255 − mean) / std` per RGB channel, NCHW. */
export type Preprocessing = {
  readonly size: number;
  readonly resize: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
};

/**
 * The tensor of one image: `[3, size, size]`, RGB, normalised. The same bytes always give the same tensor.
 * @throws FlywheelError as `decodeImage`
 */
export async function prepareImage(
  source: Uint8Array | RgbImage,
  preprocessing: Preprocessing,
  options: OpenOptions = {},
): Promise<Float32Array> {
  const { size, resize } = preprocessing;
  const rgb = await resizeToRgb(source, size, { ...options, resize });
  const tensor = new Float32Array(3 * size * size);
  writeNormalised(rgb, preprocessing, tensor);
  return tensor;
}

/**
 * The pixels of the square in the centre: `[side, side, 3]`, for training to keep and to augment per epoch.
 * @param options.resize length of the short side before cropping, at least `side`, which is the default
 * @throws FlywheelError as `decodeImage`
 */
export async function resizeToRgb(
  source: Uint8Array | RgbImage,
  side: number,
  options: OpenOptions & { readonly resize?: number } = {},
): Promise<Uint8Array> {
  const resize = options.resize ?? side;
  if (!(Number.isInteger(side) && Number.isInteger(resize) && side >= 1 && resize >= side)) {
    throw new RangeError(`a crop of ${side} pixels needs a short side of at least as many, got ${resize}`);
  }
  const margin = Math.floor((resize - side) / 2);
  return runPipeline(source, () => {
    // Linear is the triangle filter of PIL and torchvision when shrinking: what the public weights were trained on.
    const whole = openImage(source, options).resize({ width: resize, height: resize, fit: "cover", kernel: "linear" });
    const cropped = side === resize ? whole : whole.extract({ left: margin, top: margin, width: side, height: side });
    return cropped.raw({ depth: "uchar" }).toBuffer();
  });
}

/**
 * Writes pixels `[size, size, 3]` as one image of an NCHW batch.
 * @param target written from `offset` on, `3 · size²` numbers
 */
export function writeNormalised(rgb: Uint8Array, preprocessing: Preprocessing, target: Float32Array, offset = 0): void {
  const plane = preprocessing.size * preprocessing.size;
  if (rgb.length !== 3 * plane || target.length < offset + 3 * plane) {
    throw new RangeError(`${rgb.length} bytes do not fill 3 × ${preprocessing.size}² at ${offset} of ${target.length}`);
  }
  for (let channel = 0; channel < 3; channel++) {
    const normalised = normalisedBytes(preprocessing, channel);
    const start = offset + channel * plane;
    for (let pixel = 0; pixel < plane; pixel++) target[start + pixel] = normalised[rgb[3 * pixel + channel]!]!;
  }
}

/** What each of the 256 bytes becomes. A table, so that a byte becomes the same number wherever it is looked up. */
function normalisedBytes({ mean, std }: Preprocessing, channel: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean[channel]!) / std[channel]!);
}
