/** @file What students said of rows. */

import type { ExpressionBuilder, Selectable } from "kysely";
import { modelId, type Prediction, rowId } from "../records.ts";
import type { PredictionStore } from "./contract.ts";
import { type Database, INSERT_CHUNK } from "./database.ts";
import { inChunks, inPages, PAGE_SIZE } from "./pages.ts";
import type { Schema } from "./schema.ts";

export function createPredictionStore({ read, write }: Database): PredictionStore {
  return {
    put: (predictions) =>
      write(async (transaction) => {
        // One statement may not touch a record twice: the last word on a row wins.
        const latest = new Map(predictions.map((given) => [`${given.modelId} ${given.rowId} ${given.basis}`, given]));
        for (const chunk of inChunks([...latest.values()].map(fromPrediction), INSERT_CHUNK)) {
          await transaction
            .insertInto("predictions")
            .values(chunk)
            .onConflict((conflict) =>
              conflict.columns(["model_id", "row_id", "basis"]).doUpdateSet((eb) => ({
                logits: eb.ref("excluded.logits"),
                novelty: eb.ref("excluded.novelty"),
                dissent: eb.ref("excluded.dissent"),
              })),
            )
            .execute();
        }
      }),
    ofModel(id, basis) {
      let query = read.selectFrom("predictions").selectAll().where("model_id", "=", id);
      if (basis !== undefined) query = query.where("basis", "=", basis);
      const ordered = query.orderBy("row_id").orderBy("basis").limit(PAGE_SIZE);
      return inPages(async (after: Prediction | undefined) => {
        const page = after === undefined ? ordered : ordered.where((eb) => comesAfter(eb, after));
        return (await page.execute()).map(toPrediction);
      });
    },
  };
}

function comesAfter(eb: ExpressionBuilder<Schema, "predictions">, { rowId, basis }: Prediction) {
  return eb(eb.refTuple("row_id", "basis"), ">", eb.tuple(rowId, basis));
}

// Typed arrays have the byte order of the machine; every platform that Node 24 runs on is little-endian but s390x and
// AIX, which ONNX Runtime does not serve.
function fromPrediction({ modelId, rowId, basis, logits, novelty, dissent }: Prediction) {
  const bytes = new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength);
  return { model_id: modelId, row_id: rowId, basis, logits: bytes, novelty: novelty ?? null, dissent: dissent ?? null };
}

function toPrediction(found: Selectable<Schema["predictions"]>): Prediction {
  const { model_id, row_id, basis, logits, novelty, dissent } = found;
  // Copied: what the database hands out need not be aligned to four bytes.
  const copy = logits.slice();
  return {
    modelId: modelId(model_id),
    rowId: rowId(row_id),
    basis: basis as Prediction["basis"],
    logits: new Float32Array(copy.buffer, copy.byteOffset, copy.byteLength / 4),
    ...(novelty !== null && { novelty }),
    ...(dissent !== null && { dissent }),
  };
}
