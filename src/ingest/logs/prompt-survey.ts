/** @file The prompts of a log, and which of them ask this task's question: those whose answers mostly are its labels. */

import { createHash } from "node:crypto";

export type PromptSurvey = {
  isOurs(prompt: string): boolean;
  /** Most frequent first, at most twenty. */
  readonly prompts: readonly {
    readonly prompt: string;
    readonly calls: number;
    readonly answered: number;
    /** Calls without an answer: they say nothing of whose the prompt is. */
    readonly failed: number;
    readonly isOurs: boolean;
    /** The beginning of the first answer that is no label. */
    readonly example?: string | undefined;
  }[];
};

/** Share of answers that must be labels. */
const MOST = 0.5;
/** More different prompts than this, and they hold data of their own (a date, a name): one by one they say nothing. */
const MAX_PROMPTS = 200;
const SHOWN = 20;
const EXCERPT = 160;

type Group = {
  readonly excerpt: string;
  calls: number;
  answered: number;
  failed: number;
  example?: string | undefined;
};

/** What came back: a label of the task, something else, or nothing. */
export type Seen = "label" | "other" | "failed";

/** `said`: the beginning of an answer that is no label. */
export type PromptCounter = { see(prompt: string, seen: Seen, said?: string): void; survey(): PromptSurvey };

export function createPromptCounter(): PromptCounter {
  const groups = new Map<string, Group>();
  const all: Group = { excerpt: "(many different prompts)", calls: 0, answered: 0, failed: 0 };
  const add = (group: Group, seen: Seen, said: string | undefined) => {
    group.example ??= said;
    group.calls++;
    group.answered += Number(seen === "label");
    group.failed += Number(seen === "failed");
  };
  return {
    see(prompt, seen, said) {
      add(all, seen, said);
      const key = keyOf(prompt);
      const group = groups.get(key) ?? { excerpt: excerptOf(prompt), calls: 0, answered: 0, failed: 0 };
      if (groups.size <= MAX_PROMPTS || groups.has(key)) groups.set(key, group);
      add(group, seen, said);
    },
    survey() {
      const isMany = groups.size > MAX_PROMPTS;
      const shown = (isMany ? [all] : [...groups.values()]).toSorted((a, b) => b.calls - a.calls).slice(0, SHOWN);
      return {
        isOurs: (prompt) => isAnsweredMostly(isMany ? all : groups.get(keyOf(prompt))),
        prompts: shown.map(({ excerpt, ...group }) => ({
          prompt: excerpt,
          ...group,
          isOurs: isAnsweredMostly({ excerpt, ...group }),
        })),
      };
    },
  };
}

const isAnsweredMostly = (group: Group | undefined): boolean =>
  group !== undefined && group.answered > 0 && group.answered >= MOST * (group.calls - group.failed);

const keyOf = (prompt: string): string => createHash("sha256").update(prompt).digest("base64");

const excerptOf = (prompt: string): string => (prompt.length > EXCERPT ? `${prompt.slice(0, EXCERPT)}…` : prompt);
