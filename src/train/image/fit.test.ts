import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../clock.ts";
import { photoAugmentation } from "../../image/augment.ts";
import { tinyNetwork, tinyPreprocessing, writeTintedPhotos } from "../testing.ts";
import type { TrainingRow } from "../training-rows.ts";
import { type FitOptions, fit } from "./fit.ts";
import type { Recipe } from "./recipe.ts";

const recipe: Recipe = {
  epochs: 4,
  batchSize: 16,
  learningRate: 0.02,
  warmUp: 0.1,
  optimiser: "adamw",
  weightDecay: 0.01,
  labelSmoothing: 0.05,
  clipNorm: 1,
  batchNormalisation: "batch",
  augmentation: photoAugmentation,
  patience: 4,
};

let folder: string;
let rows: readonly TrainingRow[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flywheel-fit-"));
  rows = await writeTintedPhotos(join(folder, "photos.bin"), 90, "fit");
});
afterAll(() => rm(folder, { recursive: true }));

const options = (name: string, changes: Partial<FitOptions> = {}): FitOptions => ({
  forward: tinyNetwork(),
  rows,
  photosPath: join(folder, "photos.bin"),
  preprocessing: tinyPreprocessing,
  recipe,
  threads: 1,
  seed: 1,
  checkpointPath: join(folder, `${name}.safetensors`),
  clock: systemClock,
  ...changes,
});

/** Stops after `count` steps. */
function stopAfter(count: number): Pick<FitOptions, "signal" | "progress"> {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    progress: ({ done }) => {
      if (done === count) controller.abort(new Error("stop"));
    },
  };
}

describe("fitting", () => {
  test("learns, and reports loss and accuracy of every epoch", async () => {
    const { history } = await fit(options("learns"));
    expect(history.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3]);
    expect(history.at(-1)!.loss).toBeLessThan(history[0]!.loss);
    expect(history.at(-1)!.accuracy).toBeGreaterThan(0.9);
  });

  test.each(["adamw", "sgd"] as const)(
    "continues a stopped %s run to the same weights, bit for bit",
    async (optimiser) => {
      const changes = { recipe: { ...recipe, optimiser } };
      const whole = await fit(options(`whole-${optimiser}`, changes));
      const name = `stopped-${optimiser}`;
      for (const steps of [2, 6, 9, 18]) {
        const stopped = fit(options(name, { ...changes, ...stopAfter(steps) }));
        await expect(stopped).rejects.toMatchObject({ code: "training_interrupted" });
      }
      const continued = await fit(options(name, changes));
      expect(continued.model.graph.initialisers).toEqual(whole.model.graph.initialisers);
      expect(continued.history).toEqual(whole.history);
    },
  );

  test("gives the same weights for the same seed, others for another", async () => {
    const short = { recipe: { ...recipe, epochs: 1 } };
    const first = await fit(options("seed-a", short));
    const again = await fit(options("seed-b", short));
    const other = await fit(options("seed-c", { ...short, seed: 2 }));
    const weight = ({ model }: typeof first) => model.graph.initialisers.get("conv_stem.weight")?.data;
    expect(weight(again)).toEqual(weight(first));
    expect(weight(other)).not.toEqual(weight(first));
  });

  test("stops early, and keeps the weights of the best epoch", async () => {
    const losses = [0.5, 0.3, 0.4, 0.6, 0.1];
    const seen: (ArrayLike<unknown> | undefined)[] = [];
    const fitted = await fit(
      options("early", {
        recipe: { ...recipe, epochs: 5, patience: 2 },
        validate: async (model) => {
          seen.push(model.graph.initialisers.get("classifier.weight")?.data);
          return losses[seen.length - 1]!;
        },
      }),
    );
    expect(fitted.history).toHaveLength(4);
    expect(fitted.model.graph.initialisers.get("classifier.weight")?.data).toEqual(seen[1]);
  });

  test("remembers the best epoch across an interruption", async () => {
    const losses = [0.2, 0.5];
    let calls = 0;
    const validate = async () => losses[calls++]!;
    const changes = { recipe: { ...recipe, epochs: 2, patience: 5 }, validate };
    await expect(fit(options("best", { ...changes, ...stopAfter(8) }))).rejects.toMatchObject({ retryable: true });
    const { model } = await fit(options("best", changes));
    const { model: whole } = await fit(
      options("best-whole", { recipe: { ...recipe, epochs: 2 }, validate: async (_) => losses[calls++ % 2]! }),
    );
    expect(model.graph.initialisers).toEqual(whole.graph.initialisers);
  });

  test("leaves a checkpoint that another network refuses", async () => {
    expect(existsSync(join(folder, "learns.safetensors"))).toBe(true);
    await expect(fit(options("learns", { forward: tinyNetwork(3) }))).rejects.toMatchObject({
      code: "onnx_checkpoint_mismatch",
    });
  });
});
