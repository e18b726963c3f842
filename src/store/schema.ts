/**
 * @file The tables, as Kysely sees them. Filters have columns of their own; the rest of a record is JSON.
 *
 * One dialect-neutral choice of types: booleans are 0 / 1, times are integers of milliseconds, money is an integer of
 * nano-dollars, JSON is text. So the same queries run on SQLite and, later, on Postgres.
 */

import type { Selectable } from "kysely";

export type Schema = {
  readonly migrations: MigrationTable;
  readonly rows: RowTable;
  readonly row_sources: RowSourceTable;
  readonly rejections: RejectionTable;
  readonly files: FileTable;
  readonly gold: GoldTable;
  readonly annotations: AnnotationTable;
  readonly spend: SpendTable;
  readonly spend_totals: SpendTotalsTable;
  readonly budget_refused: BudgetRefusedTable;
  readonly over_budget: OverBudgetTable;
  readonly labels: LabelTable;
  readonly models: ModelTable;
  readonly predictions: PredictionTable;
  readonly policies: PolicyTable;
  readonly policy_voids: PolicyVoidTable;
  readonly champions: ChampionTable;
  readonly decisions: DecisionTable;
  readonly rounds: RoundTable;
  readonly tallies: TallyTable;
  readonly latencies: LatencyTable;
  readonly uniform_outcomes: UniformOutcomeTable;
  readonly outcome_hours: OutcomeHourTable;
  readonly pending_labels: PendingLabelTable;
  readonly history_progress: HistoryProgressTable;
  readonly history_dropped: HistoryDroppedTable;
};

type MigrationTable = { readonly number: number; readonly name: string };

type RowTable = {
  readonly id: string;
  readonly kind: string;
  readonly input: string;
  readonly source: string;
  readonly origin: string;
  readonly uniform: number;
  readonly split: string;
  readonly propensity: number;
  readonly created_at: number;
};
export type RowRecord = Selectable<RowTable>;

/** Sightings are numbered as they come: a row's sources have an order, and a source whose content changed has a latest. */
type RowSourceTable = {
  readonly row_id: string;
  readonly source: string;
  readonly first_seen: number;
  readonly last_seen: number;
};

export type RowSourceRecord = Selectable<RowSourceTable>;

type RejectionTable = { readonly source: string; readonly code: string; readonly message: string; readonly at: number };

type FileTable = {
  readonly path: string;
  readonly name: string;
  readonly row_id: string;
  readonly size_bytes: number;
  readonly modified_ms: number;
};

/** `field`: which of a task's fields, here and below; empty where the task has one output. */
type GoldTable = { readonly field: string; readonly row_id: string; readonly value: string };

type AnnotationTable = {
  readonly field: string;
  readonly id: string;
  readonly row_id: string;
  readonly at: number;
  readonly annotator: string;
  /** Null for people. */
  readonly pass: number | null;
  readonly prompt_version: string | null;
  /** Null for a teacher's failure. */
  readonly value: string | null;
  readonly body: string;
};

/** `reserved` is null once settled; `spent` adds up over attempts. Nano-dollars. */
type SpendTable = {
  readonly id: string;
  readonly reserved: number | null;
  readonly spent: number;
  readonly at: number;
};

/** One row (`id` 1): the sums over `spend`, kept in the same transaction, because a reservation must not scan them. */
type SpendTotalsTable = {
  readonly id: number;
  readonly reserved: number;
  readonly spent: number;
  readonly in_flight: number;
};

/** One row (`id` 1), absent until the budget refuses a request: the most that the last of them may have cost. Nano-dollars. */
type BudgetRefusedTable = { readonly id: number; readonly needed: number; readonly at: number };

/** Decisions that were degraded because the budget was spent. */
type OverBudgetTable = {
  readonly field: string;
  readonly requests: number;
  readonly first_at: number;
  readonly last_at: number;
};

type LabelTable = {
  readonly field: string;
  readonly row_id: string;
  readonly value: string;
  readonly weight: number;
  readonly basis: string;
  readonly distribution: string | null;
  readonly at: number;
};
export type LabelRecord = Selectable<LabelTable>;

type ModelTable = { readonly field: string; readonly id: string; readonly created_at: number; readonly card: string };

type PredictionTable = {
  readonly model_id: string;
  readonly row_id: string;
  readonly basis: string;
  /** Little-endian float32. */
  readonly logits: Uint8Array;
  /** Null where the student cannot say. */
  readonly novelty: number | null;
  /** Null where it has no committee of its own. */
  readonly dissent: number | null;
};

type PolicyTable = {
  readonly field: string;
  readonly id: string;
  readonly model_id: string;
  readonly certified: number;
  readonly created_at: number;
  readonly body: string;
};

type PolicyVoidTable = {
  readonly field: string;
  readonly policy_id: string;
  readonly why: string;
  readonly at: number;
};

type ChampionTable = {
  readonly field: string;
  readonly version: number;
  readonly model_id: string;
  readonly policy_id: string;
  readonly at: number;
  readonly reason: string;
};

type DecisionTable = {
  readonly field: string;
  readonly id: string;
  readonly row_id: string;
  readonly at: number;
  readonly route: string;
  readonly uniform: number;
  readonly policy_id: string | null;
  readonly body: string;
  /** 0: from before the tables below were kept, and not yet in them unless `history_progress` has passed it. */
  readonly counted: number;
};

type RoundTable = { readonly field: string; readonly round: number; readonly body: string };

/** Sums over decisions (`tallies.ts`). Nano-dollars; `hour` since the epoch; `reason` is empty where there is none. */
type TallyTable = {
  readonly field: string;
  readonly hour: number;
  readonly route: string;
  readonly reason: string;
  readonly requests: number;
  readonly paid: number;
  readonly cost: number;
  readonly first_at: number;
  readonly last_at: number;
};

/** A histogram of how long the student's own answers took. */
type LatencyTable = {
  readonly field: string;
  readonly day: number;
  readonly step: number;
  readonly requests: number;
};

/** Uniform decisions of a policy, as its monitor sees them (`uniform-outcomes.ts`). */
type UniformOutcomeTable = {
  readonly field: string;
  readonly policy_id: string;
  readonly at: number;
  readonly id: string;
  readonly row_id: string;
  readonly answered: number;
  readonly student_value: string | null;
  readonly wrong: number | null;
};

type OutcomeHourTable = {
  readonly field: string;
  readonly policy_id: string;
  readonly hour: number;
  readonly awaiting: number;
  readonly passed: number;
  readonly correct: number;
  readonly wrong: number;
};

/** Decisions that call for a label of the teacher (`pending-labels.ts`). */
type PendingLabelTable = {
  readonly field: string;
  readonly id: string;
  readonly row_id: string;
  readonly at: number;
};

/** One row (`id` 1): how far decisions from before these tables are counted, in order of field, time and id. */
type HistoryProgressTable = {
  readonly id: number;
  readonly field: string;
  readonly at: number;
  readonly decision: string;
  readonly done: number;
};

/** Decisions from before then are gone, and what they add to the sums stays. */
type HistoryDroppedTable = { readonly field: string; readonly before_at: number };
