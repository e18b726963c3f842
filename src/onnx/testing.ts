/** @file Helpers that only tests import. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { createRng } from "../math/random.ts";
import { createGraphBuilder, type GraphBuilder, type Value } from "./builder.ts";
import { differentiate } from "./differentiate.ts";
import { inferTypes } from "./infer-types.ts";
import { lower } from "./lower/lower.ts";
import { portableTarget } from "./lower/target.ts";
import type { Model } from "./model.ts";
import { writeOnnx } from "./proto.ts";
import { onnxSchema } from "./proto-schema.ts";
import { openSession } from "./session.ts";
import { elementCount, floats, type TensorOf } from "./tensor.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The path of a file of the shared test data, or `undefined` where that data is absent (tests then skip). */
export function sharedFile(path: string): string | undefined {
  const full = `${process.env["FLYWHEEL_SHARED"] ?? `${root}../shared`}/${path}`;
  return existsSync(full) ? full : undefined;
}

type Outside = { readonly location: string; readonly offset: string; readonly length: string | undefined };
type OnnxMessage = {
  graph: {
    initializer: { rawData: Uint8Array; dataLocation: number; externalData: { key: string; value: string }[] }[];
  };
};

/**
 * A model as PyTorch's exporter writes it: the initialisers' bytes in a second file, at multiples of 64.
 * @param change what the first tensor says of itself instead
 */
export function inTwoFiles(
  model: Model,
  location: string,
  change: Partial<Outside> = {},
): { readonly onnx: Uint8Array; readonly data: Uint8Array } {
  const ModelProto = protobuf.Root.fromJSON(onnxSchema).lookupType("ModelProto");
  const message = ModelProto.decode(writeOnnx(model)) as unknown as OnnxMessage; // what `onnxSchema` describes
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const tensor of message.graph.initializer) {
    const offset = Math.ceil(end / 64) * 64;
    parts.push(new Uint8Array(offset - end), tensor.rawData);
    end = offset + tensor.rawData.byteLength;
    const plain = { location, offset: String(offset), length: String(tensor.rawData.byteLength) };
    const said = tensor === message.graph.initializer[0] ? { ...plain, ...change } : plain;
    tensor.externalData = Object.entries(said).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));
    tensor.dataLocation = 1;
    tensor.rawData = new Uint8Array();
  }
  return { onnx: ModelProto.encode(message).finish(), data: Buffer.concat(parts) };
}

type Floats = TensorOf<"float32">;

/** Standard normal draws, reproducible by seed. */
export function randomTensor(dims: readonly number[], seed: string): Floats {
  const rng = createRng(seed);
  return floats(
    Float32Array.from({ length: elementCount(dims) }, () => rng.normal()),
    dims,
  );
}

export type GradientCase = {
  /** Named float32 inputs; the function is differentiated with respect to all of them. */
  readonly inputs: Readonly<Record<string, Floats>>;
  readonly build: (g: GraphBuilder, inputs: Readonly<Record<string, Value>>) => Value | readonly Value[];
};

/** A model of the function, its inputs fixed in size, its results called `y0`, `y1`, … */
export function modelOf({ inputs, build }: GradientCase): Model {
  const g = createGraphBuilder("case");
  const values = Object.entries(inputs).map(([name, { dims }]) => [name, g.input(name, "float32", dims)] as const);
  const built = build(g, Object.fromEntries(values));
  const results = "name" in built ? [built] : built;
  for (const [index, value] of results.entries()) g.output(`y${index}`, value);
  return g.build();
}

/** `lower` in the variant under test. */
export type Lowering = (model: Model, types: Awaited<ReturnType<typeof inferTypes>>) => Model;
const portable: Lowering = (model, types) => lower(model, { types, target: portableTarget });

/** Gradients of Σ cotangent · y with respect to every input, by differentiating the graph. */
export async function gradientsOf(c: GradientCase, lowering: Lowering = portable): Promise<Record<string, Floats>> {
  const model = modelOf(c);
  const types = new Map(await inferTypes(model, {}));
  const g = createGraphBuilder("gradient", { from: model.graph });
  const feeds: Record<string, Floats> = { ...c.inputs };
  const seeds = model.graph.outputs.map(({ name }): [string, Value] => {
    const { dims } = types.get(name)!;
    feeds[`d${name}`] = cotangent(name, dims);
    return [name, g.input(`d${name}`, "float32", dims)];
  });
  const withRespectTo = Object.keys(c.inputs);
  const gradients = differentiate({ builder: g, graph: model.graph, types, seeds: new Map(seeds), withRespectTo });
  for (const [name, gradient] of gradients) g.output(`d/${name}`, gradient);
  await using session = await openSession(lowering(g.build(), types), { threads: 1 });
  const results = await session.run(feeds);
  return Object.fromEntries(withRespectTo.map((name) => [name, results[`d/${name}`] as Floats])); // float32 in, float32 out
}

const cotangent = (name: string, dims: readonly number[]): Floats => randomTensor(dims, `cotangent ${name}`);

/**
 * Compares each gradient with central differences along `directions` random directions. The objective is summed in float64
 * over float32 outputs, whose rounding (6e-8 relative) over a step of 1e-2 leaves about four digits: hence `rtol`.
 */
export async function expectGradients(
  c: GradientCase,
  { rtol = 3e-3, step = 1e-2, directions = 3 } = {},
): Promise<void> {
  const gradients = await gradientsOf(c);
  await using session = await openSession(modelOf(c), { threads: 1 });
  const objective = async (feeds: Readonly<Record<string, Floats>>): Promise<number> => {
    const results = Object.entries(await session.run(feeds));
    return results.reduce(
      (sum, [name, value]) => sum + dot(value.data as Float32Array, cotangent(name, value.dims).data),
      0,
    );
  };
  for (const [name, value] of Object.entries(c.inputs)) {
    for (let draw = 0; draw < directions; draw++) {
      const direction = randomTensor(value.dims, `direction ${name} ${draw}`);
      const moved = (by: number): Floats =>
        floats(
          value.data.map((x, i) => x + by * direction.data[i]!),
          value.dims,
        );
      const ahead = await objective({ ...c.inputs, [name]: moved(step) });
      const behind = await objective({ ...c.inputs, [name]: moved(-step) });
      const numeric = (ahead - behind) / (2 * step);
      const analytic = dot(gradients[name]!.data, direction.data);
      const scale = Math.sqrt(dot(gradients[name]!.data, gradients[name]!.data)) + 1e-3;
      if (!(Math.abs(numeric - analytic) <= rtol * (Math.abs(numeric) + scale))) {
        throw new Error(`gradient of ${name}, direction ${draw}: differences give ${numeric}, the rule ${analytic}`);
      }
    }
  }
}

function dot(left: Float32Array, right: Float32Array): number {
  return left.reduce((sum, value, index) => sum + value * right[index]!, 0);
}
