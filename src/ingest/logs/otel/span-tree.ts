/**
 * @file One call, one span. A library, an agent around it and an instrumentation of each may all write down the same call; of
 * spans that lie in one another the first that the log holds is the call, whether the log begins with the inner or the outer.
 */

import type { Span } from "./span.ts";

export type SpanTree = {
  /** Whether a span with the words of a call is one that was not counted yet. Told of every span, in the log's order. */
  isNew(span: Pick<Span, "id" | "parent">, hasWords: boolean): boolean;
};

/** Spans remembered: a trace is written within seconds, and a log may hold millions. */
const MAX_SPANS = 50_000;

/** What is known of a span: that it lies in or is a call that was counted, or around one. */
type Known = { parent: string | undefined; within: boolean; around: boolean };

export function createSpanTree(limit = MAX_SPANS): SpanTree {
  const known = new Map<string, Known>();
  const remember = (id: string, parent: string | undefined): Known => {
    const found = known.get(id);
    if (found) {
      found.parent ??= parent;
      return found;
    }
    if (known.size >= limit) known.delete(known.keys().next().value!);
    const fresh = { parent, within: false, around: false };
    known.set(id, fresh);
    return fresh;
  };
  /** Everything above, as far as it is known; a parent that is yet to come as well. */
  const markAround = (id: string | undefined): void => {
    for (let at = id; at !== undefined; ) {
      const one: Known = remember(at, undefined);
      if (one.around) return;
      one.around = true;
      at = one.parent;
    }
  };
  return {
    isNew({ id, parent }, hasWords) {
      if (id === undefined) return hasWords;
      const own = remember(id, parent);
      const wasAround = own.around;
      own.within ||= parent !== undefined && (known.get(parent)?.within ?? false);
      // Marked before its own parent was known: what is above that lies around the call, too.
      if (wasAround) {
        own.around = false;
        markAround(id);
      }
      if (!hasWords || wasAround || own.within) return false;
      own.within = true;
      markAround(parent);
      return true;
    },
  };
}
