/**
 * @file Trees walked in this process: what ONNX Runtime computes from the same file, without the 30 µs that entering it
 * costs, which for one row is most of the time. Sums are float32 in the order of the trees, as XGBoost's own are.
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

/** A test: four words, so that one line of cache holds all of it. A leaf has the feature −1, and its target as `yes`. */
const WORDS = 4;

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

type Layout = {
  /** `[nodes, 4]`: feature, threshold (its bits as float32) or set, yes, no. */
  readonly words: Int32Array;
  /** `[nodes]`: where a missing value goes. */
  readonly missing: Int32Array;
  /** `[roots]` */
  readonly roots: Int32Array;
  /** By set: 1 at the categories in it. */
  readonly sets: readonly Uint8Array[];
};

type Parts = Layout & { readonly features: number; readonly classes: number; readonly base: Float32Array };

function walkerOver({ features, classes, base, words, missing, roots, sets }: Parts): Forest {
  const reals = new Float32Array(words.buffer);
  return {
    features,
    classes,
    predictInto(logits, offset, row, rowOffset) {
      for (let each = 0; each < classes; each++) logits[offset + each] = base[each]!;
      for (let tree = 0; tree < roots.length; tree++) {
        let at = roots[tree]!;
        let feature = words[at]!;
        while (feature !== LEAF) {
          if (feature >= 0) {
            const value = row[rowOffset + feature]!;
            const threshold = reals[at + 1]!;
            // NaN is on neither side.
            at = value < threshold ? words[at + 2]! : value >= threshold ? words[at + 3]! : missing[at / WORDS]!;
          } else {
            const value = row[rowOffset + ~feature - 1]!;
            if (Number.isNaN(value)) at = missing[at / WORDS]!;
            else at = sets[words[at + 1]!]![value] === 1 ? words[at + 2]! : words[at + 3]!;
          }
          feature = words[at]!;
        }
        logits[offset + words[at + 2]!]! += reals[at + 1]!;
      }
    },
  };
}

/** Where a test of a number has its feature and a test of a set has ~(feature + 1), a leaf has this. */
const LEAF = -1;

function layOut(ensemble: Node): Layout {
  const read = readerOf(ensemble);
  const [features, kinds, splits] = [read("nodes_featureids"), read("nodes_modes"), read("nodes_splits")];
  const [yes, yesIsLeaf, no, noIsLeaf] = [
    read("nodes_truenodeids"),
    read("nodes_trueleafs"),
    read("nodes_falsenodeids"),
    read("nodes_falseleafs"),
  ];
  const [targets, weights] = [read("leaf_targetids"), read("leaf_weights")];
  const missingIsYes = read("nodes_missing_value_tracks_true");
  const sets = membersOf(read("membership_values"));
  const tests = features.length;
  const words = new Int32Array((tests + weights.length) * WORDS);
  const reals = new Float32Array(words.buffer);
  const missing = new Int32Array(tests);
  const place = (index: number, isLeaf: number): number => (index + (isLeaf ? tests : 0)) * WORDS;
  let set = 0;
  for (let test = 0; test < tests; test++) {
    const at = test * WORDS;
    if (kinds[test] === modes.member) {
      words[at] = ~(features[test]! + 1);
      words[at + 1] = set++;
    } else if (kinds[test] === modes.less) {
      words[at] = features[test]!;
      reals[at + 1] = splits[test]!;
    } else throw badOnnx(`node ${test} has mode ${kinds[test]}`);
    words[at + 2] = place(yes[test]!, yesIsLeaf[test]!);
    words[at + 3] = place(no[test]!, noIsLeaf[test]!);
    missing[test] = words[at + (missingIsYes[test] ? 2 : 3)]!;
  }
  for (let leaf = 0; leaf < weights.length; leaf++) {
    const at = place(leaf, 1);
    words[at] = LEAF;
    reals[at + 1] = weights[leaf]!;
    words[at + 2] = targets[leaf]!;
  }
  return { words, missing, roots: Int32Array.from(read("tree_roots"), (root) => root * WORDS), sets };
}

function readerOf(ensemble: Node): (name: string) => readonly number[] {
  return (name) => {
    const attribute: Attribute | undefined = ensemble.attributes[name];
    return attribute?.type === "tensor" ? numbersOf(attribute.value) : intsAttribute(ensemble, name, []);
  };
}

/** NaN ends a set. */
function membersOf(values: readonly number[]): readonly Uint8Array[] {
  const sets: Uint8Array[] = [];
  let start = 0;
  for (let end = 0; end < values.length; end++) {
    if (!Number.isNaN(values[end]!)) continue;
    const categories = values.slice(start, end);
    const set = new Uint8Array(Math.max(-1, ...categories) + 1);
    for (const category of categories) set[category] = 1;
    sets.push(set);
    start = end + 1;
  }
  return sets;
}
