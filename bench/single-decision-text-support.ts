/**
 * @file Bar 4, its text half: one decision on a text of 100 words in process, tier 0: text in, calibrated label out. Beside it
 * scikit-learn's `predict_proba` on the same texts, by turns. `single-decision.ts` runs it.
 */

import { applyCalibrator } from "../src/calibrate/calibrator.ts";
import { quantiles } from "../src/math/quantile.ts";
import { startPeer } from "./python-support.ts";
import { classesIn, readTexts, rounded, studentOf, trainOnce } from "./text-support.ts";

const words = 100;
const rounds = 20;
const perRound = 100;
const peerPerRound = 10;
const warmUp = 500;

export type Latency = { readonly p50Us: number; readonly p95Us: number; readonly n: number };

export type TextDecisions = { readonly flywheel: Latency; readonly scikitLearn?: Latency };

/** Sentences of the news set joined and cut to 100 words, all different. */
function hundredWords(sentences: readonly string[], count: number): readonly string[] {
  const all = sentences.flatMap((sentence) => sentence.split(/\s+/));
  return Array.from({ length: count }, (_, index) => all.slice(index * words, (index + 1) * words).join(" "));
}

function latency(timesMs: readonly number[]): Latency {
  const [p50 = 0, p95 = 0] = quantiles(timesMs, [0.5, 0.95]);
  return { p50Us: rounded(1000 * p50, 1), p95Us: rounded(1000 * p95, 1), n: timesMs.length };
}

export async function timeTextDecisions(): Promise<TextDecisions> {
  const rows = readTexts("news-bias/llm-labelled.csv", { text: "text", label: "llm_majority_label" });
  const classes = classesIn(rows);
  const texts = hundredWords(
    rows.map(({ text }) => text),
    warmUp + rounds * perRound,
  );
  await using student = await studentOf(trainOnce(rows, classes, 1), classes);
  const decide = (text: string): string => {
    const calibrated = applyCalibrator(
      { kind: "temperature", temperature: 1.2 },
      student.logitsOf(text),
      classes.length,
    );
    return `${classes[calibrated.predicted[0]!]} ${calibrated.confidence[0]}`;
  };
  for (const text of texts.slice(0, warmUp)) decide(text);
  using peer = await startPeer("text_linear.py");
  await peer?.ask({
    command: "train",
    texts: rows.map(({ text }) => text),
    labels: rows.map(({ label }) => label),
    c: 1,
  });
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const turn = texts.slice(warmUp + round * perRound, warmUp + (round + 1) * perRound);
    for (const text of turn) ours.push(timed(() => decide(text)));
    const answer = await peer?.ask({ command: "single", texts: turn.slice(0, peerPerRound) });
    if (answer) theirs.push(...(answer["ms"] as readonly number[]));
  }
  return { flywheel: latency(ours), ...(theirs.length > 0 && { scikitLearn: latency(theirs) }) };
}

function timed(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}
