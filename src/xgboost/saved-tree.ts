/** @file One saved tree as nodes, held to what makes it a tree: whoever walks it, here or in XGBoost, trusts that. */

import { badModel } from "./saved-format.ts";
import { type Numbers, type SavedTree, unsupported } from "./saved-model.ts";

/** A row goes to `yes` where its test holds. */
export type TreeNode =
  | { readonly kind: "leaf"; readonly value: number }
  | {
      readonly kind: "less";
      readonly feature: number;
      readonly threshold: number;
      readonly yes: number;
      readonly no: number;
      readonly missing: "yes" | "no";
    }
  | {
      readonly kind: "member";
      readonly feature: number;
      readonly categories: readonly number[];
      readonly yes: number;
      readonly no: number;
      readonly missing: "yes" | "no";
    };

export type TreeContext = {
  /** For messages. */
  readonly tree: number;
  readonly features: number;
  /** DART's: what the tree's leaves count for. */
  readonly weight: number;
};

/** Nodes refer to each other by index; the first is the root. @throws FlywheelError */
export function nodesOf(saved: SavedTree, context: TreeContext): readonly TreeNode[] {
  const { size_leaf_vector = "1" } = saved.tree_param;
  if (Number(size_leaf_vector) > 1 || saved.leaf_weights) {
    throw unsupported(`its trees have several outputs (size_leaf_vector ${size_leaf_vector})`);
  }
  checkLengths(saved, context);
  const categories = categoriesByNode(saved, context);
  const nodes = Array.from(saved.left_children, (_, index) =>
    nodeOf(saved, { index, categories, weight: context.weight }),
  );
  checkTree(nodes, context);
  return nodes;
}

const perNode = [
  "right_children",
  "parents",
  "split_indices",
  "split_conditions",
  "split_type",
  "default_left",
  "base_weights",
  "loss_changes",
  "sum_hessian",
] as const;

const damaged = ({ tree }: TreeContext, why: string) => badModel(`tree ${tree} is damaged: ${why}`);

function checkLengths(saved: SavedTree, context: TreeContext): void {
  const count = saved.left_children.length;
  if (count === 0) throw damaged(context, "it has no nodes");
  const wrong = perNode.find((name) => saved[name] !== undefined && saved[name].length !== count);
  if (wrong) throw damaged(context, `${wrong} has not one value for each of its ${count} nodes`);
}

const LEAF = -1;

type NodePlace = {
  readonly index: number;
  readonly categories: ReadonlyMap<number, readonly number[]>;
  readonly weight: number;
};

function nodeOf(saved: SavedTree, { index, categories, weight }: NodePlace): TreeNode {
  const value = Math.fround(saved.split_conditions[index] ?? Number.NaN);
  const left = saved.left_children[index]!;
  if (left === LEAF) return { kind: "leaf", value: Math.fround(value * weight) };
  const right = saved.right_children[index]!;
  const feature = saved.split_indices[index]!;
  const goesLeft = Boolean(saved.default_left[index]);
  // The categories that a node lists go to the right; all others, those never seen included, to the left.
  return saved.split_type?.[index] === 1
    ? {
        kind: "member",
        feature,
        categories: categories.get(index) ?? [],
        yes: right,
        no: left,
        missing: goesLeft ? "no" : "yes",
      }
    : { kind: "less", feature, threshold: value, yes: left, no: right, missing: goesLeft ? "yes" : "no" };
}

/** XGBoost's own limit (`OutOfRangeCat`): float32 holds no more whole numbers one by one. */
const MAX_CATEGORY = 2 ** 24;

const isIndex = (value: number, limit: number): boolean => Number.isInteger(value) && value >= 0 && value < limit;

function categoriesByNode(saved: SavedTree, context: TreeContext): ReadonlyMap<number, readonly number[]> {
  const all = Array.from(saved.categories);
  if (!all.every((category) => isIndex(category, MAX_CATEGORY))) throw damaged(context, "a category is no index");
  return new Map(
    Array.from(saved.categories_nodes, (node, at) => {
      const [start, size] = [saved.categories_segments, saved.categories_sizes].map((list: Numbers) => list[at] ?? -1);
      const end = start! + size!;
      if (!isIndex(start!, all.length) || !isIndex(end, all.length + 1))
        throw damaged(context, "a set leaves its list");
      return [node, all.slice(start, end)];
    }),
  );
}

/** Deeper ones exhaust the stacks of what walks trees by recursion, ONNX Runtime's among them. */
const MAX_DEPTH = 1000;

/** From the root, each node once: XGBoost leaves pruned ones behind, unreachable. */
function checkTree(nodes: readonly TreeNode[], context: TreeContext): void {
  const seen = new Uint8Array(nodes.length);
  const open = [{ index: 0, depth: 0 }];
  for (let next = open.pop(); next; next = open.pop()) {
    const node = nodes[next.index];
    if (!node || seen[next.index]) throw damaged(context, `a test leads to node ${next.index}`);
    seen[next.index] = 1;
    checkNode(node, context);
    if (next.depth > MAX_DEPTH) throw unsupported(`tree ${context.tree} is deeper than ${MAX_DEPTH} tests`);
    if (node.kind !== "leaf") open.push(...[node.yes, node.no].map((index) => ({ index, depth: next.depth + 1 })));
  }
}

function checkNode(node: TreeNode, context: TreeContext): void {
  if (node.kind === "leaf") {
    if (!Number.isFinite(node.value)) throw damaged(context, "a leaf holds no finite number");
    return;
  }
  if (!isIndex(node.feature, context.features)) throw damaged(context, `a test is of column ${node.feature}`);
  if (node.kind === "less" && Number.isNaN(node.threshold)) throw damaged(context, "a test has no threshold");
}
