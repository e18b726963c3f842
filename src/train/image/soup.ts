/**
 * @file Several trainings from one start, averaged weight by weight: as accurate as their ensemble where they end in one
 * basin, which a common pretrained start sees to, and as cheap to run as one of them.
 *
 * Source: Wortsman et al., Model soups, ICML 2022 (arXiv 2203.05482).
 */

import type { Model } from "../../onnx/model.ts";
import { parameterNames, parameterOf, withParameters } from "../../onnx/parameters.ts";
import { floats } from "../../onnx/tensor.ts";

/** The mean of each parameter. All models are of one shape. @throws RangeError for no model */
export function averageModels(models: readonly Model[]): Model {
  const [first, ...others] = models;
  if (!first) throw new RangeError("there is no model to average");
  if (others.length === 0) return first;
  const means = parameterNames(first).map((name) => [name, meanOf(models, name)] as const);
  return withParameters(first, new Map(means));
}

function meanOf(models: readonly Model[], name: string) {
  const values = models.map((model) => parameterOf(model, name));
  const { dims, data } = values[0]!;
  const mean = data.map((_, index) => values.reduce((sum, value) => sum + value.data[index]!, 0) / values.length);
  return floats(mean, dims);
}
