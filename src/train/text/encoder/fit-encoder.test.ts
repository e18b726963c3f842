import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../clock.ts";
import { createRng } from "../../../math/random.ts";
import { rowId } from "../../../records.ts";
import { type FitEncoderOptions, fitEncoder } from "./fit-encoder.ts";
import type { EncoderRecipe } from "./recipe.ts";
import { classifierOf, readGolden } from "./testing.ts";

const recipe: EncoderRecipe = {
  epochs: 3,
  learningRate: 3e-3,
  headRate: 3,
  batchSize: 6,
  warmUp: 0.1,
  patience: 3,
  optimiser: "adamw",
  weightDecay: 0.01,
  labelSmoothing: 0.05,
  clipNorm: 1,
};

/** Thirty texts of one padded length: what they are about is their second token. */
const ids = Array.from({ length: 30 }, (_, index) => {
  const rng = createRng(`text ${index}`);
  const rest = Array.from({ length: 2 + rng.integer(4) }, () => 10 + rng.integer(30));
  return [1, 2 + (index % 3), ...rest];
});
const rows = ids.map((_, index) => ({
  id: rowId(String(index)),
  input: { kind: "text", text: "" } as const,
  target: Float32Array.from([0, 1, 2], (c) => Number(c === index % 3)),
  classIndex: index % 3,
  weight: 1 + (index % 2),
}));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flywheel-encoder-"));
});
afterAll(() => rm(folder, { recursive: true }));

const forward = classifierOf(readGolden("new"));
const fit = (name: string, changes: Partial<FitEncoderOptions> = {}) =>
  fitEncoder({
    forward,
    rows,
    ids,
    recipe,
    threads: 1,
    seed: 1,
    checkpointPath: join(folder, `${name}.safetensors`),
    clock: systemClock,
    ...changes,
  });

/** Stops after `count` steps. */
function stopAfter(count: number): Pick<FitEncoderOptions, "signal" | "progress"> {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    progress({ done }) {
      if (done === count) controller.abort(new Error("stop"));
    },
  };
}

test("a run that is stopped, again and again, ends in the weights of one that was not, bit for bit", async () => {
  const whole = await fit("whole");
  expect(whole.history.at(-1)!.loss).toBeLessThan(whole.history[0]!.loss);
  for (const steps of [1, 5, 11]) {
    const stopped = fit("stopped", stopAfter(steps));
    await expect(stopped).rejects.toMatchObject({ code: "training_interrupted", retryable: true });
  }
  const continued = await fit("stopped");
  expect(continued.model.graph.initialisers).toEqual(whole.model.graph.initialisers);
  expect(continued.history).toEqual(whole.history);
});

test("one seed gives one model, another seed another; tables of embeddings stay as they are", async () => {
  const short = { recipe: { ...recipe, epochs: 1 } };
  const [first, again, other] = [
    await fit("first", short),
    await fit("again", short),
    await fit("other", { ...short, seed: 2 }),
  ];
  expect(again.model.graph.initialisers).toEqual(first.model.graph.initialisers);
  expect(other.model.graph.initialisers).not.toEqual(first.model.graph.initialisers);
  const table = "bert.embeddings.word_embeddings.weight";
  expect(first.model.graph.initialisers.get(table)).toEqual(forward.graph.initialisers.get(table));
});

test("stopped while held-out rows are measured, it says so and goes on from the checkpoint before", async () => {
  const controller = new AbortController();
  const measured = [0.9, 0.8, 0.7];
  const validate = async (): Promise<number> => measured.shift() ?? 1;
  const stopping = async (): Promise<number> => {
    controller.abort(new Error("stop"));
    controller.signal.throwIfAborted();
    return 0;
  };
  const stopped = fit("measured", { validate: stopping, signal: controller.signal });
  await expect(stopped).rejects.toMatchObject({ code: "training_interrupted" });
  const { history } = await fit("measured", { validate });
  expect(history).toHaveLength(3);
});
