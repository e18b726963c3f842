/**
 * @file A routed request in the shape of OpenAI's decisions.
 *
 * Probabilities say where they come from (header `x-flywheel-probabilities`): `calibrated` are the student's, `teacher` the
 * provider's; `verdict` means that the teacher gave an answer and no probabilities, shown as 1 for it and 0 for the rest.
 */

import type { LabelValue, Usage } from "../records.ts";
import type { Routed, RoutedAnswer } from "../route/routed.ts";
import type { Asked } from "./questions.ts";

export type Answer =
  | { readonly type: "predicate"; readonly name: string | null; readonly probability: number }
  | {
      readonly type: "choice";
      readonly name: string | null;
      readonly choice: string | boolean;
      readonly confidence: number;
      readonly probabilities: readonly { readonly value: string | boolean; readonly probability: number }[];
    }
  | {
      readonly type: "score";
      readonly name: string | null;
      /** Mean of the levels' values under their probabilities: it may fall between two levels. */
      readonly score: number;
      /** Probability of the level that was chosen. */
      readonly confidence: number;
      readonly probabilities: readonly {
        readonly label: string;
        readonly value: number;
        readonly probability: number;
      }[];
    }
  | { readonly type: "refusal"; readonly name: string | null };

export type DecisionBody = {
  readonly model: string;
  readonly answers: readonly Answer[];
  readonly usage: ReturnType<typeof usageBody>;
};

export const ProbabilitySource = ["calibrated", "teacher", "verdict"] as const;
export type ProbabilitySource = (typeof ProbabilitySource)[number];

/** An answer as the wire shows it. */
export type Shown = {
  readonly value: LabelValue;
  readonly probabilities: Readonly<Record<LabelValue, number>>;
  readonly source: ProbabilitySource;
};

/** Undefined where nobody answered: every question is then a refusal. */
export function shownOf(answer: RoutedAnswer): Shown | undefined {
  if (!("value" in answer)) return undefined;
  const { kind, value } = answer;
  if (kind === "student") return { value, probabilities: answer.probabilities, source: "calibrated" };
  const given = answer.probabilities;
  // Probabilities that contradict the answer are of no use to the caller.
  if (given && isLargest(given, value)) return { value, probabilities: given, source: "teacher" };
  return { value, probabilities: { [value]: 1 }, source: "verdict" };
}

function isLargest(probabilities: Readonly<Record<LabelValue, number>>, value: LabelValue): boolean {
  return Object.values(probabilities).every((other) => other <= (probabilities[value] ?? 0));
}

export function answerQuestion(asked: Asked, shown: Shown | undefined): Answer {
  const { name } = asked;
  if (!shown) return { type: "refusal", name };
  const { value, probabilities } = shown;
  const of = (label: LabelValue): number => probabilities[label] ?? 0;
  if (asked.type === "predicate") return { type: "predicate", name, probability: of("true") };
  if (asked.type === "score") return scoreAnswer(asked, shown);
  return {
    type: "choice",
    name,
    // Questions were matched to the task: each of its labels is an option.
    choice: asked.options.find(({ label }) => label === value)?.value ?? value,
    confidence: of(value),
    probabilities: asked.options.map(({ value, label }) => ({ value, probability: of(label) })),
  };
}

function scoreAnswer({ name, levels }: Extract<Asked, { type: "score" }>, { value, probabilities }: Shown): Answer {
  const shares = levels.map((level) => ({
    label: level.spelling,
    value: level.value,
    probability: probabilities[level.label] ?? 0,
  }));
  const score = shares.reduce((sum, share) => sum + share.value * share.probability, 0);
  return { type: "score", name, score, confidence: probabilities[value] ?? 0, probabilities: shares };
}

/** Tokens as the Responses API counts them; all 0 where no teacher was asked. */
export function usageBody({ inputTokens, outputTokens }: Usage) {
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + outputTokens,
  };
}

export function decisionBody(
  model: string,
  asked: readonly Asked[],
  { fields, usage }: { readonly fields: ReadonlyMap<string, Pick<Routed, "answer">>; readonly usage: Usage },
): DecisionBody {
  const answers = asked.map((one) => {
    const routed = fields.get(one.field);
    return answerQuestion(one, routed && shownOf(routed.answer));
  });
  return { model, answers, usage: usageBody(usage) };
}
