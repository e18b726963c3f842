/** @file Trees, loaded to decide on records or texts. */

import { z } from "zod";
import type { Explanation, Student, StudentInput } from "../../contracts.ts";
import { messageOf } from "../../errors.ts";
import { argmaxRows } from "../../math/softmax.ts";
import { readOnnx } from "../../onnx/proto.ts";
import { type LabelValue, modelId, type RecordInput } from "../../records.ts";
import { type Booster, createBooster } from "../../xgboost/booster.ts";
import { type Forest, forestOf } from "../../xgboost/forest.ts";
import { createMatrix } from "../../xgboost/matrix.ts";
import { readCard, readModelFolder } from "../load-student.ts";
import { committeeOf, memberFilesIn } from "../members.ts";
import { modelCorrupt, modelFile } from "../model-folder.ts";
import { neighboursFile } from "../neighbours-file.ts";
import type { LoadOptions, ModelFiles } from "../trainer.ts";
import { createEncoder } from "./encode-record.ts";
import { FeatureSchema, namesOf, widthOf } from "./feature-schema.ts";
import { RecordSearch, readNeighbours } from "./neighbours.ts";
import { boosterFile, featuresFile } from "./record-files.ts";
import { described } from "./training-table.ts";
import { fieldsOf, TreeInputKind } from "./tree-input.ts";

export type Fields = RecordInput["fields"];

export type RecordStudent = Student & {
  readonly schema: FeatureSchema;
  /**
   * The fast path: one record to its logits `[classes]`, on the calling thread.
   * @throws FlywheelError `feature_type_changed`, `feature_not_finite`
   */
  predictRecord(fields: Fields): Float32Array;
  /** The same for its novelty; undefined where the model has no neighbours. */
  noveltyOf?(fields: Fields): number;
  /** Why, by SHAP values from XGBoost itself, which has to be on the machine. @throws FlywheelError `xgboost_missing` */
  explainRecord(fields: Fields): readonly Explanation[];
  /** What records held that the student cannot read, so far. */
  readonly unread: Unread;
};

/** Values counted by column. */
export type Unread = {
  /** Columns that no training row had a value of; the names of the first hundred. */
  readonly features: ReadonlyMap<string, number>;
  /** Words that are no category of a column. */
  readonly categories: ReadonlyMap<string, number>;
};

const Card = z.object({
  id: z.string(),
  classes: z.array(z.string()).min(2),
  inputKind: z.enum(TreeInputKind),
});

/** @throws FlywheelError `model_missing`, `model_corrupt` */
export async function loadRecordStudent(folder: string, options: LoadOptions): Promise<RecordStudent> {
  return await openRecordStudent(await readModelFolder(folder), options);
}

/** @throws FlywheelError `model_corrupt` */
export async function openRecordStudent(model: ModelFiles, { threads }: LoadOptions): Promise<RecordStudent> {
  const { id, classes, inputKind } = readCard(Card, model);
  const schema = readSchema(model);
  const unread = createUnread();
  const encoder = createEncoder(schema, unread.events);
  const shape = { classes: classes.length, features: encoder.width };
  const forest = readForest(model, modelFile, shape);
  const members = memberFilesIn(model.files).map(([name]) => readForest(model, name, shape));
  const search = readSearch(model, { schema, classes: classes.length });
  const unseen: number[] = [];
  // What it cannot read has been counted when the record was decided on.
  const silent = createEncoder(schema, { onUnknownCategory: (name) => unseen.push(placeOf(schema, name)) });
  const vector = new Float32Array(encoder.width);
  const explainer = createExplainer({ model, schema, classes, threads });
  const predictRecord = (fields: Fields, row = "1"): Float32Array => {
    encoder.encodeInto(vector, 0, fields, row);
    return logitsOf([forest], vector);
  };
  const hear = (input: StudentInput) => ({
    logits: predictRecord(fieldsOf(input, inputKind)), // leaves the record encoded
    members: logitsOf(members, vector),
  });
  const explainRecord = (fields: Fields): readonly Explanation[] => {
    encoder.encodeInto(vector, 0, fields, "1");
    return explainer.explain(vector);
  };
  const ranges = rangesOf(schema);
  const noveltyOf = (fields: Fields, row = "1"): number => {
    unseen.length = 0;
    silent.encodeInto(vector, 0, fields, row);
    if (ranges.some(({ place, low, high }) => vector[place]! < low || vector[place]! > high)) return BEYOND;
    const [classIndex] = argmaxRows(logitsOf([forest], vector), forest.classes);
    for (const place of unseen) vector[place] = UNSEEN;
    return search!.novelty(vector, classIndex!);
  };
  return {
    modelId: modelId(id),
    classes,
    schema,
    unread: unread.counts,
    predictRecord: (fields) => predictRecord(fields),
    explainRecord,
    explain: (input) => explainRecord(fieldsOf(input, inputKind)),
    async predictLogits(batch, signal) {
      const logits = new Float32Array(batch.length * classes.length);
      for (const [index, input] of batch.entries()) {
        signal?.throwIfAborted();
        logits.set(predictRecord(fieldsOf(input, inputKind), String(index + 1)), index * classes.length);
      }
      return logits;
    },
    ...(members.length > 0 && { committee: committeeOf({ size: members.length, hear }) }),
    ...(search && {
      noveltyOf: (fields: Fields) => noveltyOf(fields),
      async novelty(batch: readonly StudentInput[], signal?: AbortSignal) {
        const novelty = new Float32Array(batch.length);
        for (const [index, input] of batch.entries()) {
          signal?.throwIfAborted();
          novelty[index] = noveltyOf(fieldsOf(input, inputKind), String(index + 1));
        }
        return novelty;
      },
    }),
    async [Symbol.asyncDispose]() {
      explainer[Symbol.dispose]();
    },
  };
}

