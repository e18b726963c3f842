/**
 * @file Brings a model of an older operator set up to the one this folder speaks, so that every rewrite sees one form of
 * each operator: axes, bounds and sizes as inputs, constants as initialisers.
 *
 * Covers the operators that have gradient rules (ONNX changelog, operator sets 7 to 21). Others are left as they are.
 */

import { FlywheelError } from "../errors.ts";
import { attributesFrom } from "./attributes.ts";
import { createGraphBuilder, defaultOpset, type GraphBuilder, type Value } from "./builder.ts";
import { constantOf, keepsWeightsInConstants } from "./constants.ts";
import { type Attributes, floatAttribute, intAttribute, intsAttribute, type Model, type Node } from "./model.ts";

const oldestOpset = 7;

/**
 * The same model at operator set 21 (or its own, if newer) with `Constant` nodes turned into initialisers,
 * but for those of real numbers, which as nodes are known for constants (`parameterNames`).
 * @throws FlywheelError `onnx_unsupported_feature` for operator sets before 7
 */
export function upgrade(model: Model): Model {
  const from = model.opsets[""] ?? defaultOpset;
  if (from < oldestOpset) {
    throw new FlywheelError("onnx_unsupported_feature", `operator set ${from} is older than ${oldestOpset}`, {
      hint: "convert the model with onnx.version_converter, or export it again",
    });
  }
  const { graph } = model;
  const reserved = graph.nodes.flatMap((node) => node.outputs);
  const g = createGraphBuilder(graph.name, { from: { ...graph, nodes: [] }, reserved });
  const areWeights = keepsWeightsInConstants(graph);
  for (const node of graph.nodes) {
    const constant = constantOf(node);
    if (constant && (constant.dtype !== "float32" || areWeights)) g.parameter(node.outputs[0]!, constant);
    else g.node(upgradeNode(g, node, from));
  }
  const built = g.build({ metadata: model.metadata, producer: model.producer });
  const opsets = { ...model.opsets, ...built.opsets, "": Math.max(from, defaultOpset) };
  return { ...built, graph: { ...built.graph, outputs: graph.outputs }, opsets };
}

/** The first operator set in which an operator's attribute became an input, and at which position. */
const becameInputs: Readonly<Record<string, { readonly since: number; readonly attributes: readonly string[] }>> = {
  Squeeze: { since: 13, attributes: ["axes"] },
  Unsqueeze: { since: 13, attributes: ["axes"] },
  ReduceSum: { since: 13, attributes: ["axes"] },
  ReduceMean: { since: 18, attributes: ["axes"] },
  Split: { since: 13, attributes: ["split"] },
  Slice: { since: 10, attributes: ["starts", "ends", "axes"] },
};

function upgradeNode(g: GraphBuilder, node: Node, from: number): Node {
  if (node.domain !== "") return node;
  const change = becameInputs[node.opType];
  if (change && from < change.since) return upgradeSplit(withInputs(g, node, change.attributes), from);
  switch (node.opType) {
    case "Clip":
      return from < 11 ? upgradeClip(g, node) : node;
    case "Pad":
      return from < 11 ? upgradePad(g, node) : node;
    case "Dropout":
      return from < 12 ? upgradeDropout(g, node) : node;
    case "Softmax":
    case "LogSoftmax":
      return from < 13 ? upgradeSoftmax(g, node) : node;
    case "BatchNormalization":
      return without(node, ["spatial", "is_test", "consumed_inputs"], 1);
    case "Split":
      return upgradeSplit(node, from);
    default:
      return node;
  }
}

function withInputs(g: GraphBuilder, node: Node, names: readonly string[]): Node {
  const made = names.map((name) => {
    const values = intsAttribute(node, name, undefined);
    return values && g.shape(values);
  });
  return appendInputs(without(node, names), made);
}

/** Adds inputs at the end, `""` for absent ones in between. */
function appendInputs(node: Node, values: readonly (Value | undefined)[]): Node {
  const last = values.findLastIndex((value) => value !== undefined);
  return { ...node, inputs: [...node.inputs, ...values.slice(0, last + 1).map((value) => value?.name ?? "")] };
}

function without(node: Node, names: readonly string[], outputs = node.outputs.length): Node {
  const kept: Attributes = Object.fromEntries(
    Object.entries(node.attributes).filter(([name]) => !names.includes(name)),
  );
  return { ...node, attributes: kept, outputs: node.outputs.slice(0, outputs) };
}

function upgradeClip(g: GraphBuilder, node: Node): Node {
  const bounds = ["min", "max"].map((name) => {
    const value = floatAttribute(node, name, Number.NaN);
    return Number.isNaN(value) ? undefined : g.scalar(value);
  });
  return appendInputs(without(node, ["min", "max"]), bounds);
}

function upgradePad(g: GraphBuilder, node: Node): Node {
  const pads = g.shape(intsAttribute(node, "pads", []));
  return appendInputs(without(node, ["pads", "value"]), [pads, g.scalar(floatAttribute(node, "value", 0))]);
}

function upgradeDropout(g: GraphBuilder, node: Node): Node {
  const ratio = g.scalar(floatAttribute(node, "ratio", 0.5));
  return appendInputs(without(node, ["ratio", "is_test"], 1), [ratio]);
}

/**
 * Before 13 the default axis was 1 and all axes from it on were flattened; for `[N, K]` that is the same thing. Exporters
 * of attention give the last axis by its number: flattened as the operator said, and brought back to shape.
 */
function upgradeSoftmax(g: GraphBuilder, node: Node): Node {
  const axis = intAttribute(node, "axis", 1);
  const onLast = { ...node, attributes: attributesFrom({ axis: -1 }) };
  if (axis === 1 || axis === -1) return onLast;
  const [x = ""] = node.inputs;
  const flat = g.op("Flatten", [{ name: x }], { axis });
  const { name } = g.op(node.opType, [flat], { axis: -1 }, { name: `${node.outputs[0]}/flat` });
  const shape = g.op("Shape", [{ name: x }]);
  return { ...node, opType: "Reshape", inputs: [name, shape.name], attributes: {} };
}

/** Without sizes, Split needs to be told the number of parts since 18. */
function upgradeSplit(node: Node, from: number): Node {
  if (node.opType !== "Split" || from >= 18 || node.inputs.length > 1) return node;
  return { ...node, attributes: { ...node.attributes, ...attributesFrom({ num_outputs: node.outputs.length }) } };
}
