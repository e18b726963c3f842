/**
 * @file What every store promises. One small interface a noun; `describeStore` in `contract-suite.ts` holds any
 * implementation to it.
 *
 * Promises: a write that has resolved survives `kill -9`; writing the same record twice changes nothing; several
 * processes may use one store at once; reads that list rows do so in id order, in pages, in bounded memory.
 */

import type { OverBudget, SpendTotals } from "../budget.ts";
import type {
  Annotation,
  BlobId,
  Champion,
  Decision,
  Input,
  Label,
  LabelValue,
  ModelCard,
  ModelId,
  PersonAnnotation,
  Policy,
  PolicyId,
  Prediction,
  Rejection,
  Round,
  Row,
  RowId,
  Split,
  TeacherAnnotation,
} from "../records.ts";

export type Store = AsyncDisposable & {
  readonly rows: RowStore;
  readonly files: FileStore;
  readonly blobs: BlobStore;
  readonly gold: GoldStore;
  readonly annotations: AnnotationStore;
  readonly spend: SpendStore;
  readonly labels: LabelStore;
  readonly models: ModelStore;
  readonly predictions: PredictionStore;
  readonly policies: PolicyStore;
  readonly decisions: DecisionStore;
  readonly rounds: RoundStore;
  readonly history: HistoryStore;
  /**
   * The same store as one field of a task sees it. Gold, annotations, labels, models, policies, champions, decisions and rounds
   * are the field's own; rows, files, blobs, money and predictions (which a model's id names) are everybody's. `""` is the
   * task of one output.
   */
  field(name: string): Store;
  /** A write as large as a batch of decisions, and of nothing: rejects where those would. */
  probe(): Promise<void>;
  /**
   * Claims `work` until the claim is disposed of or its process ends, however it ends. Two that label would pay for the
   * same answers; two that train would do the same work.
   * @throws FlywheelError `work_under_way` where somebody, in this process or another, has claimed it
   */
  claim(work: ClaimedWork): Claim;
};

export type ClaimedWork = "label" | "train";

export type Claim = Disposable;

export type RowFilter = {
  readonly split?: Split;
  readonly origin?: Row["origin"];
  readonly uniform?: boolean;
  readonly kind?: Input["kind"];
};

export type RowStore = {
  /** Adds those that are new, in one transaction. A known id keeps its first record and gains the source. */
  put(rows: readonly Row[]): Promise<{ readonly added: number; readonly duplicates: number }>;
  get(id: RowId): Promise<Row | undefined>;
  getMany(ids: readonly RowId[]): Promise<readonly Row[]>;
  count(filter?: RowFilter): Promise<number>;
  /** In id order. */
  list(filter?: RowFilter): AsyncIterable<Row>;
  /** Every source under which the row was seen, first one first. */
  sources(id: RowId): Promise<readonly string[]>;
  /** The row that this source showed last. */
  bySource(source: string): Promise<RowId | undefined>;
  /** A source that is later put as a row is rejected no more. */
  reject(rejections: readonly Rejection[]): Promise<void>;
  /** The last word on each source that was rejected, by source. */
  rejections(): Promise<readonly Rejection[]>;
};

/** A file that became a row. While its size and time stay the same it need not be read again. */
export type SeenFile = {
  /** Absolute. */
  readonly path: string;
  readonly rowId: RowId;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
};

export type FileStore = {
  /** Replaces what was known of the same paths. */
  put(files: readonly SeenFile[]): Promise<void>;
  /** Those of `paths` that are known, in no order. */
  getMany(paths: readonly string[]): Promise<readonly SeenFile[]>;
  /** Every known file whose last path segment is one of `names`. */
  named(names: readonly string[]): Promise<readonly SeenFile[]>;
};

/** Immutable payloads by the hash of their bytes; files beside the database, written to a temporary name, then renamed. */
export type BlobStore = {
  put(bytes: Uint8Array): Promise<BlobId>;
  /** @throws FlywheelError `blob_missing`, or `blob_corrupt` where the bytes no longer match their hash */
  get(id: BlobId): Promise<Uint8Array>;
  path(id: BlobId): string;
};

/** How many rows have each label, in the order of the labels. */
export type ValueCounts = readonly (readonly [value: LabelValue, count: number])[];

