/**
 * @file A real student of two classes that a test can steer: an ONNX graph that averages the picture's colour. More red is
 * an apple, more green a pear, and the blue makes pictures of the same meaning differ.
 */

import sharp from "sharp";
import type { Student } from "../../contracts.ts";
import { prepareImage } from "../../image/prepare.ts";
import { createGraphBuilder } from "../../onnx/builder.ts";
import type { Model } from "../../onnx/model.ts";
import { openSession } from "../../onnx/session.ts";
import { floats } from "../../onnx/tensor.ts";
import { type LabelValue, modelId } from "../../records.ts";
import { classes, hashOf } from "../../route/testing/names.ts";

const SIDE = 8;
/** Nats per unit of colour: one step of a byte moves the logit by 0.04. */
const STEEPNESS = 10;
export const preprocessing = { size: SIDE, resize: SIDE, mean: [0, 0, 0], std: [1, 1, 1] } as const;

export function colourModel(): Model {
  const g = createGraphBuilder("colour");
  const images = g.input("images", "float32", ["N", 3, SIDE, SIDE]);
  const mean = g.op("Flatten", [g.op("GlobalAveragePool", [images])]);
  const weight = g.parameter("weight", floats([STEEPNESS, 0, 0, 0, STEEPNESS, 0], [2, 3]));
  g.output("logits", g.linear(mean, weight), "float32", ["N", 2]);
  return g.build();
}

/** @param name of the model, as `promote` registers it */
export async function openColourStudent(name: string, labels: readonly LabelValue[] = classes): Promise<Student> {
  const session = await openSession(colourModel(), { threads: 1 });
  return {
    modelId: modelId(hashOf(name)),
    classes: labels,
    preprocessing,
    async predictLogits(batch) {
      const rows = batch.map((input) => {
        if (input.kind !== "image") throw new TypeError("the colour student reads images");
        return prepareImage(input.bytes, preprocessing);
      });
      const pixels = (await Promise.all(rows)).flatMap((row) => [...row]);
      const { logits } = await session.run({ images: floats(pixels, [batch.length, 3, SIDE, SIDE]) });
      if (logits?.dtype !== "float32") throw new TypeError("the colour student gave no logits");
      return logits.data;
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** A picture that the colour student calls `label` at about `confidence`; another one for every `nth` up to 255. */
export async function photo(label: (typeof classes)[number], confidence: number, nth = 0): Promise<Buffer> {
  const more = Math.round(128 + (255 * Math.log(confidence / (1 - confidence))) / STEEPNESS);
  const [red, green] = label === "apple" ? [more, 128] : [128, more];
  const background = { r: red, g: green, b: nth };
  return await sharp({ create: { width: 16, height: 12, channels: 3, background } })
    .png()
    .toBuffer();
}

export const dataUrl = (image: Uint8Array, mediaType = "image/png"): string =>
  `data:${mediaType};base64,${Buffer.from(image).toString("base64")}`;
