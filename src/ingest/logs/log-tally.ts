/** @file What the calls of a log amount to: how many answers are labels, of which field, and whose they are. */

import { fieldNames, hasFields } from "../../fields.ts";
import type { AnyTask } from "../../task.ts";
import { inField } from "../gold-labels.ts";
import { createProblems } from "../line-problems.ts";
import type { LogSummary } from "./log-summary.ts";
import { createNamedCounts } from "./named-counts.ts";
import { isAnswered, isUnread, type ReadAnswer } from "./read-answer.ts";

export type LogTally = {
  /** A call of the task's. */
  add(call: {
    readonly read: ReadAnswer;
    readonly source: string;
    readonly isTeacher: boolean;
    readonly model: string | undefined;
    /** The call itself failed: there was no answer to read. */
    readonly isFailed: boolean;
  }): void;
  /** A call of another task. */
  addOther(): void;
  /** No call at all; returns the name under which it is counted. */
  addUnread(what: string): string;
  summary(): Omit<LogSummary, "format" | "prompts">;
  /** What a person should look at. */
  notes(): readonly string[];
};

export function createLogTally(task: AnyTask): LogTally {
  const unreadable = createProblems();
  const models = new Map<string, number>();
  const fields = new Map(fieldNames(task).map((name) => [name, { answered: 0, unreadable: 0 }]));
  const count = { calls: 0, answered: 0, complete: 0, failed: 0, other: 0, fromTeacher: 0 };
  const unread = createNamedCounts();
  return {
    add({ read, source, isTeacher, model = "unnamed", isFailed }) {
      const unanswered = unreadIn(read);
      count.calls++;
      count.failed += Number(isFailed);
      count.answered += Number(isAnswered(read));
      count.complete += Number(unanswered.length === 0);
      count.fromTeacher += Number(isAnswered(read) && isTeacher);
      models.set(model, (models.get(model) ?? 0) + 1);
      if (unanswered.length > 0) unreadable.add(source, wordsOf(unanswered));
      for (const [name, one] of read) fields.get(name)![isUnread(one) ? "unreadable" : "answered"]++;
    },
    addOther() {
      count.other++;
    },
    addUnread(what) {
      count.other++;
      return unread.add(what);
    },
    summary: () => ({
      ...count,
      ...(hasFields(task) && { fields: Object.fromEntries(fields) }),
      models: Object.fromEntries(models),
      unread: unread.all(),
      unreadable: unreadable.summary(),
    }),
    notes: () => [...foreignNotes(task, count, [...models.keys()]), ...partialNotes(count)],
  };
}

type Unread = { readonly field: string; readonly words: string };

const unreadIn = (read: ReadAnswer): readonly Unread[] =>
  [...read].flatMap(([field, one]) => (isUnread(one) ? { field, words: one.words } : []));

/** Once where all fields are without a label for one reason. */
function wordsOf(unread: readonly Unread[]): string {
  const [first] = unread;
  if (unread.length > 1 && unread.every(({ words }) => words === first?.words)) return first?.words ?? "";
  return unread.map(({ field, words }) => inField(field, words)).join("; ");
}

type Count = { readonly answered: number; readonly complete: number; readonly fromTeacher: number };

function foreignNotes(
  { teacher }: AnyTask,
  { answered, fromTeacher }: Count,
  models: readonly string[],
): readonly string[] {
  if (fromTeacher === answered) return [];
  return [
    `${answered - fromTeacher} answers are not of ${teacher.model} (the log names ${models.join(", ")}): they count only where teacher.model is the model that gave them`,
  ];
}

function partialNotes({ answered, complete }: Count): readonly string[] {
  if (complete === answered) return [];
  return [
    `${answered - complete} answers leave a field out: what they say of the others counts, and \`flywheel label\` asks those rows again, all fields at once`,
  ];
}
