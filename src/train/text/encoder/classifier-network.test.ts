import { describe, expect, test } from "vitest";
import { createTrainer } from "../../../onnx/trainer.ts";
import { classifierOn, isHead, trainableParameters } from "./classifier-network.ts";
import { classifierOf, encoderOf, type Golden, numbers, readGolden } from "./testing.ts";
import { tokenFeeds } from "./token-feeds.ts";

/** Largest |ours − theirs| over what the tolerance allows: at most 1 passes. */
function excess(ours: ArrayLike<number>, theirs: ArrayLike<number>, { rtol, atol }: Golden): number {
  expect(ours.length).toBe(theirs.length);
  return Array.from(ours).reduce((worst, value, index) => {
    const expected = theirs[index]!;
    return Math.max(worst, Math.abs(value - expected) / (atol + rtol * Math.abs(expected)));
  }, 0);
}

describe("fine-tuning a BERT gives PyTorch's losses and weights", () => {
  test.each(["old", "new"] as const)("%s export, batches of two lengths", async (name) => {
    const golden = readGolden(name);
    const { batches, classes } = golden;
    const forward = classifierOf(golden);
    await using trainer = await createTrainer({
      forward,
      parameters: trainableParameters(forward),
      loss: { kind: "softmax-cross-entropy", labelSmoothing: golden.labelSmoothing },
      optimiser: { kind: "adamw", weightDecay: golden.weightDecay },
      learningRateScale: (parameter) => (isHead(parameter.name) ? golden.headRate : 1),
      clipNorm: golden.clipNorm,
      sizes: [{ L: 8 }, { L: 16 }],
      batchSize: 5,
      threads: 1,
    });
    for (const [index, { ids, length, targets, weights }] of batches.entries()) {
      const result = await trainer.step(
        {
          inputs: tokenFeeds(forward.graph.inputs, ids, length),
          targets: numbers(targets),
          weights: numbers(weights),
        },
        { learningRate: golden.learningRates[index]! },
      );
      const expected = [golden.losses[index]!, golden.gradientNorms[index]!];
      expect(excess([result.loss, result.gradientNorm], expected, golden)).toBeLessThanOrEqual(1);
      if (index === 0) expect(excess(result.logits, numbers(golden.firstLogits), golden)).toBeLessThanOrEqual(1);
    }
    expect(numbers(golden.firstLogits)).toHaveLength(5 * classes);
    const after = trainer.parameters();
    const worst = Object.entries(golden.after).map(([key, value]) => {
      return [key, excess(after.get(key)!.data, numbers(value), golden)] as const;
    });
    expect(worst.filter(([, each]) => each > 1)).toEqual([]);
  });
});

describe("what is trained", () => {
  test("is everything but tables of embeddings", () => {
    const golden = readGolden("new");
    const names = trainableParameters(classifierOf(golden));
    expect(names.filter((name) => name.includes("embeddings"))).toEqual([
      "bert.embeddings.LayerNorm.weight",
      "bert.embeddings.LayerNorm.bias",
    ]);
    expect(names).toEqual(expect.arrayContaining(["head.weight", "head.bias"]));
    // Two layers of six matrices and ten vectors, the first layer norm, the head.
    expect(names).toHaveLength(2 * 16 + 2 + 2);
  });

  test("an encoder whose weights are not float32 is refused", () => {
    const classifier = classifierOf(readGolden("new"));
    const halved = [...classifier.graph.initialisers].map(([name, value]) =>
      value.dtype === "float32" && value.dims.length === 2 && !isHead(name)
        ? ([name, { dtype: "float16", dims: value.dims, data: new Uint16Array(value.data.length) }] as const)
        : ([name, value] as const),
    );
    const graph = { ...classifier.graph, initialisers: new Map(halved) };
    expect(() => trainableParameters({ ...classifier, graph })).toThrow(/float32 matrices/);
  });

  test("an encoder without an attention mask is refused: texts could not be filled up", () => {
    const golden = readGolden("new");
    const encoder = encoderOf(golden);
    const renamed = (name: string): string => (name === "attention_mask" ? "mask" : name);
    const inputs = encoder.graph.inputs.map((each) => ({ ...each, name: renamed(each.name) }));
    const nodes = encoder.graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(renamed) }));
    const parts = {
      encoder: { ...encoder, graph: { ...encoder.graph, inputs, nodes } },
      output: { name: "last_hidden_state", rank: 3 },
      pooling: "mean",
      width: 8,
      k: 2,
      head: { weights: new Float32Array(16), bias: new Float32Array(2) },
    } as const;
    expect(() => classifierOn(parts)).toThrow(expect.objectContaining({ code: "encoder_unusable" }));
  });
});
