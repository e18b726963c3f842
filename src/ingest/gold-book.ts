/**
 * @file The gold labels of one run of `ingest`, from the data's own column and from the gold file. A row that is given two
 * different labels measures nothing: which of them is right is not ours to guess. A later run may correct an earlier one.
 */

import type { LabelValue, RowId } from "../records.ts";
import type { Store } from "../store/contract.ts";
import { inField } from "./gold-labels.ts";
import { createProblems, type LineProblems } from "./line-problems.ts";

export type GoldEntry = {
  readonly rowId: RowId;
  readonly field: string;
  readonly value: LabelValue;
  /** File and line. */
  readonly source: string;
};

export type GoldBook = {
  /** Writes the labels, and withdraws those of rows that this run has labelled otherwise. */
  put(entries: readonly GoldEntry[]): Promise<void>;
  /** Lines whose row keeps its label, so far. */
  readonly matched: number;
  /** Lines that contradict an earlier one. `text` is what both say. */
  conflicts(): LineProblems;
};

export function createGoldBook(store: Store): GoldBook {
  const fields = new Map<string, FieldBook>();
  const conflicts = createProblems();
  return {
    async put(entries) {
      for (const [field, given] of Map.groupBy(entries, (entry) => entry.field)) {
        const book = fields.get(field) ?? new FieldBook();
        fields.set(field, book);
        const { kept, withdrawn } = book.take(given, (source, text) => conflicts.add(source, inField(field, text)));
        if (kept.length + withdrawn.length > 0) await store.field(field).gold.put(kept, withdrawn);
      }
    },
    get matched() {
      return [...fields.values()].reduce((sum, book) => sum + book.matched, 0);
    },
    conflicts: conflicts.summary,
  };
}

type Said = { readonly value: LabelValue; lines: number; isContradicted: boolean };

/** One object for each row that has gold, under a number rather than its 64 digits: a million rows take 80 MB. */
class FieldBook {
  readonly #said = new Map<number, Said>();
  matched = 0;

  take(entries: readonly GoldEntry[], onConflict: (source: string, text: string) => void) {
    const kept = new Map<RowId, LabelValue>();
    const withdrawn = new Set<RowId>();
    for (const { rowId, value, source } of entries) {
      const said = this.#note(rowId, value);
      if (said.value !== value) onConflict(source, `${value}, after ${said.value}`);
      if (!said.isContradicted) kept.set(rowId, value);
      else {
        kept.delete(rowId);
        withdrawn.add(rowId);
      }
    }
    return { kept: [...kept].map(([rowId, value]) => ({ rowId, value })), withdrawn: [...withdrawn] };
  }

  #note(rowId: RowId, value: LabelValue): Said {
    const key = keyOf(rowId);
    const said = this.#said.get(key) ?? { value, lines: 0, isContradicted: false };
    this.#said.set(key, said);
    if (said.isContradicted) return said;
    said.isContradicted = said.value !== value;
    this.matched += said.isContradicted ? -said.lines : 1;
    said.lines++;
    return said;
  }
}

/** The first 52 bits of the hash: among a million rows, two share them once in nine thousand runs. */
const keyOf = (id: RowId): number => Number.parseInt(id.slice(0, 13), 16);
