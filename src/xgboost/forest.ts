/**
 * @file Trees walked in this process: what ONNX Runtime computes from the same file, without a promise and half a dozen
 * objects for each row. Sums are float32 in the order of the trees, as XGBoost's own are: the two agree to the last bit.
 */

import { FlywheelError } from "../errors.ts";
import { type Attribute, intAttribute, intsAttribute, type Model, type Node } from "../onnx/model.ts";
import { numbersOf } from "../onnx/tensor.ts";
import { modes, treeDomain } from "./trees-to-onnx.ts";

export type Forest = {
  readonly features: number;
  readonly classes: number;
  /**
   * Logits of one row, written to `logits[offset …]`. `row` holds `features` numbers from `rowOffset` on, NaN where missing.
   */
  predictInto(logits: Float32Array, offset: number, row: Float32Array, rowOffset: number): void;
};

/**
 * Reads what `treesToOnnx` has written.
 * @throws FlywheelError `xgboost_bad_onnx` for any other model
 */
export function forestOf(model: Model): Forest {
  const ensemble = model.graph.nodes.find((node) => node.opType === "TreeEnsemble" && node.domain === treeDomain);
  const features = model.graph.inputs[0]?.dims?.[1];
  const base = [...model.graph.initialisers.values()][0];
  if (!ensemble || typeof features !== "number" || base?.dtype !== "float32") throw badOnnx("it is not ours");
  const classes = intAttribute(ensemble, "n_targets", 0);
  if (base.data.length !== classes) throw badOnnx(`its base has ${base.data.length} values for ${classes} classes`);
  return walkerOver({ features, classes, base: base.data, ...layOut(ensemble) });
}

const badOnnx = (why: string): FlywheelError =>
  new FlywheelError("xgboost_bad_onnx", `the ONNX file holds no trees that this walker knows: ${why}`);

/**
 * A node is four words, so that one line of cache holds it whole, and the two that a test leads to lie side by side, in the
 * order in which trees are walked:
 *
 *     feature · 2 + (1 where the test is of a set) | threshold, or where the set begins | yes; no follows | where missing
 *     LEAF                                         | value                              | target          |
 */
const WORDS = 4;
const LEAF = -1;

type Layout = {
  readonly words: Int32Array;
  readonly roots: Int32Array;
  /** Sets of categories, a bit for each below `limit`. */
  readonly bits: Int32Array;
  readonly limit: number;
};

type Parts = Layout & { readonly features: number; readonly classes: number; readonly base: Float32Array };

function walkerOver({ features, classes, base, words, roots, bits, limit }: Parts): Forest {
  const reals = new Float32Array(words.buffer);
  return {
    features,
    classes,
    predictInto(logits, offset, row, rowOffset) {
      for (let each = 0; each < classes; each++) logits[offset + each] = base[each]!;
      for (let tree = 0; tree < roots.length; tree++) {
        let at = roots[tree]!;
        let test = words[at]!;
        while (test !== LEAF) {
          const value = row[rowOffset + (test >> 1)]!;
          const pair = words[at + 2]!;
          if (Number.isNaN(value)) at = words[at + 3]!;
          else if ((test & 1) === 0) at = value < reals[at + 1]! ? pair : pair + WORDS;
          else {
            const isMember = value < limit && ((bits[words[at + 1]! + (value >>> 5)]! >>> (value & 31)) & 1) === 1;
            at = isMember ? pair : pair + WORDS;
          }
          test = words[at]!;
        }
        logits[offset + words[at + 2]!]! += reals[at + 1]!;
      }
    },
  };
}

function layOut(ensemble: Node): Layout {
  const columns = columnsOf(ensemble);
  const { features, leafWeights } = columns;
  const sets = setsOf(columns.members);
  const limit = 32 * Math.ceil((Math.max(-1, ...sets.flat()) + 1) / 32);
  const roots = new Int32Array(columns.roots.length);
  const words = new Int32Array((roots.length + 2 * features.length) * WORDS);
  const place: Place = { columns, words, reals: new Float32Array(words.buffer), setAt: setPlaces(columns, limit / 32) };
  let free = 0;
  for (const [tree, root] of columns.roots.entries()) {
    roots[tree] = free;
    free = putTest(place, { test: root, at: free, free: free + WORDS });
  }
  if (free !== words.length || leafWeights.length > 2 * features.length) throw badOnnx("its trees do not add up");
  return { words, roots, bits: bitsOf(sets, limit / 32), limit };
}

