/** @file Networks that `scripts/networks/export_networks.py` recorded, trained here. For tests and that script's table. */

import { readOnnxFile } from "../onnx-file.ts";
import { type NumericType, type Tensor, tensorFromBytes } from "../tensor.ts";
import { createTrainer } from "../trainer.ts";

type Encoded = { readonly dtype: NumericType; readonly dims: readonly number[]; readonly data: string };

/** What is written beside a network: a batch, and what PyTorch computes of it. */
export type RecordedNetwork = {
  readonly name: string;
  readonly exporter: "dynamo" | "script";
  readonly versions: Readonly<Record<string, string>>;
  /** Why the exporter did not write it. */
  readonly failed?: string;
  readonly batch: Readonly<Record<string, Encoded>>;
  readonly targets: Encoded;
  /** Parameters that the loss depends on, with their shapes. */
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  /** Those of which the file does not hold the numbers, in any order: PyTorch's step leaves them as they are. */
  readonly lost: readonly string[];
  readonly loss: number;
  readonly lossAfter: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
};

export type Comparison = {
  /** Of the loss, the loss after one step of SGD, and the norm of the gradient: how far from PyTorch's, as a share of it. */
  readonly differences: readonly [number, number, number];
  readonly trained: readonly string[];
};

const tensorOf = ({ dtype, dims, data }: Encoded): Tensor => tensorFromBytes(dtype, dims, Buffer.from(data, "base64"));

export async function compareWithPytorch(path: string, recorded: RecordedNetwork): Promise<Comparison> {
  const { learningRate, loss, lossAfter, gradientNorm } = recorded;
  const inputs = Object.fromEntries(Object.entries(recorded.batch).map(([name, each]) => [name, tensorOf(each)]));
  const targets = tensorOf(recorded.targets).data as Float32Array; // the script writes float32
  await using trainer = await createTrainer({
    forward: await readOnnxFile(path),
    loss: { kind: "softmax-cross-entropy" },
    optimiser: { kind: "sgd", momentum: 0, nesterov: false, weightDecay: 0 },
    sizes: Object.fromEntries(Object.entries(inputs).map(([name, { dims }]) => [name, dims])),
    batchSize: recorded.targets.dims[0] ?? 0,
    threads: 2,
  });
  const first = await trainer.step({ inputs, targets }, { learningRate });
  const second = await trainer.step({ inputs, targets }, { learningRate });
  const off = (ours: number, theirs: number): number => Math.abs(ours - theirs) / Math.abs(theirs);
  return {
    differences: [off(first.loss, loss), off(second.loss, lossAfter), off(first.gradientNorm, gradientNorm)],
    trained: trainer.parameterNames,
  };
}
