/**
 * @file Reading and writing `.onnx` bytes. Everything that protobuf imposes (longs, oneofs, four places where a tensor's
 * elements may sit) stays in this file and `proto-tensor.ts`; the rest of the folder sees `model.ts`.
 */

import protobuf from "protobufjs";
import { FlywheelError, messageOf } from "../errors.ts";
import { checkGraph } from "./check-graph.ts";
import { type Notes, withConstantsAsNodes } from "./exporter-notes.ts";
import { type ExternalFiles, type ExternalReference, locationsOf, noExternalFiles } from "./external-data.ts";
import type { Attribute, Attributes, Dimension, Graph, Model, Node, ValueInfo } from "./model.ts";
import { onnxSchema } from "./proto-schema.ts";
import {
  dataTypeOf,
  type Int64Wire,
  numberOfInt64,
  readTensor,
  referenceOf,
  type TensorMessage,
  writeTensor,
} from "./proto-tensor.ts";
import { dataTypeCodes } from "./tensor.ts";

const ModelProto = protobuf.Root.fromJSON(onnxSchema).lookupType("ModelProto");

/** `AttributeProto.AttributeType`. */
const attributeTypes = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7, strings: 8 } as const;

type StringPair = { key: string; value: string };
type AttributeMessage = {
  name: string;
  refAttrName?: string;
  type: number;
  f?: number;
  i?: Int64Wire;
  s?: Uint8Array;
  t?: TensorMessage;
  g?: GraphMessage;
  floats?: number[];
  ints?: Int64Wire[];
  strings?: Uint8Array[];
};
type NodeMessage = {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  domain: string;
  attribute: AttributeMessage[];
};
type DimensionMessage = { value?: "dimValue" | "dimParam"; dimValue?: Int64Wire; dimParam?: string };
type ValueInfoMessage = {
  name: string;
  type?: null | { tensorType?: null | { elemType: number; shape?: { dim: DimensionMessage[] } } };
  metadataProps?: StringPair[];
};
type GraphMessage = {
  node: NodeMessage[];
  name: string;
  initializer: TensorMessage[];
  sparseInitializer?: Uint8Array[];
  input: ValueInfoMessage[];
  output: ValueInfoMessage[];
  valueInfo?: ValueInfoMessage[];
};
type ModelMessage = {
  irVersion: Int64Wire;
  opsetImport: { domain: string; version: Int64Wire }[];
  producerName: string;
  graph?: GraphMessage | null;
  metadataProps: StringPair[];
  functions?: { node: NodeMessage[] }[];
};

/**
 * Parses a whole `.onnx` file.
 * @param external the files beside it that hold tensors, by their locations (`externalLocations`)
 * @throws FlywheelError `onnx_corrupt` for bytes that are truncated, damaged or not ONNX; `onnx_external_data` where a tensor
 * lies in a file that was not given, or not as described; `onnx_unsupported_feature` for sparse tensors, model-local
 * functions and non-tensor values.
 */
export function readOnnx(bytes: Uint8Array, external: ExternalFiles = noExternalFiles): Model {
  const message = decode(bytes);
  const graphMessage = message.graph;
  if (!graphMessage || message.opsetImport.length === 0) {
    throw corrupt(`${bytes.byteLength} bytes hold no ONNX graph`);
  }
  if (message.functions?.length) throw unsupported("model-local functions", "export with functions inlined");
  const read = readGraph(graphMessage, external);
  checkGraph(read);
  const graph = withConstantsAsNodes(read, notesOf(graphMessage));
  return {
    graph,
    opsets: Object.fromEntries(message.opsetImport.map((each) => [opsetDomain(each), numberOfInt64(each.version)])),
    irVersion: numberOfInt64(message.irVersion),
    producer: message.producerName,
    metadata: Object.fromEntries(message.metadataProps.map(({ key, value }) => [key, value])),
  };
}

