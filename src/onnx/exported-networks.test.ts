import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createGraphBuilder } from "./builder.ts";
import { withConstantsAsNodes } from "./exporter-notes.ts";
import { readOnnxFile } from "./onnx-file.ts";
import { parameterNames } from "./parameters.ts";
import { readOnnx, writeOnnx } from "./proto.ts";
import { floats } from "./tensor.ts";
import { compareWithPytorch, type RecordedNetwork } from "./testing/exported-networks.ts";
import { randomTensor } from "./testing.ts";

/** By `python scripts/networks/export_networks.py --golden`: the newer exporter's with their weights in a second file. */
const folder = join(import.meta.dirname, "../../test/golden/exported");
const pathOf = (name: string): string => join(folder, `${name}.onnx`);
const recordedOf = (name: string): RecordedNetwork => JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));

const networks = ["vit", "rotary", "relative"].flatMap((name) => [`${name}.dynamo`, `${name}.script`]);

describe("a network that PyTorch exported", () => {
  test.each(networks)("trains as PyTorch trains it: %s", async (name) => {
    const recorded = recordedOf(name);
    const { differences, trained } = await compareWithPytorch(pathOf(name), recorded);
    expect(recorded.lost).toEqual([]);
    expect(Math.max(...differences)).toBeLessThan(1e-4);
    expect(trained).toHaveLength(Object.keys(recorded.parameters).length);
  });

  test.each(networks)("has the same parameters after it was written by us: %s", async (name) => {
    const model = await readOnnxFile(pathOf(name));
    expect(parameterNames(readOnnx(writeOnnx(model)))).toEqual(parameterNames(model));
  });

  test.each(networks)("has no constant or buffer among its parameters: %s", async (name) => {
    const names = parameterNames(await readOnnxFile(pathOf(name)));
    expect(names.filter((each) => /mask|inv_freq|scalar|Constant/.test(each))).toEqual([]);
  });
});

describe("what the exporter noted", () => {
  /** As for a convolution into which batch normalisation was folded: neither kernel nor bias has a note, nor has the scale. */
  test("makes constants of what has no note, but not of kernels", () => {
    const g = createGraphBuilder("folded");
    const kernel = g.parameter("conv.weight", randomTensor([4, 3, 1, 1], "kernel"));
    const mapped = g.conv(
      g.input("x", "float32", ["N", 3, 2, 2]),
      kernel,
      g.parameter("conv.weight_bias", floats([1, 2, 3, 4])),
    );
    const scaled = g.op("Mul", [mapped, g.parameter("val_58", floats([0.5]))]);
    const gamma = g.parameter("unsqueeze", randomTensor([4, 1, 1], "gamma"));
    const masked = g.op("Add", [g.op("Mul", [scaled, gamma]), g.parameter("mask", floats([0, -100], [2]))]);
    const pooled = g.op("Flatten", [g.op("GlobalAveragePool", [masked])]);
    g.output("y", g.linear(pooled, g.parameter("head.weight", randomTensor([5, 4], "head"))));
    const kind = "pkg.torch.export.graph_signature.InputSpec.kind";
    const notes = new Map([
      ["head.weight", { [kind]: "PARAMETER" }],
      ["mask", { [kind]: "BUFFER" }],
      ["unsqueeze", { "pkg.onnxscript.optimizer.folded_from": "['stages.0.gamma', 'val_3']" }],
    ]);
    const model = g.build();
    const graph = withConstantsAsNodes(model.graph, notes);
    const learned = ["conv.weight", "conv.weight_bias", "unsqueeze", "head.weight"];
    expect(parameterNames({ ...model, graph })).toEqual(learned);
    expect([...graph.initialisers.keys()].filter((name) => /val_58|mask/.test(name))).toEqual([]);
    expect(parameterNames(readOnnx(writeOnnx({ ...model, graph })))).toEqual(learned);
  });

  test("leaves a graph without notes as it is", async () => {
    const { graph } = await readOnnxFile(pathOf("vit.script"));
    expect(withConstantsAsNodes(graph, new Map())).toBe(graph);
  });
});
