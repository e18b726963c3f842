/**
 * @file Weights into a network, by name: from a `.safetensors` or `.onnx` file, or from a hub.
 *
 * The classifier is dropped where its number of classes differs from the task's, and drawn anew. Everything else must
 * fit exactly: a network that is half pretrained by accident trains, but badly, and nobody sees why.
 */

import { readFile } from "node:fs/promises";
import { FlywheelError, messageOf } from "../../errors.ts";
import type { Model } from "../../onnx/model.ts";
import { pathsOfOnnxFile, readOnnxFile } from "../../onnx/onnx-file.ts";
import { readSafetensors } from "../../onnx/safetensors.ts";
import { floats, type Tensor } from "../../onnx/tensor.ts";
import { sha256OfFiles } from "../download.ts";
import { isMissing } from "../download-part.ts";
import { fetchExternalData, fetchFromHub, type HubName, type HubOptions, parseHubName } from "../hub.ts";
import { isParameterName, isStatisticName } from "./build-network.ts";

/**
 * The path of a weights file: `weights` itself, or what a hub name resolves to in the cache.
 * @throws FlywheelError `weights_not_found`, `weights_corrupt`, `weights_unavailable`, `weights_bad_name`, `onnx_external_data`
 */
export async function resolveWeights(weights: string, options: HubOptions): Promise<string> {
  const hubName = parseHubName(weights);
  if (hubName && !isOnnx(hubName.file)) return await fetchFromHub(hubName, options);
  const path = hubName ? await fetchNetwork(hubName, options) : weights;
  if (options.sha256 !== undefined) await checkHash(path, options.sha256);
  return path;
}

const isOnnx = (path: string): boolean => path.endsWith(".onnx");

/** An ONNX file and those beside it that hold its tensors. A hash of all of them can only be checked once all are there. */
async function fetchNetwork(name: HubName, options: HubOptions): Promise<string> {
  const path = await fetchFromHub(name, { ...options, sha256: undefined });
  await fetchExternalData(name, path, options);
  return path;
}

async function checkHash(path: string, expected: string): Promise<void> {
  const found = await sha256OfWeights(path);
  if (found === expected) return;
  throw new FlywheelError("weights_corrupt", `${path} has SHA-256 ${found}, expected ${expected}`, {
    hint: "check weightsSha256 in the task's student options; of an .onnx file with tensors in a .data file, it is that of both: cat NAME.onnx NAME.onnx.data | sha256sum",
  });
}

/**
 * The identity of weights, 64 hex digits: the file's SHA-256, or that of an `.onnx` file followed by the files beside it that
 * hold its tensors, in order of name.
 * @throws FlywheelError `weights_not_found`, `onnx_external_data`
 */
export async function sha256OfWeights(path: string): Promise<string> {
  return await reading(path, async () => sha256OfFiles(isOnnx(path) ? await pathsOfOnnxFile(path) : [path]));
}

/**
 * The tensors of a `.safetensors` or `.onnx` file, by name.
 * @throws FlywheelError `weights_not_found`, `weights_unknown_format`, `safetensors_corrupt`, or what `readOnnx` throws
 */
export async function readWeights(path: string): Promise<ReadonlyMap<string, Tensor>> {
  if (isOnnx(path)) return (await reading(path, () => readOnnxFile(path))).graph.initialisers;
  const bytes = await reading(path, () => readFile(path));
  if (path.endsWith(".safetensors")) return readSafetensors(bytes).tensors;
  throw new FlywheelError("weights_unknown_format", `cannot tell what ${path} is`, {
    hint: "give a .safetensors or .onnx file, or hf:ORGANISATION/REPOSITORY",
  });
}

async function reading<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new FlywheelError("weights_not_found", `there is no file ${path}: ${messageOf(cause)}`, {
      hint: "check `weights` in the task's student options; relative paths start at the workspace",
      cause,
    });
  }
}

/**
 * A copy of `network` (from `buildNetwork`) with the weights in place of its own; float16, bfloat16 and float64 become
 * float32. `classifier.*` is kept as it was where its class count differs.
 * @throws FlywheelError `weights_mismatch` naming missing, unexpected and misshapen parameters
 */
export function applyWeights(network: Model, weights: ReadonlyMap<string, Tensor>): Model {
  const wanted = new Map([...network.graph.initialisers].filter(([name]) => isLearned(name)));
  const dropped = droppedHead(wanted, weights);
  const given = new Map([...weights].filter(([name]) => !isBookkeeping(name) && !dropped.has(name)));
  checkNames(wanted, given, dropped);
  const initialisers = new Map(network.graph.initialisers);
  for (const [name, value] of given) if (wanted.has(name)) initialisers.set(name, toFloat32(name, value));
  return { ...network, graph: { ...network.graph, initialisers } };
}

const isLearned = (name: string): boolean => isParameterName(name) || isStatisticName(name);

/** PyTorch counts batches beside the running statistics; ONNX exporters add anonymous constants. Neither is a weight. */
const isBookkeeping = (name: string): boolean => name.endsWith(".num_batches_tracked") || !isLearned(name);

function droppedHead(wanted: ReadonlyMap<string, Tensor>, weights: ReadonlyMap<string, Tensor>): ReadonlySet<string> {
  const classes = wanted.get("classifier.weight")?.dims[0];
  const theirs = weights.get("classifier.weight")?.dims[0];
  return new Set(classes === theirs ? [] : ["classifier.weight", "classifier.bias"]);
}

function checkNames(
  wanted: ReadonlyMap<string, Tensor>,
  given: ReadonlyMap<string, Tensor>,
  dropped: ReadonlySet<string>,
): void {
  const missing = [...wanted.keys()].filter((name) => !given.has(name) && !dropped.has(name));
  const unexpected = [...given.keys()].filter((name) => !wanted.has(name));
  const misshapen = [...given].flatMap(([name, { dims }]) => {
    const own = wanted.get(name)?.dims;
    return own === undefined || `${own}` === `${dims}` ? [] : [`${name} [${dims}], not [${own}]`];
  });
  const faults = [listed("missing", missing), listed("unexpected", unexpected), listed("of another shape", misshapen)];
  const found = faults.filter((fault) => fault !== "");
  if (found.length === 0) return;
  throw new FlywheelError("weights_mismatch", `the weights do not fit this network: ${found.join("; ")}`, {
    hint: 'the file must hold the same architecture under timm\'s names; for any other network use trainer "onnx"',
  });
}

const LISTED = 8;

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return "";
  const more = names.length > LISTED ? `, … (${names.length} in all)` : "";
  return `${what}: ${names.slice(0, LISTED).join(", ")}${more}`;
}

function toFloat32(name: string, value: Tensor): Tensor {
  const { dims } = value;
  switch (value.dtype) {
    case "float32":
      return value;
    case "float64":
      return floats(Float32Array.from(value.data), dims);
    case "float16":
      return floats(Float32Array.from(value.data, fromFloat16), dims);
    case "bfloat16":
      return floats(new Float32Array(Uint32Array.from(value.data, (bits) => bits << 16).buffer), dims);
    default:
      throw new FlywheelError("weights_mismatch", `the weight "${name}" is ${value.dtype}, not a float`, {
        hint: "quantised weights cannot be fine-tuned; give the float original",
      });
  }
}

/** IEEE 754 half precision. */
function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
