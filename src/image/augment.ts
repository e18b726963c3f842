/**
 * @file Random variations of a training image: crop, rotation, mirror and colour.
 *
 * The draw is apart from the work: `drawAugmentation` turns randomness into a few numbers, `writeAugmented` is a pure
 * function of them. Crop, rotation and mirror are one affine map, sampled bilinearly once; the three colour changes are
 * one linear map, so that a pixel is read once and written once.
 */

import type { Rng } from "../math/random.ts";
import type { Preprocessing } from "./prepare.ts";

/** How strongly to vary. */
export type AugmentationRange = {
  /** Smallest share of the area that a crop keeps, in (0, 1]. */
  readonly minArea: number;
  /** Largest rotation either way, degrees. */
  readonly rotation: number;
  /** Largest relative change of brightness, contrast and saturation, in [0, 1). */
  readonly colour: number;
  /** Probability of a mirror image, in [0, 1]. */
  readonly mirror: number;
};

/** Those of the original proof of concept, and a mirror. */
export const photoAugmentation: AugmentationRange = { minArea: 0.9, rotation: 5, colour: 0.15, mirror: 0.5 };

/** One variation. Lengths and positions are shares of the source's side. */
export type Augmentation = {
  readonly crop: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
  /** Counter-clockwise about the centre of the crop. */
  readonly radians: number;
  readonly mirrored: boolean;
  /** Factors; 1 changes nothing. */
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
};

export const noAugmentation: Augmentation = {
  crop: { left: 0, top: 0, width: 1, height: 1 },
  radians: 0,
  mirrored: false,
  brightness: 1,
  contrast: 1,
  saturation: 1,
};

/** Always takes nine draws, whatever the range: changing one strength leaves the other draws as they were. */
export function drawAugmentation(rng: Rng, range: AugmentationRange = photoAugmentation): Augmentation {
  const between = (low: number, high: number): number => low + (high - low) * rng.next();
  const area = between(range.minArea, 1);
  // Width / height, log-uniform between the two ratios at which the crop just fits.
  const ratio = Math.exp(between(Math.log(area), -Math.log(area)));
  const [width, height] = [Math.sqrt(area * ratio), Math.sqrt(area / ratio)];
  return {
    crop: { width, height, left: between(0, 1 - width), top: between(0, 1 - height) },
    radians: (between(-range.rotation, range.rotation) * Math.PI) / 180,
    mirrored: rng.next() < range.mirror,
    brightness: between(1 - range.colour, 1 + range.colour),
    contrast: between(1 - range.colour, 1 + range.colour),
    saturation: between(1 - range.colour, 1 + range.colour),
  };
}

/** ITU-R BT.601 luma, as PIL and torchvision use for contrast and saturation. */
const RED_LUMA = 0.299;
const GREEN_LUMA = 0.587;
const BLUE_LUMA = 0.114;

/**
 * Writes a variation of `rgb` as one normalised image of an NCHW batch. Where the rotated crop leaves the source, its
 * edge is continued.
 * @param rgb `[side, side, 3]`
 * @param target written from `offset` on, `[3, size, size]`
 */
export function writeAugmented(
  { rgb, side }: { readonly rgb: Uint8Array; readonly side: number },
  augmentation: Augmentation,
  preprocessing: Preprocessing,
  target: Float32Array,
  offset = 0,
): void {
  const plane = preprocessing.size * preprocessing.size;
  if (rgb.length !== 3 * side * side || target.length < offset + 3 * plane) {
    throw new RangeError(`${rgb.length} bytes are not 3 × ${side}², or ${target.length} leaves no room at ${offset}`);
  }
  const image = target.subarray(offset, offset + 3 * plane);
  const meanLuma = sample(rgb, side, affineOf(augmentation, side, preprocessing.size), preprocessing.size, image);
  recolour(image, plane, meanLuma, augmentation, preprocessing);
}

/** Source position of target pixel (column, row): `origin + column · right + row · down`, in source pixels. */
type Affine = {
  readonly originX: number;
  readonly originY: number;
  readonly rightX: number;
  readonly rightY: number;
  readonly downX: number;
  readonly downY: number;
};

