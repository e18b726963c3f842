/**
 * @file What a network says of images: logits, and the features that its last layer reads where others are to read them too
 * (neighbours, a committee of heads).
 */

import type { StudentInput } from "../../contracts.ts";
import { FlywheelError } from "../../errors.ts";
import { writeNormalised } from "../../image/prepare.ts";
import type { Session } from "../../onnx/session.ts";
import { floats, type Tensor } from "../../onnx/tensor.ts";
import type { ImagePreprocessing } from "../../records.ts";
import { inputName } from "./image-input.ts";
import type { PixelReader } from "./remembered-pixels.ts";

export type Heard = {
  /** `[classes]` */
  readonly logits: Float32Array;
  /** `[1, width]`; absent where the network has no such output. */
  readonly features: Tensor | undefined;
};

export type Hearing = {
  /** One prepared image, and nothing but its logits. */
  logitsOf(image: Float32Array): Promise<Float32Array>;
  /** Whether an input has been heard already. */
  has(input: StudentInput): boolean;
  /** @throws FlywheelError `student_wrong_input`, and as `prepareImage` */
  prepare(input: StudentInput): Promise<Float32Array>;
  hear(input: StudentInput, prepared?: Float32Array): Promise<Heard>;
};

type HearingOptions = {
  readonly session: Session;
  readonly preprocessing: ImagePreprocessing;
  /** The output that the features come out of. */
  readonly features: string | undefined;
  readonly pixelsOf: PixelReader;
};

/**
 * Whoever asks for the logits of an input asks for its novelty and its committee next: decoding it and running the network again
 * would double what an answer costs. An input is never changed, so what was heard of it holds for as long as it lives.
 */
export function hearingOf({ session, preprocessing, features, pixelsOf }: HearingOptions): Hearing {
  const dims = [1, 3, preprocessing.size, preprocessing.size];
  const outputs = features === undefined ? ["logits"] : ["logits", features];
  const heardOf = new WeakMap<StudentInput, Heard>();
  const run = async (image: Float32Array, fetched: readonly string[]): Promise<Heard> => {
    const said = await session.run({ [inputName]: floats(image, dims) }, { outputs: fetched });
    return {
      logits: said["logits"]!.data as Float32Array,
      features: features === undefined ? undefined : said[features],
    };
  };
  const prepare = async (input: StudentInput): Promise<Float32Array> => {
    if (input.kind !== "image") {
      throw new FlywheelError("student_wrong_input", `this student takes images, it was given a ${input.kind}`, {
        hint: "check the task's input kind",
      });
    }
    const image = new Float32Array(3 * preprocessing.size ** 2);
    writeNormalised(await pixelsOf(input.bytes, preprocessing), preprocessing, image);
    return image;
  };
  return {
    logitsOf: async (image) => (await run(image, ["logits"])).logits,
    has: (input) => heardOf.has(input),
    prepare,
    async hear(input, prepared) {
      const known = heardOf.get(input);
      if (known) return known;
      const heard = await run(prepared ?? (await prepare(input)), outputs);
      if (features !== undefined) heardOf.set(input, heard);
      return heard;
    },
  };
}
