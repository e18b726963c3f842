/**
 * @file Building ONNX graphs in TypeScript.
 *
 * ```ts
 * const g = createGraphBuilder("classifier");
 * const images = g.input("images", "float32", ["N", 3, 224, 224]);
 * const weight = g.parameter("stem.weight", floats(data, [16, 3, 3, 3]));
 * const stem = g.conv(images, weight, undefined, { strides: 2, pads: 1 });
 * g.output("logits", g.op("Flatten", [g.op("GlobalAveragePool", [g.op("Relu", [stem])])]), "float32", ["N", 16]);
 * const model = g.build();
 * ```
 *
 * Every operator goes through `op`; the few named methods exist because their attributes are easy to get wrong.
 * Names are unique: a repeated one gets a suffix, so that a block function can be called in a loop.
 */

import { FlywheelError } from "../errors.ts";
import { type AttributeInput, attributesFrom } from "./attributes.ts";
import type { Dimension, Graph, Model, Node, ValueInfo } from "./model.ts";
import { type DataType, floats, integers, type Tensor } from "./tensor.ts";

/** The operator set this builder speaks, and the ONNX IR version that goes with it. */
export const defaultOpset = 21;
const irVersion = 10;

/** A tensor in a graph under construction. Opaque: pass it on. */
export type Value = { readonly name: string };

export type ConvOptions = {
  /** One number for all spatial axes, or one each. Default 1. */
  readonly strides?: number | readonly number[];
  /** One number for all sides, or begins then ends as in ONNX. Default 0. */
  readonly pads?: number | readonly number[];
  readonly dilations?: number | readonly number[];
  /** Default 1; as many as channels makes it depthwise. */
  readonly group?: number;
};

export type OpOptions = {
  /** Also the stem of the output names. */
  readonly name?: string;
  readonly domain?: string;
};

export type GraphBuilder = {
  /** A true input; `dims` may hold symbols such as `"N"`. */
  input(name: string, dtype: DataType, dims: readonly Dimension[]): Value;
  /**
   * A named initialiser that training may change: it keeps exactly this name, so that weights can be found again.
   * @throws FlywheelError `onnx_duplicate_name`
   */
  parameter(name: string, value: Tensor): Value;
  /** An anonymous initialiser. Equal scalars and small vectors are shared. */
  constant(value: Tensor): Value;
  /** A float32 scalar constant. */
  scalar(value: number): Value;
  /** An int64 vector constant: shapes, axes, repeats. */
  shape(values: readonly number[]): Value;
  /** Any operator with one output. An `undefined` input is one that ONNX calls optional and absent. */
  op(
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes?: Readonly<Record<string, AttributeInput>>,
    options?: OpOptions,
  ): Value;
  /** Any operator with `count` outputs. */
  ops(
    count: number,
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes?: Readonly<Record<string, AttributeInput>>,
    options?: OpOptions,
  ): readonly Value[];
  /** `input` `[N, C, H, W]`, `weight` `[O, C / group, kH, kW]`, `bias` `[O]`. */
  conv(input: Value, weight: Value, bias: Value | undefined, options?: ConvOptions & OpOptions): Value;
  /** `input` `[N, C]` times `weight` `[K, C]` transposed (as PyTorch stores it) plus `bias` `[K]` → `[N, K]`. */
  linear(input: Value, weight: Value, bias?: Value, options?: OpOptions): Value;
  /** Makes `value` a graph output called `name`. Without `dtype` its type and shape are left for ONNX Runtime to infer. */
  output(name: string, value: Value, dtype?: DataType, dims?: readonly Dimension[]): void;
  /** Copies a node as it is; used when a graph is rewritten. Its names must be free. */
  node(node: Node): void;
  /** The graph so far. The builder may be used on. */
  build(options?: { readonly metadata?: Readonly<Record<string, string>>; readonly producer?: string }): Model;
};

export type GraphBuilderOptions = {
  /** Start as a copy of this graph; its outputs excepted, which are to be declared again. */
  readonly from?: Graph;
  /** Names that generated values must not take, because nodes copied later bring them. */
  readonly reserved?: Iterable<string>;
};

