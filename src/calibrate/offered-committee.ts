/** @file Which committee the task offers a model: its own members, or the champions before it. Whether it is kept is another question. */

import { sameClasses } from "../committee.ts";
import type { Committee, ModelCard } from "../records.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../task.ts";

export type OfferedCommittee = {
  readonly kind: Committee["kind"];
  /** Absent where there is nobody to ask. */
  readonly committee?: Committee;
};

/** SCIENCE D1: the current student and four past ones. */
const MOST_PREDECESSORS = 4;

type Sources = { readonly store: Pick<Store, "models" | "policies">; readonly task: Task; readonly card: ModelCard };

/** Undefined where the task offers none. */
export async function offeredCommittee(sources: Sources): Promise<OfferedCommittee | undefined> {
  const kind = sources.task.student.committee;
  switch (kind) {
    case "none":
      return undefined;
    case "folds": {
      const size = sources.card.members ?? 0;
      return size > 0 ? { kind, committee: { kind, size } } : { kind };
    }
    case "predecessors": {
      const members = await predecessorsOf(sources);
      return members.length > 0 ? { kind, committee: { kind, size: members.length, members } } : { kind };
    }
    default:
      return kind satisfies never;
  }
}

/** Champions of the same input and classes, the last first. */
async function predecessorsOf({ store, card }: Sources): Promise<readonly ModelCard["id"][]> {
  const history = await store.policies.history();
  const ids = [...new Set(history.map(({ modelId }) => modelId))].filter((id) => id !== card.id);
  const cards = await Promise.all(ids.map((id) => store.models.get(id)));
  return cards
    .flatMap((other) =>
      other?.inputKind === card.inputKind && sameClasses(other.classes, card.classes) ? other.id : [],
    )
    .slice(0, MOST_PREDECESSORS);
}
