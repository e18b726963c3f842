/** @file Annotations: judgements of teachers and people. Never overwritten. */

import { type Expression, type ExpressionBuilder, type Kysely, type SqlBool, sql } from "kysely";
import type { Annotation, PersonAnnotation, Row, RowId, TeacherAnnotation } from "../records.ts";
import type { AnnotationStore } from "./contract.ts";
import { type Database, fromJson, type Insert, insertAll, type Run } from "./database.ts";
import { noteAnnotation } from "./history.ts";
import { inPages, PAGE_SIZE } from "./pages.ts";
import { rowMatches, toRow } from "./row-filter.ts";
import type { Schema } from "./schema.ts";
import { isReserved, settle } from "./spend.ts";

type Filter = Pick<Partial<TeacherAnnotation>, "pass" | "promptVersion">;

export function createAnnotationStore({ read, write, runNow }: Database, field: string): AnnotationStore {
  return {
    put: (annotations) =>
      write(async (_, run) => {
        const charged = new Set<string>();
        for (const annotation of annotations) {
          if (await putOne(run, annotation, { field, charged })) noteAnnotation(runNow, field, annotation);
        }
      }),
    async ofRow(id) {
      const query = read.selectFrom("annotations").select("body").where("field", "=", field).where("row_id", "=", id);
      const records = await query.orderBy("at").orderBy("id").execute();
      return records.map(({ body }) => fromJson<Annotation>(body, `an annotation of row ${id}`));
    },
    byRow: () => grouped(list(read, { field })),
    teacher: (filter = {}) => list<TeacherAnnotation>(read, { field, annotator: "teacher", ...filter }),
    people: () => list<PersonAnnotation>(read, { field, annotator: "person" }),
    missingPass: ({ pass, promptVersion, ...page }) =>
      rowsWhere(read, page, (eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom("annotations")
              .select(sql.lit(1).as("one"))
              .where("field", "=", field)
              .where("prompt_version", "=", promptVersion)
              .where("pass", "=", pass)
              .whereRef("row_id", "=", "rows.id"),
          ),
        ),
      ),
    disagreements: ({ promptVersion, ...page }) =>
      rowsWhere(read, page, (eb) =>
        eb.and([
          eb.exists(
            eb
              .selectFrom("annotations as first")
              .innerJoin("annotations as second", "second.row_id", "first.row_id")
              .select(sql.lit(1).as("one"))
              .where("first.field", "=", field)
              .where("second.field", "=", field)
              .whereRef("first.row_id", "=", "rows.id")
              .where("first.prompt_version", "=", promptVersion)
              .where("first.pass", "=", 1)
              .where("second.prompt_version", "=", promptVersion)
              .where("second.pass", "=", 2)
              .whereRef("second.value", "<>", "first.value"),
          ),
          eb.not(
            eb.exists(
              eb
                .selectFrom("annotations as third")
                .select(sql.lit(1).as("one"))
                .where("third.field", "=", field)
                .whereRef("third.row_id", "=", "rows.id")
                .where("third.prompt_version", "=", promptVersion)
                .where("third.pass", "=", 3),
            ),
          ),
        ]),
      ),
  };
}

const newAnnotation: Insert<Schema["annotations"]> = {
  table: "annotations",
  columns: ["field", "id", "row_id", "at", "annotator", "pass", "prompt_version", "value", "body"],
  conflict: "on conflict (field, id) do nothing",
};

type Putting = {
  /** Where it is kept unless it names its field. */
  readonly field: string;
  /** Requests whose answers are charged: one to several fields has an annotation for each, all of the same id. */
  readonly charged: Set<string>;
};

/** Whether it is new. */
async function putOne(run: Run, annotation: Annotation, { field, charged }: Putting): Promise<boolean> {
  const teacher = annotation.annotator === "teacher" ? annotation : undefined;
  const record = {
    field: annotation.field ?? field,
    id: annotation.id,
    row_id: annotation.rowId,
    at: annotation.at,
    annotator: annotation.annotator,
    pass: teacher?.pass ?? null,
    prompt_version: teacher?.promptVersion ?? null,
    value: annotation.value ?? null,
    body: JSON.stringify(annotation),
  };
  const isNew = (await insertAll(run, newAnnotation, [record])) > 0;
  if (teacher === undefined) return isNew;
  // Known, and yet under way: two processes asked at once, and both were charged.
  if (!isNew && !charged.has(teacher.id) && !(await isReserved(run, teacher.id))) return isNew;
  charged.add(teacher.id);
  await settle(run, teacher);
  return isNew;
}

/** By row, then time, in pages. The caller names the kind of annotation that `annotator` selects. */
function list<T extends Annotation>(
  read: Kysely<Schema>,
  { field, annotator, pass, promptVersion }: Filter & { readonly field: string; readonly annotator?: T["annotator"] },
): AsyncGenerator<T> {
  let query = read.selectFrom("annotations").select("body").where("field", "=", field);
  // Spelled out, for an index of people's annotations alone answers only what names them in its text.
  if (annotator !== undefined) query = query.where("annotator", "=", sql.lit(annotator));
  if (pass !== undefined) query = query.where("pass", "=", pass);
  if (promptVersion !== undefined) query = query.where("prompt_version", "=", promptVersion);
  const ordered = query.orderBy("row_id").orderBy("at").orderBy("id").limit(PAGE_SIZE);
  return inPages(async (after: T | undefined) => {
    const records = await (after === undefined ? ordered : ordered.where((eb) => comesAfter(eb, after))).execute();
    return records.map(({ body }) => fromJson<T>(body, "an annotation"));
  });
}

function comesAfter(eb: ExpressionBuilder<Schema, "annotations">, { rowId, at, id }: Annotation) {
  return eb(eb.refTuple("row_id", "at", "id"), ">", eb.tuple(rowId, at, id));
}

async function* grouped(
  annotations: AsyncIterable<Annotation>,
): AsyncGenerator<{ readonly rowId: RowId; readonly annotations: readonly Annotation[] }> {
  let group: Annotation[] = [];
  for await (const annotation of annotations) {
    const rowId = group[0]?.rowId;
    if (rowId !== undefined && rowId !== annotation.rowId) {
      yield { rowId, annotations: group };
      group = [];
    }
    group.push(annotation);
  }
  const rowId = group[0]?.rowId;
  if (rowId !== undefined) yield { rowId, annotations: group };
}

type RowPage = {
  readonly after?: RowId;
  readonly limit: number;
  readonly origin?: Row["origin"];
};

async function rowsWhere(
  read: Kysely<Schema>,
  { after, limit, origin }: RowPage,
  condition: (eb: ExpressionBuilder<Schema, "rows">) => Expression<SqlBool>,
): Promise<readonly Row[]> {
  const query = read
    .selectFrom("rows")
    .selectAll("rows")
    .where(condition)
    .where(rowMatches(origin === undefined ? {} : { origin }))
    .orderBy("rows.id")
    .limit(limit);
  return (await (after === undefined ? query : query.where("rows.id", ">", after)).execute()).map(toRow);
}
