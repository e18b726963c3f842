/**
 * @file The review queue: which rows a person should see next. First the labels that a ruling is likeliest to change, and
 * between them, one in ten or more, rows drawn uniformly: without these nobody would know how good the labels are that
 * nothing speaks against.
 */

import { FlywheelError } from "../errors.ts";
import { softmax } from "../math/softmax.ts";
import type { ModelId, Row, RowId, Split } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";
import { nextAudits } from "./audit-order.ts";
import { type ConfidenceOf, collectEvidence, type Evidence } from "./evidence.ts";
import type { AuditItem, ReviewItem, SuspectItem, TeacherVote } from "./review-item.ts";
import { together } from "./suspicion.ts";

export type ReviewQueueOptions = {
  readonly store: Store;
  readonly task: Task;
  /** Whose opinion to hold against the labels; the champion's by default, else the newest model's, else nobody's. */
  readonly modelId?: ModelId;
  readonly limit: number;
  /** Share of uniform rows, in [0.1, 1]; 0.1 by default. Never less: it is the only unbiased sample (SCIENCE D7). */
  readonly auditShare?: number;
  /** The student's calibrated confidence; softmax of its logits, which is too sure of itself, by default. */
  readonly confidenceOf?: ConfidenceOf;
};

export const leastAuditShare = 0.1;

/** The queues of several fields as one, the first of each, then the second of each: any first part of it is fair to all. */
export function mergeQueues(queues: ReadonlyMap<string, readonly ReviewItem[]>, limit: number): readonly ReviewItem[] {
  const longest = Math.max(...[...queues.values()].map((queue) => queue.length));
  const merged: ReviewItem[] = [];
  for (let place = 0; place < longest; place++) {
    for (const [field, queue] of queues) {
      const item = queue[place];
      if (item) merged.push(field === "" ? item : { ...item, field });
    }
  }
  return merged.slice(0, limit);
}

/**
 * The next rows to rule on, most valuable first; any first part of the list holds its share of audits. Rows that a person
 * has ruled on do not appear. The same store gives the same queue.
 * @throws FlywheelError `invalid_review_queue`
 */
export async function buildReviewQueue(options: ReviewQueueOptions): Promise<readonly ReviewItem[]> {
  const { store, task, limit, auditShare = leastAuditShare, confidenceOf = softmaxConfidence } = options;
  checkOptions(limit, auditShare);
  const ruled = await ruledRows(store);
  const modelId = options.modelId ?? (await modelInForce(store));
  const evidence = await collectEvidence(store, { splits: suspectSplits(task), ruled, modelId, confidenceOf });
  const suspects = await rankSuspects(store, evidence, limit);
  const audits = await nextAudits(store, ruled, limit);
  return interleave(suspects, audits, { limit, auditShare });
}

/**
 * Certify rows are seen as audits only: out of their order a ruling on them certifies nothing, and one made beside a
 * suggestion would later stand in the uniform sample. Calibrate rows use rulings only where people are the reference.
 */
function suspectSplits({ reference }: Task): readonly Split[] {
  return reference === "person" ? ["train", "calibrate"] : ["train"];
}

function checkOptions(limit: number, auditShare: number): void {
  if (Number.isInteger(limit) && limit > 0 && auditShare >= leastAuditShare && auditShare <= 1) return;
  throw new FlywheelError("invalid_review_queue", `limit ${limit}, audit share ${auditShare}`, {
    hint: `limit is a whole number from 1, the audit share lies in [${leastAuditShare}, 1]`,
  });
}

const softmaxConfidence: ConfidenceOf = (logits) => Math.max(...softmax(logits, logits.length));

async function ruledRows(store: Store): Promise<ReadonlySet<RowId>> {
  const ruled = new Set<RowId>();
  for await (const { rowId } of store.annotations.people()) ruled.add(rowId);
  return ruled;
}

