/** @file Students of trees: XGBoost on the columns of records, or on the n-grams of texts. */

import { FlywheelError } from "../../errors.ts";
import { writeOnnx } from "../../onnx/proto.ts";
import { loadXgboost } from "../../xgboost/native.ts";
import { parseTreeModel } from "../../xgboost/tree-model.ts";
import { treesToOnnx } from "../../xgboost/trees-to-onnx.ts";
import { followsMembers, keepsFolds, memberFileOf } from "../members.ts";
import { neighboursFile } from "../neighbours-file.ts";
import type { PreparedTraining, TrainedStudent, TrainerContext, TrainingWork } from "../trainer.ts";
import { readValidationRows, type TrainingRow, type TrainingSet } from "../training-rows.ts";
import { type FeatureSchema, inferFeatures } from "./feature-schema.ts";
import { type FittedTrees, fitTrees, type Importances } from "./fit-trees.ts";
import { leaveOutOrder } from "./leave-out-order.ts";
import { collectNeighbours, writeNeighbours } from "./neighbours.ts";
import { boosterFile, featuresFile } from "./record-files.ts";
import { recordsOf } from "./training-table.ts";
import { columnsFor, type TreeInputKind, treeInputKindOf } from "./tree-input.ts";
import type { TreeData } from "./tree-options.ts";
import { encodeRecords } from "./vectors.ts";

const trainerName = "xgboost";

/**
 * @throws FlywheelError `unknown_trainer`, `xgboost_missing`, `no_features`, `feature_not_finite`, `student_bad_option`
 */
export async function trainRecordStudent(context: TrainerContext): Promise<PreparedTraining> {
  const { store, task, set } = context;
  checkTrainer(task.student.trainer);
  const kind = treeInputKindOf(task);
  const { xgboost } = task.student;
  const { version } = loadXgboost();
  const records = recordsOf(set.rows, kind);
  const inferred = inferFeatures(records, columnsFor(task));
  const { schema, warnings } = kind === "text" ? inferred : leaveOutOrder(inferred, { ...set, records }, task.columns);
  const validation = xgboost.early_stopping_rounds > 0 ? await readValidationRows(store, task) : [];
  const options = {
    xgboost,
    library: `XGBoost ${version}`,
    features: schema.features.map(shown),
    ignored: schema.ignored,
  };
  return {
    trainer: trainerName,
    options: {
      ...options,
      validationRows: validation.length,
    },
    warnings,
    follows: {
      xgboost,
      version,
      schema,
      validation: validation.map(({ id, classIndex }) => [id, classIndex]),
      ...followsMembers(task),
      neighbours: 1,
    },
    run: (work) => run({ work, set, validation, schema, xgboost, kind, keepsFolds: keepsFolds(task) }),
  };
}

function checkTrainer(trainer: string): void {
  if (trainer === "auto" || trainer === trainerName) return;
  throw new FlywheelError("unknown_trainer", `"${trainer}" does not train on records`, {
    hint: `set student.trainer to "${trainerName}", or leave it out`,
  });
}

/** On the card: what a person would want to see of a column. */
const shown = (feature: FeatureSchema["features"][number]) => ({
  name: feature.name,
  type: feature.type,
  ...(feature.type === "category" && { categories: feature.categories.length }),
  ...(feature.type === "text" && { grams: feature.grams.length }),
});

type Run = {
  readonly work: TrainingWork;
  readonly set: TrainingSet;
  readonly validation: readonly TrainingRow[];
  readonly schema: FeatureSchema;
  readonly kind: TreeInputKind;
  readonly xgboost: TrainerContext["task"]["student"]["xgboost"];
  readonly keepsFolds: boolean;
};

async function run({ work, set, validation, schema, xgboost, kind, keepsFolds }: Run): Promise<TrainedStudent> {
  const classes = set.classes.length;
  const treeData = (rows: readonly TrainingRow[]): TreeData => ({
    rows,
    vectors: encodeRecords(recordsOf(rows, kind), schema),
    classes,
  });
  const train = treeData(set.rows);
  const fitted = await fitTrees({
    ...work,
    train,
    validation: treeData(validation),
    features: schema.features,
    xgboost,
    keepsFolds,
  });
  return trainedStudent(fitted, { schema, train });
}

function trainedStudent(
  fitted: FittedTrees,
  { schema, train }: { readonly schema: FeatureSchema; readonly train: TreeData },
): TrainedStudent {
  const { ubj, rounds, gain, shap, outOfFold, members, history } = fitted;
  const trees = parseTreeModel(ubj);
  const model = treesToOnnx(trees);
  const neighbours = collectNeighbours(train, schema, gain);
  return {
    model: { ...model, metadata: { ...model.metadata, "flywheel.features": JSON.stringify(schema.features) } },
    files: new Map<string, Uint8Array>([
      [featuresFile, new TextEncoder().encode(`${JSON.stringify(schema, undefined, 2)}\n`)],
      [boosterFile, ubj],
      ...members.map((own, fold) => [memberFileOf(fold), writeOnnx(treesToOnnx(parseTreeModel(own)))] as const),
      ...(neighbours ? [[neighboursFile, writeNeighbours(neighbours)] as const] : []),
    ]),
    // A threshold or a value in each node.
    parameters: trees.trees.reduce((sum, { nodes }) => sum + nodes.length, 0),
    outOfFold,
    members: members.length,
    history,
    found: { rounds, gain: byValue(gain), shap: byValue(shap) },
  };
}

const byValue = (importances: Importances): Importances =>
  Object.fromEntries(Object.entries(importances).sort(([, a], [, b]) => b - a));