/** Gold labels only ever measure; nothing but measurement reads them. */
export type GoldStore = {
  /** Upserts, and withdraws the gold labels of the rows in `withdraw`. One transaction. */
  put(
    gold: readonly { readonly rowId: RowId; readonly value: LabelValue }[],
    withdraw?: readonly RowId[],
  ): Promise<void>;
  all(): Promise<ReadonlyMap<RowId, LabelValue>>;
  countByValue(): Promise<ValueCounts>;
};

export type AnnotationStore = {
  /**
   * Never overwrites: a known id is left as it is. A new teacher annotation settles the reservation of the same id in the
   * same transaction, as `spend.settle(id, costUsd)` would: failed attempts that were settled before are not part of it.
   * One that names its `field` is kept there, so that the answers to one request, which share its id and its cost, are
   * written in one transaction.
   */
  put(annotations: readonly Annotation[]): Promise<void>;
  ofRow(id: RowId): Promise<readonly Annotation[]>;
  /** Grouped by row, in row order; rows without annotations do not appear. */
  byRow(): AsyncIterable<{ readonly rowId: RowId; readonly annotations: readonly Annotation[] }>;
  teacher(filter?: { readonly pass?: number; readonly promptVersion?: string }): AsyncIterable<TeacherAnnotation>;
  people(): AsyncIterable<PersonAnnotation>;
  /**
   * Rows that still lack this pass under this prompt version (a recorded failure counts as done), in id order, at most
   * `limit` after `after`.
   */
  missingPass(query: {
    readonly pass: number;
    readonly promptVersion: string;
    readonly after?: RowId;
    readonly limit: number;
    readonly origin?: Row["origin"];
  }): Promise<readonly Row[]>;
  /** Rows whose passes 1 and 2 of this prompt version gave different values and that lack pass 3, in id order. */
  disagreements(query: {
    readonly promptVersion: string;
    readonly after?: RowId;
    readonly limit: number;
  }): Promise<readonly Row[]>;
};

/**
 * Money, counted exactly in nano-dollars. A reservation is durable before the request leaves; what is in flight counts
 * against the budget.
 */
export type SpendStore = {
  /**
   * Reserves if spent + reserved + `maxCostUsd` ≤ `budgetUsd` (no limit where absent), atomically across processes.
   * Reserving a known id again renews it and does not count twice.
   */
  reserve(reservation: {
    readonly id: string;
    readonly maxCostUsd: number;
    readonly budgetUsd?: number | undefined;
    readonly at: number;
  }): Promise<boolean>;
  /** Replaces a reservation by what was really charged (0 for a request that failed uncharged). Adds up over attempts. */
  settle(id: string, costUsd: number, at: number): Promise<void>;
  /** `neededUsd`: what the last request that `reserve` refused may have cost; absent where it never refused one. */
  totals(): Promise<SpendTotals>;
  /** Ids still reserved: in flight, or in doubt after a crash. */
  open(): Promise<readonly { readonly id: string; readonly maxCostUsd: number; readonly at: number }[]>;
};

export type LabelStore = {
  /** Upserts the labels in force, and withdraws those in `withdraw`. One transaction. */
  put(labels: readonly Label[], withdraw?: readonly RowId[]): Promise<void>;
  get(id: RowId): Promise<Label | undefined>;
  count(filter?: RowFilter): Promise<number>;
  countBySplit(): Promise<{ readonly [S in Split]: number }>;
  countByValue(): Promise<ValueCounts>;
  /** Labels in force with their rows, in id order. */
  list(filter?: RowFilter): AsyncIterable<{ readonly row: Row; readonly label: Label }>;
};

export type ModelStore = {
  /** Registers the card; the folder is already in place (`folder(id)`). */
  put(card: ModelCard): Promise<void>;
  get(id: ModelId): Promise<ModelCard | undefined>;
  /** Newest first. */
  list(): Promise<readonly ModelCard[]>;
  /** Where a model's files live: `model.onnx`, `card.json`. */
  folder(id: ModelId): string;
};

export type PredictionStore = {
  put(predictions: readonly Prediction[]): Promise<void>;
  ofModel(id: ModelId, basis?: Prediction["basis"]): AsyncIterable<Prediction>;
};