/** Of one vector, forest after forest. */
function logitsOf(forests: readonly Forest[], vector: Float32Array): Float32Array {
  const logits = new Float32Array(forests.reduce((sum, { classes }) => sum + classes, 0));
  let at = 0;
  for (const forest of forests) {
    forest.predictInto(logits, at, vector, 0);
    at += forest.classes;
  }
  return logits;
}

function readSchema({ folder, files }: ModelFiles): FeatureSchema {
  try {
    return FeatureSchema.parse(JSON.parse(new TextDecoder().decode(files.get(featuresFile))));
  } catch (cause) {
    throw modelCorrupt(folder, `${featuresFile} cannot be read: ${messageOf(cause)}`, cause);
  }
}

function readForest({ folder, files }: ModelFiles, name: string, wanted: Pick<Forest, "classes" | "features">): Forest {
  try {
    const forest = forestOf(readOnnx(files.get(name) ?? new Uint8Array()));
    if (forest.classes === wanted.classes && forest.features === wanted.features) return forest;
    throw new RangeError(`it has ${forest.features} features and ${forest.classes} classes`);
  } catch (cause) {
    throw modelCorrupt(folder, `${name} cannot be opened: ${messageOf(cause)}`, cause);
  }
}

/** Stranger than any distance: no limit lets it pass. */
const BEYOND = 1e30;

/** Features that mean nothing beyond what training had, as the vector holds them. */
function rangesOf(schema: FeatureSchema) {
  return schema.features.flatMap((feature) => {
    if (feature.type !== "number" || !feature.range) return [];
    const [low, high] = feature.range;
    return [{ place: placeOf(schema, feature.name), low: Math.fround(low), high: Math.fround(high) }];
  });
}

/** No category's number: to trees a word that training had not is missing, but it is stranger than that. */
const UNSEEN = -1;

function placeOf({ features }: FeatureSchema, name: string): number {
  const before = features.slice(
    0,
    features.findIndex((feature) => feature.name === name),
  );
  return before.reduce((sum, feature) => sum + widthOf(feature), 0);
}

function readSearch(
  { folder, files }: ModelFiles,
  { schema, classes }: { readonly schema: FeatureSchema; readonly classes: number },
): RecordSearch | undefined {
  const bytes = files.get(neighboursFile);
  if (!bytes) return undefined;
  try {
    return new RecordSearch(readNeighbours(bytes, classes), schema);
  } catch (cause) {
    throw modelCorrupt(folder, `${neighboursFile} cannot be read: ${messageOf(cause)}`, cause);
  }
}

/** A sender of random names must not fill the memory. */
const MOST_NAMES = 100;

function createUnread() {
  const features = new Map<string, number>();
  const categories = new Map<string, number>();
  const counter = (counts: Map<string, number>, says: (name: string) => string) => (name: string) => {
    const count = counts.get(name);
    if (count === undefined && counts.size >= MOST_NAMES) return;
    if (count === undefined) process.emitWarning(says(name), { code: "FLYWHEEL_UNREAD" });
    counts.set(name, (count ?? 0) + 1);
  };
  return {
    counts: { features, categories },
    events: {
      onUnknownFeature: counter(features, (name) => `column "${name}" was not there in training: it is ignored`),
      onUnknownCategory: counter(
        categories,
        (name) => `column "${name}" holds a word that was not there in training: it counts as missing`,
      ),
    },
  };
}

type ExplainerOptions = LoadOptions & {
  readonly model: ModelFiles;
  readonly schema: FeatureSchema;
  readonly classes: readonly LabelValue[];
};

type Explainer = Disposable & { explain(vector: Float32Array): readonly Explanation[] };

/** The booster is loaded with the first question: deciding does without the library. */
function createExplainer({ model, schema, classes, threads }: ExplainerOptions): Explainer {
  const labels = classes.length === 2 ? classes.slice(1) : classes;
  const names = schema.features.flatMap(namesOf);
  const columns = names.length;
  let booster: Booster | undefined;
  return {
    explain(vector) {
      booster ??= createBooster({ model: model.files.get(boosterFile) ?? new Uint8Array() });
      using matrix = createMatrix({ data: vector, rows: 1, columns, ...described(schema.features), threads });
      const { values } = booster.predict(matrix, "contributions");
      return labels.map((label, index) => {
        const own = values.subarray(index * (columns + 1), (index + 1) * (columns + 1));
        const contributions = names
          .map((feature, at) => ({ feature, contribution: own[at]! }))
          .filter(({ contribution }) => contribution !== 0)
          .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
        return { label, bias: own[columns]!, contributions };
      });
    },
    [Symbol.dispose]: () => booster?.[Symbol.dispose](),
  };
}