async function modelInForce(store: Store): Promise<ModelId | undefined> {
  const champion = await store.policies.champion();
  return champion?.modelId ?? (await store.models.list())[0]?.id;
}

async function rankSuspects(
  store: Store,
  evidence: ReadonlyMap<RowId, Evidence>,
  limit: number,
): Promise<readonly SuspectItem[]> {
  const worst = [...evidence]
    .map(([id, found]) => ({ id, found, priority: together(found.suspicions) }))
    .sort((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1))
    .slice(0, limit);
  const rows = new Map((await store.rows.getMany(worst.map(({ id }) => id))).map((row) => [row.id, row]));
  const items = worst.map(async ({ id, found, priority }) =>
    suspectItem(rows.get(id), found, priority, await votesOn(store, id)),
  );
  return (await Promise.all(items)).filter((item) => item !== undefined);
}

function suspectItem(
  row: Row | undefined,
  { suspicions, label, student }: Evidence,
  priority: number,
  votes: readonly TeacherVote[],
): SuspectItem | undefined {
  if (!row) return undefined;
  const share = label?.distribution?.[label.value];
  return {
    kind: "suspect",
    row,
    priority,
    reasons: suspicions.map(({ reason }) => reason),
    votes,
    ...(label && { suggestion: label.value }),
    ...(share !== undefined && { suggestionShare: share }),
    ...(student && { student }),
  };
}

async function votesOn(store: Store, id: RowId): Promise<readonly TeacherVote[]> {
  const votes = (await store.annotations.ofRow(id)).flatMap((annotation) =>
    annotation.annotator === "teacher" && annotation.value !== undefined
      ? [{ teacher: annotation.teacher, pass: annotation.pass, value: annotation.value }]
      : [],
  );
  return votes.sort((a, b) => a.pass - b.pass);
}

/**
 * Merges both lists so that the first n items hold at least ⌈n · auditShare⌉ audits while there are any; what is left of
 * the limit when the suspects run out goes to more audits. A row that is drawn is an audit, whatever is suspected: its
 * ruling must be unswayed.
 */
export function interleave(
  suspects: readonly SuspectItem[],
  audits: readonly Row[],
  { limit, auditShare }: { readonly limit: number; readonly auditShare: number },
): readonly ReviewItem[] {
  const drawn = drawAudits(suspects, audits, { limit, auditShare });
  const drawnIds = new Set(drawn.map(({ id }) => id));
  const open = suspects.filter(({ row }) => !drawnIds.has(row.id));
  const items: ReviewItem[] = [];
  let audited = 0;
  while (items.length < limit) {
    const isDue = audited < Math.ceil((items.length + 1) * auditShare);
    const suspect = open[items.length - audited];
    const row = drawn[audited];
    const item = row && (isDue || !suspect) ? auditItem(row, suspect) : suspect;
    if (!item) break;
    if (item.kind === "audit") audited++;
    items.push(item);
  }
  return items;
}

/**
 * As many as the share asks for, then more where the suspects do not fill the rest: then every suspect is in the queue
 * anyhow, and those that come up in the audit order stay what they are.
 */
function drawAudits(
  suspects: readonly SuspectItem[],
  audits: readonly Row[],
  { limit, auditShare }: { readonly limit: number; readonly auditShare: number },
): readonly Row[] {
  const least = Math.ceil(limit * auditShare);
  const first = audits.slice(0, least);
  const suspected = new Set(suspects.map(({ row }) => row.id));
  const inBoth = first.filter(({ id }) => suspected.has(id)).length;
  const room = Math.max(0, limit - first.length - (suspects.length - inBoth));
  const further = audits.slice(least).filter(({ id }) => !suspected.has(id));
  return [...first, ...further.slice(0, room)];
}

/** Takes its neighbour's priority, so that sorting by priority leaves it where it is. */
function auditItem(row: Row, neighbour: SuspectItem | undefined): AuditItem {
  return { kind: "audit", row, priority: neighbour?.priority ?? 0, reasons: ["audit"] };
}
