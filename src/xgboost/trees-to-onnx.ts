/**
 * @file Trees as one ONNX `TreeEnsemble` (ai.onnx.ml 5) with plain tensors in and out: `features` `[N, features]`, NaN where
 * missing, to `logits` `[N, classes]`, whose softmax is what XGBoost predicts. Two classes have the logits 0 and the margin.
 * No ZipMap, no probabilities: what calibrates wants logits.
 */

import type { AttributeInput } from "../onnx/attributes.ts";
import { createGraphBuilder } from "../onnx/builder.ts";
import type { Model } from "../onnx/model.ts";
import { floats, tensor } from "../onnx/tensor.ts";
import type { BoostedTree, TreeModel, TreeNode } from "./tree-model.ts";

export const featuresName = "features";
export const logitsName = "logits";
export const treeDomain = "ai.onnx.ml";
const treeOpset = 5;

/** Codes of `nodes_modes`. */
export const modes = { less: 1, member: 6 } as const;

/** All attributes of a `TreeEnsemble` that vary by node, as they are written. */
type Columns = {
  readonly features: number[];
  readonly modes: number[];
  readonly splits: number[];
  readonly missingIsYes: number[];
  readonly yes: number[];
  readonly yesIsLeaf: number[];
  readonly no: number[];
  readonly noIsLeaf: number[];
  readonly members: number[];
  readonly leafTargets: number[];
  readonly leafWeights: number[];
  readonly roots: number[];
};

export function treesToOnnx(model: TreeModel): Model {
  const classes = Math.max(2, model.groups);
  const firstTarget = classes - model.groups;
  const graph = createGraphBuilder("xgboost");
  const features = graph.input(featuresName, "float32", ["N", model.features]);
  const columns = emptyColumns();
  const trees = model.trees.length > 0 ? model.trees : [silentTree];
  for (const { group, nodes } of trees) addTree(columns, nodes, firstTarget + group);
  const sums = graph.op("TreeEnsemble", [features], attributesOf(columns, classes), { domain: treeDomain });
  const base = new Float32Array(classes);
  base.set(model.base, firstTarget);
  const logits = graph.op("Add", [sums, graph.constant(floats(base, [1, classes]))]);
  graph.output(logitsName, logits, "float32", ["N", classes]);
  const built = graph.build({ metadata: { objective: model.objective } });
  return { ...built, opsets: { ...built.opsets, [treeDomain]: treeOpset } };
}

/** The operator wants one tree at least. */
const silentTree: BoostedTree = { group: 0, nodes: [{ kind: "leaf", value: 0 }] };

function emptyColumns(): Columns {
  return {
    features: [],
    modes: [],
    splits: [],
    missingIsYes: [],
    yes: [],
    yesIsLeaf: [],
    no: [],
    noIsLeaf: [],
    members: [],
    leafTargets: [],
    leafWeights: [],
    roots: [],
  };
}

function addTree(columns: Columns, nodes: readonly TreeNode[], target: number): void {
  columns.roots.push(columns.features.length);
  const [root] = nodes;
  // The operator's root is a test: a tree that is one leaf becomes a test with that leaf on both sides.
  const lone: TreeNode = { kind: "less", feature: 0, threshold: 0, yes: 0, no: 0, missing: "no" };
  addNode(columns, { nodes, target, node: root && root.kind !== "leaf" ? root : lone });
}

type NodePlace = { readonly nodes: readonly TreeNode[]; readonly target: number; readonly node: TreeNode };

/** Writes a test and what hangs below it, or a leaf; returns its index among those of its kind. */
function addNode(columns: Columns, { nodes, target, node }: NodePlace): number {
  if (node.kind === "leaf") {
    columns.leafTargets.push(target);
    return columns.leafWeights.push(node.value) - 1;
  }
  const index = columns.features.push(node.feature) - 1;
  columns.modes.push(modes[node.kind]);
  columns.splits.push(node.kind === "less" ? node.threshold : 0);
  columns.missingIsYes.push(Number(node.missing === "yes"));
  if (node.kind === "member") columns.members.push(...node.categories, Number.NaN);
  const [yes, no] = [nodes[node.yes]!, nodes[node.no]!];
  columns.yesIsLeaf[index] = Number(yes.kind === "leaf");
  columns.noIsLeaf[index] = Number(no.kind === "leaf");
  columns.yes[index] = addNode(columns, { nodes, target, node: yes });
  columns.no[index] = addNode(columns, { nodes, target, node: no });
  return index;
}

function attributesOf(columns: Columns, classes: number): Record<string, AttributeInput> {
  return {
    aggregate_function: 1, // sum
    post_transform: 0, // none
    n_targets: classes,
    nodes_featureids: columns.features,
    nodes_modes: tensor("uint8", [columns.modes.length], Uint8Array.from(columns.modes)),
    nodes_splits: floats(columns.splits),
    nodes_missing_value_tracks_true: columns.missingIsYes,
    nodes_truenodeids: columns.yes,
    nodes_trueleafs: columns.yesIsLeaf,
    nodes_falsenodeids: columns.no,
    nodes_falseleafs: columns.noIsLeaf,
    tree_roots: columns.roots,
    leaf_targetids: columns.leafTargets,
    leaf_weights: floats(columns.leafWeights),
    ...(columns.members.length > 0 && { membership_values: floats(columns.members) }),
  };
}
