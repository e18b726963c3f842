/**
 * @file Records that the task does not cover, however sure the student is. Customers of a telephone company: one segment after
 * another is held out, trees of 2,000 of the others are calibrated and certified on the others alone, and then meet the segment
 * (`out-of-scope-support.ts` says what is counted). Two segments have a word that training never had; the third, the newest
 * customers, only numbers a little below all those seen. Far rows are shown beside, made of rows in scope: every column shuffled
 * by itself, so that each value is usual and their combination is not, and every number ten times as large.
 */

import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/clock.ts";
import { quantile } from "../src/math/quantile.ts";
import { createRng, fork, type Rng, shuffle } from "../src/math/random.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { defineTask } from "../src/task.ts";
import { neighboursFile } from "../src/train/neighbours-file.ts";
import { loadRecordStudent, type RecordStudent } from "../src/train/record/load-record-student.ts";
import { trainStudent } from "../src/train/train-student.ts";
import { costOf, figuresOf, heard, meet, type Outcome, share, slack } from "./out-of-scope-support.ts";
import { type Customer, type Fields, putCustomers, readCustomers } from "./telco-support.ts";

const seeds = ["first", "second", "third"];
const trainingRows = 2000;
const calibrateRows = 1000;
const goal = { kind: "regret", risk: 0.05, delta: 0.1 } as const;
const segments: Readonly<Record<string, (fields: Fields) => boolean>> = {
  "Contract: Two year": ({ Contract }) => Contract === "Two year",
  "InternetService: Fiber optic": ({ InternetService }) => InternetService === "Fiber optic",
  "tenure below 6": ({ tenure }) => Number(tenure) < 6,
};
const target = {
  words: "fewer of the segments with a new word than at a raised threshold",
  far: "fewer of the far rows than at a raised threshold",
  cost: share + slack,
};

const classes = ["No", "Yes"];
const task = defineTask({
  name: "churn",
  input: "record",
  instructions: "Will the customer leave?",
  output: { kind: "choice", choices: classes },
  teacher: { model: "compatible/none" },
  student: { threads: 1, xgboost: { early_stopping_rounds: 0, num_boost_round: 60 } },
});
const customers = readCustomers();
const columns = Object.keys(customers[0]!.fields);

type Trained = AsyncDisposable & { readonly student: RecordStudent; readonly neighboursBytes: number };

async function train(rows: readonly Customer[]): Promise<Trained> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-out-of-scope-"));
  await using store = await openSqliteStore({ directory });
  await putCustomers(store, rows);
  const { id } = await trainStudent({ store, task, seed: 1, clock: systemClock });
  const folder = store.models.folder(id);
  const student = await loadRecordStudent(folder, { threads: 1 });
  const { size } = await stat(join(folder, neighboursFile));
  return {
    student,
    neighboursBytes: size,
    async [Symbol.asyncDispose]() {
      await student[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

async function say(student: RecordStudent, rows: readonly Customer[]) {
  const inputs = rows.map(({ fields }) => ({ kind: "record", fields }) as const);
  return {
    logits: await student.predictLogits(inputs),
    novelty: await student.novelty!(inputs),
    reference: Int32Array.from(rows, ({ churned }) => Number(churned)),
  };
}

function shuffledColumns(rows: readonly Customer[], rng: Rng): readonly Customer[] {
  const orders = new Map(columns.map((name) => [name, shuffle([...rows.keys()], rng)]));
  return rows.map((customer, row) => ({
    ...customer,
    fields: Object.fromEntries(columns.map((name) => [name, rows[orders.get(name)![row]!]!.fields[name] ?? null])),
  }));
}

/** Prices and charges; tenure in months. */
const numbers = ["tenure", "MonthlyCharges", "TotalCharges"];

function tenfold(rows: readonly Customer[]): readonly Customer[] {
  return rows.map((customer) => ({
    ...customer,
    fields: {
      ...customer.fields,
      ...Object.fromEntries(numbers.map((name) => [name, 10 * Number(customer.fields[name])])),
    },
  }));
}

const times = { decision: [] as number[], novelty: [] as number[] };

function time({ predictRecord, noveltyOf }: RecordStudent, rows: readonly Customer[]): void {
  for (const { fields } of rows) {
    const started = performance.now();
    predictRecord(fields);
    const decided = performance.now();
    noveltyOf!(fields);
    times.decision.push(1000 * (decided - started));
    times.novelty.push(1000 * (performance.now() - decided));
  }
}

const bytes: number[] = [];

async function meetCustomers(isOutside: (fields: Fields) => boolean, seed: string) {
  const rng = createRng(fork("out-of-scope", seed));
  const inside = shuffle(
    customers.filter(({ fields }) => !isOutside(fields)),
    rng,
  );
  const certifyFrom = trainingRows + calibrateRows;
  const half = certifyFrom + Math.floor((inside.length - certifyFrom) / 2);
  await using trained = await train(inside.slice(0, trainingRows));
  const { student } = trained;
  bytes.push(trained.neighboursBytes);
  const usual = inside.slice(half);
  const segment = customers.filter(({ fields }) => isOutside(fields));
  const outcome = meet({
    calibrate: heard("calibrate", await say(student, inside.slice(trainingRows, certifyFrom))),
    certify: heard("certify", await say(student, inside.slice(certifyFrom, half))),
    inScope: heard("certify", await say(student, usual)),
    outside: {
      segment: heard("certify", await say(student, segment)),
      shuffled: heard("certify", await say(student, shuffledColumns(usual, rng))),
      tenfold: heard("certify", await say(student, tenfold(usual))),
    },
    target: goal,
  });
  time(student, usual);
  console.log(outcome);
  return outcome;
}

type Kind = "segment" | "shuffled" | "tenfold";

const figures: Record<string, ReturnType<typeof figuresOf<Kind>> & { readonly cost: number }> = {};
for (const [name, isOutside] of Object.entries(segments)) {
  console.log(name);
  const outcomes: Outcome<Kind>[] = [];
  for (const seed of seeds) outcomes.push(await meetCustomers(isOutside, seed));
  const own = figuresOf(outcomes);
  figures[name] = { ...own, cost: costOf(own) };
}

const fewer = ({ answered }: (typeof figures)[string], kind: Kind): boolean =>
  answered.with[kind][0]! < answered.raisedThreshold[kind][0]!;
const all = Object.values(figures);
const [contract, internet] = all;
console.log(
  JSON.stringify({
    bar: "out-of-scope-records",
    figures: {
      segments: figures,
      microseconds: { decision: rounded(times.decision), novelty: rounded(times.novelty) },
      neighboursBytes: Math.round(quantile(bytes, 0.5)),
    },
    target,
    met:
      fewer(contract!, "segment") &&
      fewer(internet!, "segment") &&
      all.every((own) => fewer(own, "shuffled") && fewer(own, "tenfold") && own.cost <= target.cost),
  }),
);

function rounded(values: readonly number[]): { readonly p50: number; readonly p95: number } {
  const [p50, p95] = [0.5, 0.95].map((q) => Number(quantile(values, q).toFixed(1)));
  return { p50: p50!, p95: p95! };
}