function affineOf({ crop, radians, mirrored }: Augmentation, side: number, size: number): Affine {
  const [cos, sin] = [Math.cos(radians), Math.sin(radians)];
  const stepX = ((mirrored ? -1 : 1) * crop.width * side) / size;
  const stepY = (crop.height * side) / size;
  const [rightX, rightY, downX, downY] = [cos * stepX, sin * stepX, -sin * stepY, cos * stepY];
  const centreX = (crop.left + crop.width / 2) * side - 0.5;
  const centreY = (crop.top + crop.height / 2) * side - 0.5;
  const middle = (size - 1) / 2;
  return {
    originX: centreX - middle * (rightX + downX),
    originY: centreY - middle * (rightY + downY),
    rightX,
    rightY,
    downX,
    downY,
  };
}

/** Bilinear; fills `image` `[3, size, size]` with values in [0, 255]. Returns their mean luma. */
function sample(rgb: Uint8Array, side: number, affine: Affine, size: number, image: Float32Array): number {
  const { originX, originY, rightX, rightY, downX, downY } = affine;
  const [plane, last] = [size * size, side - 1];
  let luma = 0;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      // Multiplied, not added up: the error does not grow along the row.
      const x = Math.min(Math.max(originX + column * rightX + row * downX, 0), last);
      const y = Math.min(Math.max(originY + column * rightY + row * downY, 0), last);
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const [shareX, shareY] = [x - left, y - top];
      const topLeft = 3 * (top * side + left);
      const toRight = left < last ? 3 : 0;
      const below = top < last ? 3 * side : 0;
      const w00 = (1 - shareX) * (1 - shareY);
      const w10 = shareX * (1 - shareY);
      const w01 = (1 - shareX) * shareY;
      const w11 = shareX * shareY;
      const [p10, p01] = [topLeft + toRight, topLeft + below];
      const p11 = p01 + toRight;
      const red = w00 * rgb[topLeft]! + w10 * rgb[p10]! + w01 * rgb[p01]! + w11 * rgb[p11]!;
      const green = w00 * rgb[topLeft + 1]! + w10 * rgb[p10 + 1]! + w01 * rgb[p01 + 1]! + w11 * rgb[p11 + 1]!;
      const blue = w00 * rgb[topLeft + 2]! + w10 * rgb[p10 + 2]! + w01 * rgb[p01 + 2]! + w11 * rgb[p11 + 2]!;
      const pixel = row * size + column;
      image[pixel] = red;
      image[plane + pixel] = green;
      image[2 * plane + pixel] = blue;
      luma += RED_LUMA * red + GREEN_LUMA * green + BLUE_LUMA * blue;
    }
  }
  return luma / plane;
}

/**
 * Brightness b, then contrast c about the mean luma m, then saturation s about each pixel's luma g, clamped once:
 * `c·b·(s·x + (1 − s)·g) + (1 − c)·b·m`; then normalised. In place.
 */
function recolour(
  image: Float32Array,
  plane: number,
  meanLuma: number,
  { brightness, contrast, saturation }: Augmentation,
  { mean, std }: Preprocessing,
): void {
  const gain = contrast * brightness;
  const shift = (1 - contrast) * brightness * meanLuma;
  const [meanR, meanG, meanB] = mean;
  const [scaleR, scaleG, scaleB] = [1 / std[0], 1 / std[1], 1 / std[2]];
  for (let pixel = 0; pixel < plane; pixel++) {
    const red = image[pixel]!;
    const green = image[plane + pixel]!;
    const blue = image[2 * plane + pixel]!;
    const grey = (1 - saturation) * (RED_LUMA * red + GREEN_LUMA * green + BLUE_LUMA * blue);
    image[pixel] = (toUnit(gain * (saturation * red + grey) + shift) - meanR) * scaleR;
    image[plane + pixel] = (toUnit(gain * (saturation * green + grey) + shift) - meanG) * scaleG;
    image[2 * plane + pixel] = (toUnit(gain * (saturation * blue + grey) + shift) - meanB) * scaleB;
  }
}

function toUnit(value: number): number {
  return Math.min(Math.max(value, 0), 255) / 255;
}