/** An empty graph, or a copy to go on from. */
export function createGraphBuilder(name = "graph", { from, reserved = [] }: GraphBuilderOptions = {}): GraphBuilder {
  const nodes: Node[] = [...(from?.nodes ?? [])];
  const initialisers = new Map(from?.initialisers);
  const inputs: ValueInfo[] = [...(from?.inputs ?? [])];
  const outputs: ValueInfo[] = [];
  const taken = new Set([
    ...initialisers.keys(),
    ...inputs.map((each) => each.name),
    ...nodes.flatMap((n) => n.outputs),
  ]);
  const avoided = new Set(reserved);
  const counters = new Map<string, number>();
  const shared = new Map<string, Value>();

  const claim = (wanted: string): string => {
    if (taken.has(wanted)) {
      throw new FlywheelError("onnx_duplicate_name", `"${wanted}" is already a value of graph "${name}"`, {
        hint: "give each parameter, input and output its own name",
      });
    }
    taken.add(wanted);
    return wanted;
  };
  const unique = (stem: string): string => {
    for (;;) {
      const count = counters.get(stem) ?? 0;
      counters.set(stem, count + 1);
      const candidate = count === 0 ? stem : `${stem}.${count}`;
      if (!taken.has(candidate) && !avoided.has(candidate)) return claim(candidate);
    }
  };

  const builder: GraphBuilder = {
    input(inputName, dtype, dims) {
      inputs.push({ name: claim(inputName), dtype, dims: [...dims] });
      return { name: inputName };
    },
    parameter(parameterName, value) {
      initialisers.set(claim(parameterName), value);
      return { name: parameterName };
    },
    constant(value) {
      const key = value.data.length <= 16 ? `${value.dtype}[${value.dims}]${[...value.data].join()}` : undefined;
      const existing = key === undefined ? undefined : shared.get(key);
      if (existing) return existing;
      const made = { name: unique("const") };
      initialisers.set(made.name, value);
      if (key !== undefined) shared.set(key, made);
      return made;
    },
    scalar: (value) => builder.constant(floats([value], [])),
    shape: (values) => builder.constant(integers(values)),
    op: (...given) => builder.ops(1, ...given)[0]!,
    ops(count, opType, given, attributes = {}, options = {}) {
      const stem = options.name ?? opType;
      const made = Array.from({ length: count }, () => unique(stem));
      nodes.push({
        opType,
        domain: options.domain ?? "",
        name: made[0]!,
        inputs: trimmed(given),
        outputs: made,
        attributes: attributesFrom(attributes),
      });
      return made.map((each) => ({ name: each }));
    },
    conv(input, weight, bias, options = {}) {
      const { strides = 1, pads = 0, dilations = 1, group = 1, ...rest } = options;
      const attributes = { strides: spread(strides, 2), pads: spread(pads, 4), dilations: spread(dilations, 2), group };
      return builder.op("Conv", [input, weight, bias], attributes, rest);
    },
    linear: (input, weight, bias, options) => builder.op("Gemm", [input, weight, bias], { transB: 1 }, options),
    output(outputName, value, dtype, dims) {
      const isRenamed = outputName !== value.name;
      if (isRenamed) builder.node(identity(value.name, claim(outputName)));
      outputs.push({ name: outputName, dtype, dims: dims && [...dims] });
    },
    node(node) {
      for (const each of node.outputs) if (each !== "") taken.add(each);
      nodes.push(node);
    },
    build: ({ metadata = {}, producer = "flywheel" } = {}) => ({
      graph: {
        name,
        nodes: [...nodes],
        initialisers: new Map(initialisers),
        inputs: [...inputs],
        outputs: [...outputs],
      },
      opsets: opsetsOf(nodes),
      irVersion,
      producer,
      metadata,
    }),
  };
  return builder;
}

function spread(value: number | readonly number[], count: number): readonly number[] {
  return typeof value === "number" ? Array.from({ length: count }, () => value) : value;
}

/** ONNX drops absent inputs at the end and writes `""` for those in between. */
function trimmed(values: readonly (Value | undefined)[]): string[] {
  const last = values.findLastIndex((value) => value !== undefined);
  return values.slice(0, last + 1).map((value) => value?.name ?? "");
}

function identity(input: string, output: string): Node {
  return { opType: "Identity", domain: "", name: output, inputs: [input], outputs: [output], attributes: {} };
}

/** Contributed operator sets are all at version 1. */
function opsetsOf(nodes: readonly Node[]): Record<string, number> {
  const contributed = nodes.map((node) => node.domain).filter((domain) => domain !== "");
  return { "": defaultOpset, ...Object.fromEntries([...new Set(contributed)].map((domain) => [domain, 1])) };
}