/**
 * The files that tensors of an `.onnx` file lie in, relative to its folder, in order of name; none for most.
 * @throws FlywheelError `onnx_corrupt`; `onnx_external_data` for a path that leaves the folder, or too much data
 */
export function externalLocations(bytes: Uint8Array): readonly string[] {
  const { graph, functions = [] } = decode(bytes);
  const inFunctions = functions.flatMap(({ node }) => referencesOfNodes(node));
  return locationsOf([...(graph ? referencesOfGraph(graph) : []), ...inFunctions]);
}

function referencesOfGraph({ initializer, node }: GraphMessage): readonly ExternalReference[] {
  return [...initializer.flatMap((tensor) => referenceOf(tensor) ?? []), ...referencesOfNodes(node)];
}

function referencesOfNodes(nodes: readonly NodeMessage[]): readonly ExternalReference[] {
  return nodes.flatMap(({ attribute }) =>
    attribute.flatMap(({ t, g }) => [(t && referenceOf(t)) ?? [], g ? referencesOfGraph(g) : []].flat()),
  );
}

/** What the exporter noted of each value. */
function notesOf({ valueInfo = [] }: GraphMessage): ReadonlyMap<string, Notes> {
  return new Map(
    valueInfo.map(({ name, metadataProps = [] }) => [
      name,
      Object.fromEntries(metadataProps.map(({ key, value }) => [key, value])),
    ]),
  );
}

/** The bytes of a model, with tensor data in `raw_data`. `readOnnx(writeOnnx(model))` equals `model`. */
export function writeOnnx(model: Model): Uint8Array {
  const message: ModelMessage = {
    irVersion: model.irVersion,
    opsetImport: Object.entries(model.opsets).map(([domain, version]) => ({ domain, version })),
    producerName: model.producer,
    graph: writeGraph(model.graph),
    metadataProps: Object.entries(model.metadata).map(([key, value]) => ({ key, value })),
  };
  return ModelProto.encode(message).finish();
}

function decode(bytes: Uint8Array): ModelMessage {
  try {
    return ModelProto.decode(bytes) as unknown as ModelMessage; // the schema above is what gives it this shape
  } catch (cause) {
    throw corrupt(`${bytes.byteLength} bytes do not parse: ${messageOf(cause)}`, cause);
  }
}

function corrupt(message: string, cause?: unknown): FlywheelError {
  return new FlywheelError("onnx_corrupt", `not an ONNX model: ${message}`, {
    hint: "the file may be truncated, or a Git LFS pointer; fetch it again",
    cause,
  });
}

function unsupported(what: string, hint: string): FlywheelError {
  return new FlywheelError("onnx_unsupported_feature", `the model uses ${what}`, { hint });
}

/** "ai.onnx" is the spelled-out form of the standard domain "". */
const opsetDomain = ({ domain }: { domain: string }): string => (domain === "ai.onnx" ? "" : domain);

// ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function readGraph(message: GraphMessage, external: ExternalFiles): Graph {
  if (message.sparseInitializer?.length) throw unsupported("sparse initialisers", "export them dense");
  const initialisers = new Map(message.initializer.map((each) => [each.name ?? "", readTensor(each, external)]));
  return {
    name: message.name,
    nodes: message.node.map((each) => readNode(each, external)),
    initialisers,
    // Before IR version 4 every initialiser was listed as an input too.
    inputs: message.input.filter((each) => !initialisers.has(each.name)).map(readValueInfo),
    outputs: message.output.map(readValueInfo),
  };
}

function readNode(message: NodeMessage, external: ExternalFiles): Node {
  const attributes: Attributes = Object.fromEntries(
    message.attribute.map((each) => [each.name, readAttribute(each, message.opType, external)]),
  );
  return {
    opType: message.opType,
    domain: opsetDomain(message),
    name: message.name,
    inputs: [...message.input],
    outputs: [...message.output],
    attributes,
  };
}

