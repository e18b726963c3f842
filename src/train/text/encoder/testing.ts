/** @file Helpers that only tests of this folder import. */

import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";
import type { Model } from "../../../onnx/model.ts";
import { readOnnx } from "../../../onnx/proto.ts";
import { tensorFromBytes } from "../../../onnx/tensor.ts";
import type { PoolingMode } from "../embedding/network-encoder.ts";
import { classifierOn } from "./classifier-network.ts";

export type Golden = {
  readonly rtol: number;
  readonly atol: number;
  readonly onnx: string;
  readonly pooling: PoolingMode;
  readonly width: number;
  readonly classes: number;
  readonly head: { readonly weights: string; readonly bias: string };
  readonly headRate: number;
  readonly weightDecay: number;
  readonly labelSmoothing: number;
  readonly clipNorm: number;
  readonly learningRates: readonly number[];
  readonly batches: readonly {
    readonly length: number;
    readonly ids: readonly (readonly number[])[];
    readonly targets: string;
    readonly weights: string;
  }[];
  readonly firstLogits: string;
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
  readonly after: Readonly<Record<string, string>>;
};

export function readGolden(name: "old" | "new"): Golden {
  const url = new URL(`../../../../test/golden/text-encoder-${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as Golden; // written by scripts/golden/text_encoder.py
}

export const numbers = (base64: string): Float32Array => {
  const bytes = Buffer.from(base64, "base64");
  return tensorFromBytes("float32", [bytes.length / 4], bytes).data;
};

/** A BERT of two layers over forty tokens, as PyTorch exported it. */
export const encoderOf = ({ onnx }: Golden): Model => readOnnx(inflateSync(Buffer.from(onnx, "base64")));

/** With the golden file's head of three classes. */
export function classifierOf(golden: Golden): Model {
  const { pooling, width, classes, head } = golden;
  return classifierOn({
    encoder: encoderOf(golden),
    output: { name: "last_hidden_state", rank: 3 },
    pooling,
    width,
    k: classes,
    head: { weights: numbers(head.weights), bias: numbers(head.bias) },
  });
}
