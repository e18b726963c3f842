import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng } from "../math/random.ts";
import { type Augmentation, drawAugmentation, noAugmentation, photoAugmentation, writeAugmented } from "./augment.ts";
import { type Preprocessing, writeNormalised } from "./prepare.ts";

/** Normalises to [0, 1]. */
const plain = (size: number): Preprocessing => ({ size, resize: size, mean: [0, 0, 0], std: [1, 1, 1] });

function noise(side: number, seed = 1): Uint8Array {
  const rng = createRng(seed);
  return Uint8Array.from({ length: 3 * side * side }, () => rng.integer(256));
}

function augmented(rgb: Uint8Array, augmentation: Augmentation, size?: number): Float32Array {
  const side = Math.sqrt(rgb.length / 3);
  const target = new Float32Array(3 * (size ?? side) ** 2);
  writeAugmented({ rgb, side }, augmentation, plain(size ?? side), target);
  return target;
}

function expectClose(actual: Float32Array, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual).toHaveLength(expected.length);
  const worst = actual.reduce((worst, value, index) => Math.max(worst, Math.abs(value - expected[index]!)), 0);
  expect(worst).toBeLessThan(tolerance);
}

const draws = fc.nat().map((seed) => drawAugmentation(createRng(seed)));

describe("drawAugmentation", () => {
  test("stays in its range, with the crop inside the image", () => {
    fc.assert(
      fc.property(draws, ({ crop, radians, brightness, contrast, saturation }) => {
        expect(crop.width * crop.height).toBeGreaterThanOrEqual(photoAugmentation.minArea - 1e-9);
        for (const [start, length] of [
          [crop.left, crop.width],
          [crop.top, crop.height],
        ] as const) {
          expect(start).toBeGreaterThanOrEqual(0);
          expect(start + length).toBeLessThanOrEqual(1 + 1e-9);
        }
        expect(Math.abs(radians)).toBeLessThanOrEqual((5 * Math.PI) / 180);
        for (const factor of [brightness, contrast, saturation]) expect(Math.abs(factor - 1)).toBeLessThanOrEqual(0.15);
      }),
    );
  });

  test("depends on the seed alone, and every strength on draws of its own", () => {
    expect(drawAugmentation(createRng(7))).toEqual(drawAugmentation(createRng(7)));
    const [some, more] = [0, 0.3].map((colour) => drawAugmentation(createRng(7), { ...photoAugmentation, colour }));
    expect({ ...some, brightness: 0, contrast: 0, saturation: 0 }).toEqual({
      ...more,
      brightness: 0,
      contrast: 0,
      saturation: 0,
    });
  });

  test("mirrors about half of the images", () => {
    const rng = createRng(1);
    const mirrored = Array.from({ length: 2_000 }, () => drawAugmentation(rng).mirrored).filter(Boolean).length;
    // Five standard deviations of a fair coin.
    expect(Math.abs(mirrored - 1_000)).toBeLessThan(5 * Math.sqrt(500));
  });
});

