/** @file The input of a request, by what the task reads. */

import type { StudentInput } from "../contracts.ts";
import type { RouterInput } from "../route/content.ts";
import type { AnyTask } from "../task.ts";
import type { InputPart } from "./decision-request.ts";
import { type ImageInputOptions, identifyImage, receiveImage } from "./image-input.ts";
import { receiveRecord, receiveText } from "./text-input.ts";

/** What the student is shown at once, and the same with its identity, which for an image takes as long as decoding it. */
export type ReceivedInput = { readonly shown: StudentInput; readonly input: Promise<RouterInput> };

export type ReceiveOptions = {
  readonly task: AnyTask;
  readonly images: ImageInputOptions;
  readonly signal: AbortSignal;
};

/** @throws RequestError 400 where the request brings another kind of input, 502 where an image cannot be fetched */
export async function receiveInput(
  parts: readonly InputPart[],
  { task, images, signal }: ReceiveOptions,
): Promise<ReceivedInput> {
  switch (task.input) {
    case "image": {
      const image = await receiveImage(parts, images, signal);
      const { bytes, mediaType } = image;
      return { shown: { kind: "image", bytes, mediaType }, input: identifyImage(image) };
    }
    case "text":
      return known(receiveText(parts));
    case "record":
      return known(receiveRecord(parts, task));
    default:
      return task.input satisfies never;
  }
}

function known(input: RouterInput): ReceivedInput {
  return { shown: input.content, input: Promise.resolve(input) };
}
