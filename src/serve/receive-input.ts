/** @file The input of a request, by what the task reads. */

import type { StudentInput } from "../contracts.ts";
import type { RouterInput } from "../route/content.ts";
import type { AnyTask } from "../task.ts";
import type { InputPart } from "./decision-request.ts";
import { type ImageInputOptions, identifyImage, type ReceivedImage, receiveImage } from "./image-input.ts";
import type { RequestLife } from "./request-life.ts";
import { receiveRecord, receiveText } from "./text-input.ts";

/** What the student is shown at once, and the same with its identity, which for an image takes as long as decoding it. */
export type ReceivedInput = { readonly shown: StudentInput; readonly input: RouterInput | Promise<RouterInput> };

export type ReceiveOptions = {
  readonly task: AnyTask;
  readonly images: ImageInputOptions;
  readonly life: Pick<RequestLife, "signal">;
};

/**
 * At once where nothing need be fetched.
 * @throws RequestError 400 where the request brings another kind of input, 502 where an image cannot be fetched
 */
export function receiveInput(
  parts: readonly InputPart[],
  { task, images, life }: ReceiveOptions,
): ReceivedInput | Promise<ReceivedInput> {
  switch (task.input) {
    case "image":
      return fetched(receiveImage(parts, images, life.signal));
    case "text":
      return known(receiveText(parts));
    case "record":
      return known(receiveRecord(parts, task));
    default:
      return task.input satisfies never;
  }
}

async function fetched(receiving: Promise<ReceivedImage>): Promise<ReceivedInput> {
  const image = await receiving;
  const { bytes, mediaType } = image;
  return { shown: { kind: "image", bytes, mediaType }, input: identifyImage(image) };
}

const known = (input: RouterInput): ReceivedInput => ({ shown: input.content, input });
