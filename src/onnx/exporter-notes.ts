/**
 * @file What PyTorch's exporter (`dynamo=True`, since 2.6) notes beside each initialiser: whether it was a parameter, a buffer or
 * a constant of the module, and of which of them a folded one was made. Attention's scale, masks and rotary tables are
 * initialisers like the weights; here they become `Constant` nodes, which nothing trains, in this program or after it was
 * written to a file again.
 */

import { constantNode } from "./constants.ts";
import { consumersOf, type Graph, type Node } from "./model.ts";

/** `metadata_props` of one value. */
export type Notes = Readonly<Record<string, string>>;

const kindKey = "pkg.torch.export.graph_signature.InputSpec.kind";
const foldedKey = "pkg.onnxscript.optimizer.folded_from";

/** The graph with every float initialiser that was no parameter as a `Constant` node. Where nothing was noted: the same graph. */
export function withConstantsAsNodes(graph: Graph, notes: ReadonlyMap<string, Notes>): Graph {
  const isNoted = [...graph.initialisers.keys()].some((name) => notes.get(name)?.[kindKey] !== undefined);
  if (!isNoted) return graph;
  const consumers = consumersOf(graph);
  const constants = [...graph.initialisers].filter(
    ([name, { dtype }]) => dtype === "float32" && !mayBeLearned(notes.get(name) ?? {}, name, consumers.get(name) ?? []),
  );
  const moved = new Set(constants.map(([name]) => name));
  return {
    ...graph,
    initialisers: new Map([...graph.initialisers].filter(([name]) => !moved.has(name))),
    nodes: [...constants.map(([name, value]) => constantNode(name, value)), ...graph.nodes],
  };
}

function mayBeLearned(notes: Notes, name: string, readers: readonly Node[]): boolean {
  const kind = notes[kindKey];
  const folded = notes[foldedKey];
  if (kind !== undefined) return kind === "PARAMETER" || readers.some((node) => isStatisticOf(node, name));
  const isTurned = folded !== undefined && sourcesOf(folded).length === 1;
  return isTurned || readers.some((node) => isWeightOf(node, name));
}

/** Running statistics stay where batch normalisation looks for them. */
const isStatisticOf = ({ opType, inputs }: Node, name: string): boolean =>
  opType === "BatchNormalization" && inputs.indexOf(name) >= 3;

/**
 * What the exporter has computed of weights for good, with or without a note: kernels into which batch normalisation was folded,
 * standardised ones. To train them is to train what serves.
 */
const isWeightOf = ({ opType, inputs }: Node, name: string): boolean =>
  ["Conv", "ConvTranspose", "Gemm", "MatMul"].includes(opType) && inputs.indexOf(name) >= 1;

/** What a folded value was made of, `['blocks.0.attn.qkv.weight', 'val_3']`, without axes and shapes: one, if it was only turned. */
const sourcesOf = (folded: string): readonly string[] =>
  [...folded.matchAll(/'([^']*)'/g)].flatMap(([, name = ""]) => (/^val_\d+$/.test(name) ? [] : [name]));
