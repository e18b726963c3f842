/**
 * @file One walk over all annotations, in step with the rows of the uniform stream: both come in id order, so memory holds
 * counts and the words of the rows asked for, never the annotations themselves.
 */

import type { Annotation, LabelValue, PersonAnnotation, Row, RowId, Split, TeacherAnnotation } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { wordsOf } from "../verdict.ts";
import type { Words } from "./truth.ts";

/** A uniform row's standing for the estimate of the teacher's accuracy. */
export type TeacherJudged = {
  readonly id: RowId;
  readonly split: Split;
  /** 1 where its first two passes agree: a cheap hint that the verdict is right. */
  readonly passesAgree: number;
  readonly words: Words;
};

export type Survey = {
  /** Answers of passes 1 and 2 of the same row. */
  readonly pairs: readonly (readonly [LabelValue, LabelValue])[];
  readonly judged: readonly TeacherJudged[];
  readonly failedRows: number;
  readonly failures: ReadonlyMap<string, { readonly count: number; readonly example: string }>;
  readonly rulings: number;
  readonly people: ReadonlySet<string>;
  readonly teachers: ReadonlyMap<string, { readonly simulated: boolean; readonly annotations: number }>;
  readonly annotations: number;
  readonly labellingUsd: number;
  readonly trafficUsd: number;
  /** Of answers to the question that live traffic asks (passes 0 and 1). */
  readonly singleCalls: { readonly count: number; readonly costUsd: number; readonly latenciesMs: readonly number[] };
  readonly simulated: boolean;
  /** Of the rows asked for. */
  readonly words: ReadonlyMap<RowId, Words>;
};

export type SurveyOptions = {
  readonly store: Store;
  readonly promptVersion: string;
  readonly gold: ReadonlyMap<RowId, LabelValue>;
  /** Rows whose words are wanted. */
  readonly wanted: ReadonlySet<RowId>;
  readonly signal?: AbortSignal | undefined;
};

export async function surveyAnnotations(options: SurveyOptions): Promise<Survey> {
  const tally = emptyTally();
  for await (const group of uniformRowsWithAnnotations(options.store)) {
    options.signal?.throwIfAborted();
    addGroup(tally, group, options);
  }
  return tally;
}

/** `split` is known of rows in the uniform stream only. */
type Group = { readonly rowId: RowId; readonly split?: Split; readonly annotations: readonly Annotation[] };

/** Rows of the uniform stream and rows with annotations, merged by id. */
async function* uniformRowsWithAnnotations(store: Store): AsyncIterable<Group> {
  const rows = store.rows.list({ uniform: true })[Symbol.asyncIterator]();
  let row = await nextRow(rows);
  for await (const { rowId, annotations } of store.annotations.byRow()) {
    for (; row && row.id < rowId; row = await nextRow(rows)) yield { rowId: row.id, split: row.split, annotations: [] };
    if (row?.id !== rowId) {
      yield { rowId, annotations };
      continue;
    }
    yield { rowId, split: row.split, annotations };
    row = await nextRow(rows);
  }
  for (; row; row = await nextRow(rows)) yield { rowId: row.id, split: row.split, annotations: [] };
}

async function nextRow(rows: AsyncIterator<Row>): Promise<Row | undefined> {
  const { value, done } = await rows.next();
  return done ? undefined : value;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Tally = Mutable<
  Omit<Survey, "pairs" | "judged" | "failures" | "people" | "teachers" | "words" | "singleCalls">
> & {
  readonly pairs: [LabelValue, LabelValue][];
  readonly judged: TeacherJudged[];
  readonly failures: Map<string, { count: number; example: string }>;
  readonly people: Set<string>;
  readonly teachers: Map<string, { simulated: boolean; annotations: number }>;
  readonly words: Map<RowId, Words>;
  readonly singleCalls: { count: number; costUsd: number; latenciesMs: number[] };
};

function emptyTally(): Tally {
  return {
    pairs: [],
    judged: [],
    failedRows: 0,
    failures: new Map(),
    rulings: 0,
    people: new Set(),
    teachers: new Map(),
    annotations: 0,
    labellingUsd: 0,
    trafficUsd: 0,
    singleCalls: { count: 0, costUsd: 0, latenciesMs: [] },
    simulated: false,
    words: new Map(),
  };
}

function addGroup(tally: Tally, group: Group, { promptVersion, gold, wanted }: SurveyOptions): void {
  const { rowId, split, annotations } = group;
  addAnnotations(tally, annotations);
  const pair = firstTwo(annotations, promptVersion);
  if (pair) tally.pairs.push(pair);
  const words = { ...wordsOf(annotations, promptVersion), gold: gold.get(rowId) };
  if (wanted.has(rowId)) tally.words.set(rowId, words);
  if (split) tally.judged.push({ id: rowId, split, passesAgree: Number(!pair || pair[0] === pair[1]), words });
}

function addAnnotations(tally: Tally, annotations: readonly Annotation[]): void {
  const asked = annotations.filter(isTeacher);
  for (const annotation of asked) addTeacher(tally, annotation);
  for (const { person } of annotations.filter(isPerson)) {
    tally.rulings++;
    tally.people.add(person);
  }
  tally.annotations += annotations.length;
  if (asked.length > 0 && asked.every(({ value }) => value === undefined)) tally.failedRows++;
}

const isTeacher = (annotation: Annotation): annotation is TeacherAnnotation => annotation.annotator === "teacher";
const isPerson = (annotation: Annotation): annotation is PersonAnnotation => annotation.annotator === "person";

function addTeacher(tally: Tally, annotation: TeacherAnnotation): void {
  const { teacher, simulated, pass, costUsd, latencyMs, value, failure } = annotation;
  const known = tally.teachers.get(teacher);
  tally.teachers.set(teacher, { simulated, annotations: (known?.annotations ?? 0) + 1 });
  tally.simulated ||= simulated;
  if (pass === 0) tally.trafficUsd += costUsd;
  else tally.labellingUsd += costUsd;
  if (failure) {
    const { count, example } = tally.failures.get(failure.code) ?? { count: 0, example: failure.message };
    tally.failures.set(failure.code, { count: count + 1, example });
  }
  // Failed attempts are charged too: their cost belongs to the answers that were had.
  if (pass > 1) return;
  tally.singleCalls.costUsd += costUsd;
  if (value === undefined) return;
  tally.singleCalls.count++;
  // A log that does not say how long its calls took has 0, which is no time.
  if (latencyMs > 0) tally.singleCalls.latenciesMs.push(latencyMs);
}

/** What passes 1 and 2 of one question answered. */
function firstTwo(annotations: readonly Annotation[], version: string): [LabelValue, LabelValue] | undefined {
  const passes = annotations.filter(isTeacher).filter(({ promptVersion }) => promptVersion === version);
  const [first, second] = [1, 2].map((number) => passes.find(({ pass }) => pass === number)?.value);
  return first === undefined || second === undefined ? undefined : [first, second];
}