function readAttribute(message: AttributeMessage, opType: string, external: ExternalFiles): Attribute {
  switch (message.type) {
    case attributeTypes.float:
      return { type: "float", value: message.f ?? 0 };
    case attributeTypes.int:
      return { type: "int", value: numberOfInt64(message.i ?? 0) };
    case attributeTypes.string:
      return { type: "string", value: text(message.s ?? new Uint8Array()) };
    case attributeTypes.floats:
      return { type: "floats", value: [...(message.floats ?? [])] };
    case attributeTypes.ints:
      return { type: "ints", value: (message.ints ?? []).map(numberOfInt64) };
    case attributeTypes.strings:
      return { type: "strings", value: (message.strings ?? []).map(text) };
  }
  const { type, t, g } = message;
  if (type === attributeTypes.tensor && t) return { type: "tensor", value: readTensor(t, external) };
  if (type === attributeTypes.graph && g) return { type: "graph", value: readGraph(g, external) };
  throw unsupported(`attribute "${message.name}" of ${opType} (type ${message.type})`, "export it as a tensor");
}

function readValueInfo(message: ValueInfoMessage): ValueInfo {
  if (!message.type) return { name: message.name, dtype: undefined, dims: undefined };
  const { tensorType } = message.type;
  if (!tensorType)
    throw unsupported(`value "${message.name}", which is not a tensor`, "export tensor outputs (no ZipMap)");
  return {
    name: message.name,
    dtype: dataTypeOf(tensorType.elemType, message.name),
    dims: tensorType.shape?.dim.map(readDimension),
  };
}

function readDimension(message: DimensionMessage): Dimension {
  if (message.value === "dimValue") return numberOfInt64(message.dimValue ?? 0);
  return message.dimParam || undefined;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();
/** An absent bytes field is an empty array in protobufjs, which a TextDecoder refuses. */
const text = (bytes: Uint8Array): string => (bytes.length === 0 ? "" : decoder.decode(bytes));

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function writeGraph(graph: Graph): GraphMessage {
  return {
    node: graph.nodes.map(writeNode),
    name: graph.name,
    initializer: [...graph.initialisers].map(([name, value]) => writeTensor(name, value)),
    input: graph.inputs.map(writeValueInfo),
    output: graph.outputs.map(writeValueInfo),
  };
}

function writeNode(node: Node): NodeMessage {
  return {
    input: [...node.inputs],
    output: [...node.outputs],
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    attribute: Object.entries(node.attributes).map(([name, attribute]) => writeAttribute(name, attribute)),
  };
}

function writeAttribute(name: string, attribute: Attribute): AttributeMessage {
  const head = { name, type: attributeTypes[attribute.type] };
  switch (attribute.type) {
    case "float":
      return { ...head, f: attribute.value };
    case "int":
      return { ...head, i: attribute.value };
    case "string":
      return { ...head, s: encoder.encode(attribute.value) };
    case "floats":
      return { ...head, floats: [...attribute.value] };
    case "ints":
      return { ...head, ints: [...attribute.value] };
    case "strings":
      return { ...head, strings: attribute.value.map((each) => encoder.encode(each)) };
    case "tensor":
      return { ...head, t: writeTensor("", attribute.value) };
    case "graph":
      return { ...head, g: writeGraph(attribute.value) };
    default:
      return attribute satisfies never;
  }
}

function writeValueInfo(value: ValueInfo): ValueInfoMessage {
  if (value.dtype === undefined) return { name: value.name };
  const elemType = dataTypeCodes[value.dtype];
  const shape = value.dims && { dim: value.dims.map(writeDimension) };
  return { name: value.name, type: { tensorType: shape ? { elemType, shape } : { elemType } } };
}

function writeDimension(dimension: Dimension): DimensionMessage {
  if (typeof dimension === "number") return { dimValue: dimension };
  return dimension === undefined ? {} : { dimParam: dimension };
}
