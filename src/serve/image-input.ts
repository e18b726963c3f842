/**
 * @file The image of a request: from a data URL, or from a host that the operator has allowed.
 *
 * Fetching any address that a caller names would let the caller reach what only this machine can (SSRF), so http(s) is off
 * until hosts are listed; redirects are not followed, for they would lead off the list.
 */

import { FlywheelError, messageOf } from "../errors.ts";
import { decodeImage, identityOf } from "../image/decode.ts";
import { requireMediaType } from "../image/open-image.ts";
import { rowId } from "../records.ts";
import type { RouterInput } from "../route/content.ts";
import type { InputPart } from "./decision-request.ts";
import { RequestError } from "./request-error.ts";

export type ImageInputOptions = {
  /** `cdn.example.com` or `cdn.example.com:8443`: hosts from which images may be fetched. */
  readonly imageHosts: readonly string[];
  readonly maxImageBytes: number;
  readonly fetch?: typeof globalThis.fetch;
};

/** The hosts in `FLYWHEEL_IMAGE_HOSTS`, separated by commas or white space. */
export function imageHostsFrom(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return (env["FLYWHEEL_IMAGE_HOSTS"] ?? "").split(/[\s,]+/).filter((host) => host !== "");
}

export type ReceivedImage = { readonly bytes: Uint8Array; readonly mediaType: string; readonly param: string };

/**
 * The one image among the parts, not yet decoded.
 * @throws RequestError 400 for anything but one image, 502 where an allowed host does not give it
 */
export async function receiveImage(
  parts: readonly InputPart[],
  options: ImageInputOptions,
  signal: AbortSignal,
): Promise<ReceivedImage> {
  const { url, param } = theImage(parts);
  const bytes = url.startsWith("data:") ? readDataUrl(url, param) : await fetchImage({ url, param }, options, signal);
  return { bytes, mediaType: await orBadImage(param, () => requireMediaType(bytes)), param };
}

/**
 * The image decoded, and named by what it shows.
 * @throws RequestError 400 where it cannot be decoded
 */
export async function identifyImage({ bytes, param }: ReceivedImage): Promise<RouterInput> {
  const image = await orBadImage(param, () => decodeImage(bytes));
  const { width, height, mediaType } = image;
  return { rowId: rowId(identityOf(image)), content: { kind: "image", bytes, mediaType, width, height } };
}

async function orBadImage<T>(param: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (thrown) {
    if (!FlywheelError.isInstance(thrown)) throw thrown;
    const hint = thrown.hint === undefined ? {} : { hint: thrown.hint };
    throw new RequestError(400, thrown.code, thrown.message, { param, cause: thrown, ...hint });
  }
}

type Place = { readonly url: string; readonly param: string };

function theImage(parts: readonly InputPart[]): Place {
  const images: Place[] = [];
  for (const { part, param } of parts) {
    if (part.type === "input_image") images.push({ url: part.image_url, param: `${param}.image_url` });
    else if (part.type !== "input_text" || part.text.trim() !== "") throw notAnImage(param);
  }
  const [image, second] = images;
  if (!image) throw notAnImage("input");
  if (second) {
    throw new RequestError(400, "unsupported_input", "one request is about one image", {
      param: second.param,
      hint: "send one request for each image",
    });
  }
  return image;
}

/** Text beside the image would not be read, and an answer that ignores it would be wrong without a word. */
function notAnImage(param: string): RequestError {
  return new RequestError(400, "unsupported_input", "the task reads one image and nothing else", {
    param,
    hint: 'send input: [{ role: "user", content: [{ type: "input_image", image_url: "data:image/jpeg;base64,…" }] }]',
  });
}

/** The type that the URL claims is not believed: the decoder looks at the bytes. */
function readDataUrl(url: string, param: string): Uint8Array {
  const comma = url.indexOf(",");
  const base64 = url.slice(comma + 1);
  const isBase64 = comma >= 0 && url.slice(0, comma).toLowerCase().endsWith(";base64");
  if (!isBase64 || !isBase64Text(base64)) {
    throw new RequestError(400, "invalid_image_url", "the data URL is not base64", {
      param,
      hint: "write data:image/jpeg;base64, followed by the file in base64",
    });
  }
  return Buffer.from(base64, "base64");
}

/** Letters, digits and white space, then at most two equals signs. Each step looks at a letter once. */
function isBase64Text(text: string): boolean {
  const padding = text.indexOf("=");
  const letters = padding < 0 ? text : text.slice(0, padding);
  return !/[^A-Za-z0-9+/\s]/.test(letters) && (padding < 0 || ["=", "=="].includes(text.slice(padding).trim()));
}

async function fetchImage(place: Place, options: ImageInputOptions, signal: AbortSignal): Promise<Uint8Array> {
  const url = requireAllowed(place, options.imageHosts);
  const { fetch = globalThis.fetch } = options;
  try {
    const response = await fetch(url, { redirect: "error", signal });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return await readAtMost(response, options.maxImageBytes);
  } catch (thrown) {
    signal.throwIfAborted();
    throw new RequestError(502, "image_unreachable", `${url.host} did not give the image: ${messageOf(thrown)}`, {
      param: place.param,
      hint: "send the image as a data URL",
      cause: thrown,
    });
  }
}

function requireAllowed({ url, param }: Place, imageHosts: readonly string[]): URL {
  const parsed = URL.parse(url);
  if (!parsed || !["http:", "https:"].includes(parsed.protocol)) {
    throw new RequestError(400, "invalid_image_url", "image_url is no data URL and no http(s) URL", { param });
  }
  if (imageHosts.includes(parsed.host) && parsed.username === "" && parsed.password === "") return parsed;
  throw new RequestError(400, "image_url_not_allowed", `images are not fetched from ${parsed.host}`, {
    param,
    hint: `send the image as a data URL, or have the operator set FLYWHEEL_IMAGE_HOSTS=${parsed.host}`,
  });
}

async function readAtMost(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