describe("writeAugmented", () => {
  test("without change equals plain normalisation", () => {
    const rgb = noise(20);
    const preprocessing: Preprocessing = { size: 20, resize: 20, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] };
    const [normalised, target] = [new Float32Array(1_200), new Float32Array(1_200)];
    writeNormalised(rgb, preprocessing, normalised);
    writeAugmented({ rgb, side: 20 }, noAugmentation, preprocessing, target);
    expectClose(target, normalised, 1e-6);
  });

  test("equals a naive twin, step by step, for any draw", () => {
    fc.assert(
      fc.property(draws, fc.integer({ min: 4, max: 24 }), fc.integer({ min: 3, max: 24 }), (draw, side, size) => {
        const rgb = noise(side, side);
        expectClose(augmented(rgb, draw, size), naive(rgb, side, draw, size), 1e-5);
      }),
    );
  });

  test("mirrors", () => {
    const rgb = noise(6);
    const mirrored = augmented(rgb, { ...noAugmentation, mirrored: true });
    const expected = Array.from({ length: 108 }, (_, index) => {
      const [channel, row, column] = [Math.floor(index / 36), Math.floor(index / 6) % 6, index % 6];
      return rgb[3 * (6 * row + (5 - column)) + channel]! / 255;
    });
    expectClose(mirrored, expected, 1e-6);
  });

  test("turns counter-clockwise: after a quarter turn the right edge is on top", () => {
    const rgb = noise(6);
    const turned = augmented(rgb, { ...noAugmentation, radians: Math.PI / 2 });
    for (const column of [0, 3, 5]) expect(turned[column]).toBeCloseTo(rgb[3 * (6 * column + 5)]! / 255, 5);
  });

  test("a constant grey image stays one of one value", () => {
    fc.assert(
      fc.property(draws, fc.integer({ min: 0, max: 255 }), (draw, grey) => {
        const output = augmented(new Uint8Array(3 * 10 * 10).fill(grey), draw);
        expectClose(output, new Float32Array(300).fill(Math.min(1, (draw.brightness * grey) / 255)), 1e-5);
      }),
    );
  });

  test("without saturation gives grey, without contrast the mean luma", () => {
    const grey = augmented(noise(8), { ...noAugmentation, saturation: 0 });
    expectClose(grey.subarray(0, 64), grey.subarray(128), 1e-6);
    const flat = augmented(noise(8), { ...noAugmentation, contrast: 0 });
    expectClose(flat, new Float32Array(192).fill(flat[0]!), 1e-6);
  });

  test("writes only its own image of the batch and leaves the source as it was", () => {
    const rgb = noise(5);
    const before = rgb.slice();
    const batch = new Float32Array(3 * 75).fill(-9);
    writeAugmented({ rgb, side: 5 }, drawAugmentation(createRng(3)), plain(5), batch, 75);
    expect([...new Set(batch.subarray(0, 75)), ...new Set(batch.subarray(150))]).toEqual([-9, -9]);
    expect(batch.subarray(75, 150)).not.toContain(-9);
    expect(rgb).toEqual(before);
    expect(() => writeAugmented({ rgb, side: 6 }, noAugmentation, plain(5), batch)).toThrow(RangeError);
    expect(() => writeAugmented({ rgb, side: 5 }, noAugmentation, plain(5), batch, 151)).toThrow(RangeError);
  });
});

/** Point by point: rotate about the centre of the crop, look up bilinearly, then one colour change after the other. */
function naive(rgb: Uint8Array, side: number, draw: Augmentation, size: number): Float64Array {
  const at = (x: number, y: number, channel: number): number => {
    const [left, top] = [Math.floor(x), Math.floor(y)];
    let value = 0;
    for (const [dx, dy] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ] as const) {
      const weight = Math.max(0, 1 - Math.abs(x - left - dx)) * Math.max(0, 1 - Math.abs(y - top - dy));
      const pixel = Math.min(top + dy, side - 1) * side + Math.min(left + dx, side - 1);
      value += weight * rgb[3 * pixel + channel]!;
    }
    return value;
  };
  const clamp = (value: number): number => Math.min(Math.max(value, 0), side - 1);
  const planes = new Float64Array(3 * size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const u = ((draw.mirrored ? size - 1 - column : column) + 0.5) / size - 0.5;
      const v = (row + 0.5) / size - 0.5;
      const [dx, dy] = [u * draw.crop.width * side, v * draw.crop.height * side];
      // The mirror comes after the turn: a mirrored picture has turned the other way round.
      const [cos, sin] = [Math.cos(draw.radians), Math.sin(draw.radians)];
      const x = clamp((draw.crop.left + draw.crop.width / 2) * side - 0.5 + cos * dx - sin * dy);
      const y = clamp((draw.crop.top + draw.crop.height / 2) * side - 0.5 + sin * dx + cos * dy);
      for (let channel = 0; channel < 3; channel++)
        planes[channel * size * size + row * size + column] = at(x, y, channel);
    }
  }
  return recoloured(planes, draw);
}

function recoloured(planes: Float64Array, draw: Augmentation): Float64Array {
  const n = planes.length / 3;
  const luma = (image: Float64Array, pixel: number): number =>
    0.299 * image[pixel]! + 0.587 * image[n + pixel]! + 0.114 * image[2 * n + pixel]!;
  const bright = planes.map((value) => draw.brightness * value);
  const mean = Array.from({ length: n }, (_, pixel) => luma(bright, pixel)).reduce((a, b) => a + b) / n;
  const contrasted = bright.map((value) => draw.contrast * value + (1 - draw.contrast) * mean);
  const saturated = contrasted.map((value, index) => {
    return draw.saturation * value + (1 - draw.saturation) * luma(contrasted, index % n);
  });
  return saturated.map((value) => Math.min(Math.max(value, 0), 255) / 255);
}
