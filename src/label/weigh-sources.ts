/**
 * @file Who is right where sources differ: Dawid–Skene over all rows, from three distinct sources on (SCIENCE D6). Passes
 * of one model are one source, for they err together, and two sources cannot be told apart by how often they agree. What
 * people ruled is held fast.
 */

import { dawidSkene } from "../math/dawid-skene.ts";
import type { Annotation, LabelValue, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { classesOf, promptVersion, type Task } from "../task.ts";
import { latestRulings, votesOf } from "../verdict.ts";
import { consensusOf, type Distribution } from "./consensus.ts";

const LEAST_SOURCES = 3;
/** Posteriors are kept three times over while they are estimated, eight bytes each. */
const MOST_POSTERIORS = 4_000_000;
/** Smaller shares of a posterior are left out of a soft target. */
const LEAST_SHARE = 1e-3;

export type SourceWeighing = {
  /** Posterior of a row's class; undefined for rows that nobody judged. */
  posterior(rowId: RowId): Distribution | undefined;
};

/** Undefined where there are fewer than three sources, or too many rows and classes to hold. */
export async function weighSources(store: Store, task: Task): Promise<SourceWeighing | undefined> {
  if (!(await hasEnoughSources(store, task))) return undefined;
  const classes = classesOf(task);
  const votes = await collectVotes(store, task, classes);
  if (votes.rows.size * classes.length > MOST_POSTERIORS) return undefined;
  const { posterior } = dawidSkene({
    nRows: votes.rows.size,
    nAnnotators: votes.sources.size,
    k: classes.length,
    row: Int32Array.from(votes.row),
    annotator: Int32Array.from(votes.source),
    label: Int32Array.from(votes.label),
    gold: Int32Array.from(votes.gold),
  });
  return {
    posterior(rowId) {
      const index = votes.rows.get(rowId);
      return index === undefined ? undefined : distributionAt(posterior, index, classes);
    },
  };
}

/** Most workspaces have not, and need not hold every vote in memory to find out. */
async function hasEnoughSources(store: Store, task: Task): Promise<boolean> {
  const version = promptVersion(task);
  const sources = new Set<string>();
  for await (const { annotations } of store.annotations.byRow()) {
    for (const source of judgementsOf(annotations, version).keys()) sources.add(source);
    if (sources.size >= LEAST_SOURCES) return true;
  }
  return false;
}

type Votes = {
  readonly rows: Map<RowId, number>;
  readonly sources: Map<string, number>;
  /** Parallel: who said what of which row. */
  readonly row: number[];
  readonly source: number[];
  readonly label: number[];
  /** By row: the class that people ruled, or −1. */
  readonly gold: number[];
};

async function collectVotes(store: Store, task: Task, classes: readonly LabelValue[]): Promise<Votes> {
  const votes: Votes = { rows: new Map(), sources: new Map(), row: [], source: [], label: [], gold: [] };
  const version = promptVersion(task);
  for await (const { rowId, annotations } of store.annotations.byRow()) {
    const said = judgementsOf(annotations, version);
    if (said.size === 0) continue;
    const row = votes.rows.size;
    votes.rows.set(rowId, row);
    for (const [source, value] of said) {
      const label = classes.indexOf(value);
      if (label < 0) continue;
      votes.row.push(row);
      votes.source.push(indexOf(votes.sources, source));
      votes.label.push(label);
    }
    votes.gold.push(goldOf(annotations, version, classes));
  }
  return votes;
}

/** One judgement a source: a model's own majority, else its first answer. */
function judgementsOf(annotations: readonly Annotation[], version: string): ReadonlyMap<string, LabelValue> {
  const said = new Map<string, LabelValue>();
  for (const { person, value } of latestRulings(annotations)) said.set(`person/${person}`, value);
  const byModel = Map.groupBy(votesOf(annotations, version), ({ teacher }) => teacher);
  for (const [model, votes] of byModel) {
    const verdict = consensusOf(votes, version);
    if (verdict) said.set(`teacher/${model}`, verdict.value);
  }
  return said;
}

function goldOf(annotations: readonly Annotation[], version: string, classes: readonly LabelValue[]): number {
  const verdict = consensusOf(annotations, version);
  return verdict?.basis === "person" ? classes.indexOf(verdict.value) : -1;
}

function indexOf(sources: Map<string, number>, source: string): number {
  const known = sources.get(source) ?? sources.size;
  sources.set(source, known);
  return known;
}

function distributionAt(posterior: Float64Array, row: number, classes: readonly LabelValue[]): Distribution {
  const shares = classes.map((label, index) => [label, posterior[row * classes.length + index]!] as const);
  const kept = shares.filter(([, share]) => share >= LEAST_SHARE);
  const total = kept.reduce((sum, [, share]) => sum + share, 0);
  return Object.fromEntries(kept.map(([label, share]) => [label, share / total]));
}