export type PolicyStore = {
  put(policy: Policy): Promise<void>;
  get(id: PolicyId): Promise<Policy | undefined>;
  ofModel(id: ModelId): Promise<readonly Policy[]>;
  champion(): Promise<Champion | undefined>;
  /** The swap, by compare-and-set: false where another process was first. `expected` is the version replaced, 0 for none. */
  promote(next: Omit<Champion, "version">, expected: number): Promise<boolean>;
  /** Every champion so far, newest first. */
  history(): Promise<readonly Champion[]>;
  /** The monitor's hard stop: the policy answers nothing any more. */
  void(id: PolicyId, why: string, at: number): Promise<void>;
  voided(id: PolicyId): Promise<{ readonly why: string; readonly at: number } | undefined>;
  /** Certificates issued so far: δ is spent over these. */
  certificatesIssued(): Promise<number>;
};

export type DecisionFilter = {
  readonly since?: number;
  readonly policyId?: PolicyId;
  readonly uniform?: boolean;
  readonly route?: Decision["route"];
};

export type DecisionStore = {
  /**
   * @param withinMs time in which the write must begin, or it is refused with `store_locked` and never done: a caller who is
   *   told that nothing was recorded must not find it recorded later. Given, a caller waits: what the write takes (until its
   *   commit begins, and as long as the flush before it took) is added to each `latencyMs`
   */
  put(decisions: readonly Decision[], withinMs?: number): Promise<void>;
  get(id: string): Promise<Decision | undefined>;
  /** In order of time. */
  list(filter?: DecisionFilter): AsyncIterable<Decision>;
  count(filter?: DecisionFilter): Promise<number>;
  /** Of decisions that were degraded because the budget was spent; undefined where none was. Does not scan. */
  overBudget(): Promise<OverBudget | undefined>;
};

export type RoundStore = {
  put(round: Round): Promise<void>;
  list(): Promise<readonly Round[]>;
};

/** Requests that went one way for one reason. */
export type TrafficTally = {
  readonly route: Decision["route"];
  readonly reason: Decision["reason"];
  readonly requests: number;
  /** Of these, those that cost anything, and what all of them cost. */
  readonly paid: number;
  readonly costUsd: number;
  readonly firstAt: number;
  readonly lastAt: number;
};

/** Uniform decisions of a policy in one hour since the epoch, by what the reference says of them. */
export type OutcomeHour = {
  readonly hour: number;
  /** Answers of the student on which the reference has not yet spoken. */
  readonly awaiting: number;
  /** Not answered by the student, and so not wrong. */
  readonly passed: number;
  readonly correct: number;
  readonly wrong: number;
};

export type PendingLabel = Pick<Decision, "id" | "rowId" | "at">;

/**
 * What is kept beside the decisions, in the transactions that change it, so that nobody reads a million of them. Decisions
 * from before it was kept are counted in small steps, at the first call; who calls meanwhile waits for that.
 */
export type HistoryStore = {
  /** Since then, or from the beginning; what was dropped is still counted. */
  traffic(since?: number): Promise<readonly TrafficTally[]>;
  /** How long the student's own answers took, within 1%, ascending. */
  latencies(): Promise<readonly { readonly ms: number; readonly requests: number }[]>;
  /** In order of time. */
  outcomeHours(id: PolicyId): Promise<readonly OutcomeHour[]>;
  /** Those of one hour on which the reference has spoken, in order of time. */
  outcomes(id: PolicyId, hour: number): AsyncIterable<{ readonly answered: boolean; readonly wrong: boolean }>;
  /** Decisions that still call for a label of the teacher, oldest first. */
  pendingLabels(): AsyncIterable<PendingLabel>;
  /** How many requests have such a decision in one of these fields. */
  countPending(fields: readonly string[]): Promise<number>;
  /** It has its label: an answer that was known before. */
  settlePending(id: string): Promise<void>;
  /** Counts what was there before; resolves once all is counted. `onStep` hears how many decisions were looked at. */
  catchUp(onStep?: (decisions: number) => void): Promise<void>;
  /** Forgets what is kept of the decisions that are still there, and counts them anew, in one transaction. */
  rebuild(): Promise<void>;
  /**
   * Drops decisions from before the day of `before`, but none that calls for a label still, nor those of the hour of
   * `keepHourOf`, so that `traffic` can be asked from there on. What they add to the sums and to the monitors stays.
   * @returns how many were dropped
   */
  dropDecisions(before: number, options?: { readonly keepHourOf?: number | undefined }): Promise<number>;
};