const names = {
  features: "nodes_featureids",
  kinds: "nodes_modes",
  splits: "nodes_splits",
  missingIsYes: "nodes_missing_value_tracks_true",
  yes: "nodes_truenodeids",
  yesIsLeaf: "nodes_trueleafs",
  no: "nodes_falsenodeids",
  noIsLeaf: "nodes_falseleafs",
  leafTargets: "leaf_targetids",
  leafWeights: "leaf_weights",
  members: "membership_values",
  roots: "tree_roots",
} as const;

type Columns = Readonly<Record<keyof typeof names, readonly number[]>>;

function columnsOf(ensemble: Node): Columns {
  const read = readerOf(ensemble);
  return Object.fromEntries(Object.entries(names).map(([key, name]) => [key, read(name)])) as Columns;
}

type Place = {
  readonly columns: Columns;
  readonly words: Int32Array;
  readonly reals: Float32Array;
  /** By test: where its set begins. */
  readonly setAt: Int32Array;
};

type Test = { readonly test: number; readonly at: number; readonly free: number };

/** Writes a test at `at` and what hangs below it from `free` on; returns what is free after that. */
function putTest({ columns, words, reals, setAt }: Place, { test, at, free }: Test): number {
  const isSet = columns.kinds[test] === modes.member;
  if (!isSet && columns.kinds[test] !== modes.less) throw badOnnx(`node ${test} has mode ${columns.kinds[test]}`);
  words[at] = columns.features[test]! * 2 + Number(isSet);
  if (isSet) words[at + 1] = setAt[test]!;
  else reals[at + 1] = columns.splits[test]!;
  words[at + 2] = free;
  words[at + 3] = columns.missingIsYes[test] ? free : free + WORDS;
  const place = { columns, words, reals, setAt };
  const yes = { index: columns.yes[test]!, isLeaf: columns.yesIsLeaf[test] === 1, at: free };
  const no = { index: columns.no[test]!, isLeaf: columns.noIsLeaf[test] === 1, at: free + WORDS };
  return putChild(place, no, putChild(place, yes, free + 2 * WORDS));
}

type Child = { readonly index: number; readonly isLeaf: boolean; readonly at: number };

function putChild(place: Place, { index, isLeaf, at }: Child, free: number): number {
  const { columns, words, reals } = place;
  if (free > words.length) throw badOnnx("its nodes are shared between trees");
  if (!isLeaf) return putTest(place, { test: index, at, free });
  words[at] = LEAF;
  reals[at + 1] = columns.leafWeights[index]!;
  words[at + 2] = columns.leafTargets[index]!;
  return free;
}

/** Tests of sets come in the order of their sets. */
function setPlaces({ kinds }: Columns, wordsPerSet: number): Int32Array {
  let sets = 0;
  return Int32Array.from(kinds, (kind) => (kind === modes.member ? wordsPerSet * sets++ : 0));
}

function bitsOf(sets: readonly (readonly number[])[], wordsPerSet: number): Int32Array {
  const bits = new Int32Array(sets.length * wordsPerSet);
  for (const [set, categories] of sets.entries()) {
    for (const category of categories) bits[set * wordsPerSet + (category >>> 5)]! |= 1 << (category & 31);
  }
  return bits;
}

function readerOf(ensemble: Node): (name: string) => readonly number[] {
  return (name) => {
    const attribute: Attribute | undefined = ensemble.attributes[name];
    return attribute?.type === "tensor" ? numbersOf(attribute.value) : intsAttribute(ensemble, name, []);
  };
}

/** NaN ends a set. */
function setsOf(members: readonly number[]): readonly (readonly number[])[] {
  const ends = members.flatMap((value, at) => (Number.isNaN(value) ? [at] : []));
  return ends.map((end, set) => members.slice(set === 0 ? 0 : ends[set - 1]! + 1, end));
}
