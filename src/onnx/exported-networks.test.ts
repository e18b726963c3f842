import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withConstantsAsNodes } from "./exporter-notes.ts";
import { readOnnxFile } from "./onnx-file.ts";
import { parameterNames } from "./parameters.ts";
import { readOnnx, writeOnnx } from "./proto.ts";
import { compareWithPytorch, type RecordedNetwork } from "./testing-exported.ts";

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
  test("leaves a graph without notes as it is", async () => {
    const { graph } = await readOnnxFile(pathOf("vit.script"));
    expect(withConstantsAsNodes(graph, new Map())).toBe(graph);
  });
});
