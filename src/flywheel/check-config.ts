/**
 * @file Whether a config still fits the rows that were ingested under it. A key that would make other rows of them is
 * refused; the rest of the table in `config-keys.ts` is applied.
 */

import { FlywheelError } from "../errors.ts";
import type { Policy, Row } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { type AnyTask, splitOf, type Task } from "../task.ts";

/** Enough to see shares that moved by a percent or two; where no row is in another split, nothing has changed for them. */
const SAMPLE = 500;

/** @throws FlywheelError `config_changed` where rows were ingested under another `input`, `columns.features` or `splits` */
export async function checkConfig(store: Store, task: AnyTask): Promise<void> {
  const rows: Row[] = [];
  for await (const row of store.rows.list({ origin: "ingest", uniform: true })) {
    if (rows.push(row) === SAMPLE) break;
  }
  const problem = inputProblem(rows, task) ?? featureProblem(rows, task) ?? splitProblem(rows, task);
  if (problem === undefined) return;
  throw new FlywheelError("config_changed", `the config has changed since rows were ingested: ${problem}`, {
    hint: "put the key back as it was, or begin another workspace and ingest there",
  });
}

function inputProblem(rows: readonly Row[], { input }: AnyTask): string | undefined {
  const other = rows.find((row) => row.input.kind !== input);
  return other && `input is "${input}", and ${other.source} is there as "${other.input.kind}"`;
}

function featureProblem(rows: readonly Row[], { columns: { features } }: AnyTask): string | undefined {
  if (features === "auto") return undefined;
  for (const { input, source } of rows) {
    if (input.kind !== "record") return undefined;
    const gone = Object.keys(input.fields).find((name) => !Object.hasOwn(features, name));
    if (gone !== undefined) return `columns.features leaves out "${gone}", which ${source} has`;
  }
  return undefined;
}

function splitProblem(rows: readonly Row[], { splits }: AnyTask): string | undefined {
  const moved = rows.filter(({ id, split }) => split !== splitOf(id, splits)).length;
  if (moved === 0) return undefined;
  const shares = Object.entries(splits).map(([name, share]) => `${name} ${share}`);
  return `with splits ${shares.join(", ")}, ${moved} of ${rows.length} rows would lie in another split, and what was trained on would certify`;
}

/** What the champion was certified for and the task now asks otherwise. */
export function promiseProblem(policy: Policy, { target, reference }: Task): string | undefined {
  const differences = [
    ...(["kind", "risk", "delta"] as const)
      .filter((key) => policy.target[key] !== target[key])
      .map((key) => `target.${key} is ${target[key]}, and was ${policy.target[key]}`),
    ...(["recall", "never"] as const)
      .filter((key) => JSON.stringify(policy.target[key]) !== JSON.stringify(target[key]))
      .map((key) => `target.${key} is ${JSON.stringify(target[key])}, and was ${JSON.stringify(policy.target[key])}`),
    ...(policy.reference === reference ? [] : [`reference is ${reference}, and was ${policy.reference}`]),
  ];
  return differences.length === 0 ? undefined : differences.join("; ");
}
