/** @file What a simulated teacher has done and charged: the other side's books, which tests and benches hold ours against. */

const counters = [
  "requests",
  "charged",
  "replayed",
  "rateLimited",
  "failed",
  "hung",
  "malformed",
  "offSchema",
  "cut",
  "unauthorised",
] as const;
type Counter = (typeof counters)[number];

export type TeacherStats = { readonly [C in Counter]: number } & {
  /** Distinct questions (row and wording) that were charged for a valid answer. */
  readonly answered: number;
  /** Of these, charged for more than one valid answer. */
  readonly paidTwice: number;
};

export type Ledger = {
  count(counter: Counter): void;
  /** Charges for an answer to `question`; `fault` says whether the answer was of any use. */
  charge(question: string, fault: "pMalformed" | "pOffSchema" | "pCut" | undefined): void;
  stats(): TeacherStats;
};

export function createLedger(): Ledger {
  const counts = Object.fromEntries(counters.map((counter) => [counter, 0])) as Record<Counter, number>;
  const valid = new Map<string, number>();
  let paidTwice = 0;
  return {
    count(counter) {
      counts[counter]++;
    },
    charge(question, fault) {
      counts.charged++;
      if (fault === "pMalformed") counts.malformed++;
      else if (fault === "pOffSchema") counts.offSchema++;
      else {
        if (fault === "pCut") counts.cut++;
        const times = (valid.get(question) ?? 0) + 1;
        valid.set(question, times);
        if (times === 2) paidTwice++;
      }
    },
    stats: () => ({ ...counts, answered: valid.size, paidTwice }),
  };
}
