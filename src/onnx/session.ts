/**
 * @file ONNX Runtime behind a narrow door: an explicit number of threads, tensors of our own kind, native memory freed by
 * `await using`, coded errors.
 *
 * `run` executes on the calling thread (the addon is synchronous behind its promise): a long graph holds the event loop
 * for its duration. Servers keep batches small; training runs in its own process or worker.
 */

import { InferenceSession, type OnnxValue, Tensor as OrtTensor } from "onnxruntime-node";
import { FlywheelError, messageOf } from "../errors.ts";
import type { Dimension, Model } from "./model.ts";
import { writeOnnx } from "./proto.ts";
import type { DataType, NumericType, Tensor } from "./tensor.ts";

const severities = ["verbose", "info", "warning", "error", "fatal"] as const;
export type LogLevel = (typeof severities)[number];

const optimisations = ["disabled", "basic", "extended", "layout", "all"] as const;
export type Optimisation = (typeof optimisations)[number];

export type SessionOptions = {
  /** Threads inside one operator, the calling one included. */
  readonly threads: number;
  /** Default `error`: ONNX Runtime warns about harmless things. */
  readonly logLevel?: LogLevel;
  /** How far ONNX Runtime rewrites the graph. Default `all`. */
  readonly optimisation?: Optimisation;
  /** Whether idle worker threads spin, which is faster alone and wasteful beside other work. Default false. */
  readonly spin?: boolean;
  /** Writes a Chrome trace of every operator to `${prefix}_<date>.json` when the session is disposed. */
  readonly profilePrefix?: string;
  /** Further `session.*` configuration entries of ONNX Runtime. */
  readonly config?: Readonly<Record<string, string>>;
};

/** Name, type and shape of an input or output as ONNX Runtime infers it: numbers where known, symbols elsewhere. */
export type Port = { readonly name: string; readonly dtype: DataType; readonly dims: readonly Dimension[] };

export type Feeds = Readonly<Record<string, Tensor>>;

export type RunOptions = {
  /** Outputs to compute; default all. */
  readonly outputs?: readonly string[];
  /** Arrays that outputs are written into, without a copy. Must not overlap any feed. */
  readonly into?: Feeds;
};

export interface Session extends AsyncDisposable {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /**
   * Runs the graph once. Numeric feeds are read in place, not copied.
   * @throws FlywheelError `onnx_unknown_name` for a feed or output the model does not have, `onnx_missing_feed`,
   * `onnx_run_failed`
   */
  run(feeds: Feeds, options?: RunOptions): Promise<Record<string, Tensor>>;
}

/**
 * Opens a model: a path, the bytes of a file, or a `Model`.
 * @throws FlywheelError `onnx_session_failed` when ONNX Runtime rejects it.
 */
export async function openSession(source: string | Uint8Array | Model, options: SessionOptions): Promise<Session> {
  checkOptions(options);
  const session = await create(source, sessionOptions(options));
  const inputs = session.inputMetadata.map(port);
  const outputs = session.outputMetadata.map(port);
  return {
    inputs,
    outputs,
    async run(feeds, runOptions = {}) {
      const wanted = runOptions.outputs ?? outputs.map((each) => each.name);
      checkNames(inputs, Object.keys(feeds), "feed");
      checkNames(outputs, wanted, "output");
      checkComplete(inputs, feeds);
      const into = runOptions.into ?? {};
      const fetches = Object.fromEntries(wanted.map((name) => [name, into[name] ? toOrt(into[name]) : null]));
      return fromResults(await execute(session, mapValues(feeds, toOrt), fetches));
    },
    async [Symbol.asyncDispose]() {
      if (options.profilePrefix !== undefined) session.endProfiling();
      await session.release();
    },
  };
}

function checkOptions({ threads }: SessionOptions): void {
  if (Number.isInteger(threads) && threads >= 1) return;
  throw new FlywheelError("onnx_bad_option", `threads must be a whole number of at least 1, got ${threads}`);
}

function sessionOptions(options: SessionOptions): InferenceSession.SessionOptions {
  const { threads, logLevel = "error", optimisation = "all", spin = false, profilePrefix, config = {} } = options;
  return {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: optimisation,
    logSeverityLevel: severities.indexOf(logLevel) as 0 | 1 | 2 | 3 | 4, // index into a list of five
    extra: { "session.intra_op.allow_spinning": spin ? "1" : "0", ...config },
    ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
  };
}

async function create(
  source: string | Uint8Array | Model,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  try {
    if (typeof source === "string") return await InferenceSession.create(source, options);
    return await InferenceSession.create(source instanceof Uint8Array ? source : writeOnnx(source), options);
  } catch (cause) {
    throw new FlywheelError("onnx_session_failed", `ONNX Runtime cannot open the model: ${messageOf(cause)}`, {
      hint: "check the path, and that the model's operators and operator-set version are supported",
      cause,
    });
  }
}

async function execute(
  session: InferenceSession,
  feeds: Record<string, OrtTensor>,
  fetches: Record<string, OrtTensor | null>,
): Promise<InferenceSession.OnnxValueMapType> {
  try {
    return await session.run(feeds, fetches);
  } catch (cause) {
    throw new FlywheelError("onnx_run_failed", `ONNX Runtime failed while running the graph: ${messageOf(cause)}`, {
      hint: "compare the shapes of the feeds with the model's inputs",
      cause,
    });
  }
}

function port(metadata: InferenceSession.ValueMetadata): Port {
  if (!metadata.isTensor) {
    throw new FlywheelError("onnx_unsupported_feature", `"${metadata.name}" is not a tensor`, {
      hint: "export tensor outputs (for tree ensembles: no ZipMap)",
    });
  }
  // Ours lists every element type that ONNX Runtime for Node can carry, under the same names.
  return {
    name: metadata.name,
    dtype: metadata.type as DataType,
    dims: metadata.shape.map(dimension),
  };
}

const dimension = (size: number | string): Dimension => (size === "" ? undefined : size);

function checkNames(ports: readonly Port[], names: readonly string[], what: string): void {
  const unknown = names.find((name) => !ports.some((each) => each.name === name));
  if (unknown === undefined) return;
  throw new FlywheelError("onnx_unknown_name", `the model has no ${what} "${unknown}"`, {
    hint: `it has: ${ports.map((each) => each.name).join(", ")}`,
  });
}

function checkComplete(inputs: readonly Port[], feeds: Feeds): void {
  const missing = inputs.find((each) => feeds[each.name] === undefined);
  if (missing) throw new FlywheelError("onnx_missing_feed", `input "${missing.name}" was not given`);
}

function toOrt(value: Tensor): OrtTensor {
  if (value.dtype === "string") return new OrtTensor("string", [...value.data], value.dims);
  if (value.dtype === "bfloat16") {
    throw new FlywheelError("onnx_unsupported_feature", "bfloat16 tensors cannot be fed", { hint: "cast to float32" });
  }
  return new OrtTensor(value.dtype, value.data, value.dims);
}

function fromResults(results: InferenceSession.OnnxValueMapType): Record<string, Tensor> {
  return mapValues(results as Record<string, OnnxValue>, fromOrt);
}

function fromOrt(value: OnnxValue): Tensor {
  const { type, dims, data } = value as OrtTensor; // `port` has refused everything that is not a tensor
  return { dtype: type as NumericType, dims, data } as Tensor; // the runtime pairs each type with its array as we do
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, transform: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, transform(value)]));
}
