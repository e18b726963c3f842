import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readOnnx } from "./proto.ts";
import { type DataType, floats, type Tensor, tensorFromBytes } from "./tensor.ts";
import { createTrainer, type Optimiser } from "./trainer.ts";

type Golden = {
  readonly rtol: number;
  readonly atol: number;
  readonly onnx: string;
  readonly optimiser: Optimiser;
  readonly loss: { readonly kind: "softmax-cross-entropy"; readonly labelSmoothing?: number };
  readonly clipNorm: number | null;
  readonly batchNormalisation: "frozen" | "batch";
  readonly learningRates: readonly number[];
  readonly batches: readonly {
    readonly dtype: Exclude<DataType, "string">;
    readonly dims: readonly number[];
    readonly x: string;
    readonly targets: string;
    readonly weights: string;
  }[];
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
  readonly firstLogits: string;
  readonly after: Readonly<Record<string, string>>;
};

function load(name: string): Golden {
  const url = new URL(`../../test/golden/onnx-training-${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as Golden; // written by scripts/golden/onnx_training.py
}

const numbers = (base64: string): Float32Array => {
  const bytes = Buffer.from(base64, "base64");
  return tensorFromBytes("float32", [bytes.length / 4], bytes).data;
};

/** Largest |ours − theirs| over what the tolerance allows: at most 1 passes. */
function excess(ours: Float32Array, theirs: Float32Array, { rtol, atol }: Golden): number {
  expect(ours.length).toBe(theirs.length);
  return ours.reduce((worst, value, index) => {
    const expected = theirs[index]!;
    return Math.max(worst, Math.abs(value - expected) / (atol + rtol * Math.abs(expected)));
  }, 0);
}

describe("three training steps give PyTorch's losses and weights", () => {
  test.each(["mobile-batch", "mobile-frozen", "residual", "mlp", "encoder"])("%s", async (name) => {
    const golden = load(name);
    const forward = readOnnx(Buffer.from(golden.onnx, "base64"));
    const { loss, optimiser, clipNorm, batchNormalisation, batches } = golden;
    const options = { forward, loss, optimiser, batchNormalisation, batchSize: batches[0]!.dims[0]!, threads: 1 };
    await using trainer = await createTrainer({ ...options, ...(clipNorm === null ? {} : { clipNorm }) });
    for (const [index, batch] of batches.entries()) {
      const x: Tensor = tensorFromBytes(batch.dtype, batch.dims, Buffer.from(batch.x, "base64"));
      const [targets, weights] = [numbers(batch.targets), numbers(batch.weights)];
      const learningRate = golden.learningRates[index]!;
      const result = await trainer.step({ inputs: { x }, targets, weights }, { learningRate });
      const measured = floats([result.loss, result.gradientNorm]).data;
      const expected = floats([golden.losses[index]!, golden.gradientNorms[index]!]).data;
      expect(excess(measured, expected, golden)).toBeLessThanOrEqual(1);
      if (index === 0) expect(excess(result.logits, numbers(golden.firstLogits), golden)).toBeLessThanOrEqual(1);
    }
    const after = trainer.parameters();
    const trained = [...after].map(([key, value]) => [key, excess(value.data, numbers(golden.after[key]!), golden)]);
    expect(trained.filter(([, worst]) => Number(worst) > 1)).toEqual([]);
    const missing = Object.keys(golden.after).filter((key) => !after.has(key) && !key.includes("running"));
    expect(missing).toEqual([]);
  });
});
