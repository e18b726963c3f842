import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../clock.ts";
import { writeOnnx } from "../../onnx/proto.ts";
import { writeSafetensors } from "../../onnx/safetensors.ts";
import { floats, type Tensor, tensor } from "../../onnx/tensor.ts";
import { architectureOf, buildNetwork } from "./build-network.ts";
import { seededInitialiser } from "./initialise.ts";
import { applyWeights, readWeights, resolveWeights } from "./weights.ts";

const network = (seed: number, classes: number) =>
  buildNetwork(architectureOf("mobilenet-v3-small"), {
    classes,
    widthMultiplier: 0.25,
    initialise: seededInitialiser(seed),
  });

const learnedOf = (model: ReturnType<typeof network>) =>
  new Map([...model.graph.initialisers].filter(([name]) => name.includes(".")));

const pretrained = network(1, 1000);
const weights = learnedOf(pretrained);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flywheel-weights-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("applying weights", () => {
  test("replaces everything but a head with other classes", () => {
    const own = network(2, 5);
    const { initialisers } = applyWeights(own, weights).graph;
    expect(initialisers.get("blocks.4.0.conv_dw.weight")).toEqual(weights.get("blocks.4.0.conv_dw.weight"));
    expect(initialisers.get("classifier.weight")).toEqual(own.graph.initialisers.get("classifier.weight"));
    expect(own.graph.initialisers.get("bn1.bias")).toEqual(network(2, 5).graph.initialisers.get("bn1.bias"));
  });

  test("keeps the head where the classes are as many", () => {
    const { initialisers } = applyWeights(network(2, 1000), weights).graph;
    expect(initialisers.get("classifier.weight")).toEqual(weights.get("classifier.weight"));
  });

  test("names what is missing, unexpected and of another shape", () => {
    const faulty = new Map<string, Tensor>(weights);
    faulty.delete("bn1.running_mean");
    faulty.set("blocks.9.0.conv.weight", floats([1]));
    faulty.set("conv_stem.weight", floats([1, 2], [2, 1, 1, 1]));
    expect(() => applyWeights(network(2, 5), faulty)).toThrowError(
      expect.objectContaining({
        code: "weights_mismatch",
        message: expect.stringMatching(
          /missing: bn1\.running_mean; unexpected: blocks\.9\.0\.conv\.weight; .*conv_stem\.weight \[2,1,1,1\]/,
        ),
      }),
    );
  });

  test("ignores PyTorch's batch counters", () => {
    const counted = new Map<string, Tensor>(weights).set(
      "bn1.num_batches_tracked",
      tensor("int64", [], new BigInt64Array(1)),
    );
    expect(() => applyWeights(network(2, 5), counted)).not.toThrow();
  });

  test("widens halves", () => {
    const halves = new Map<string, Tensor>(weights);
    const dims = weights.get("bn1.bias")?.dims ?? [];
    const bits = Uint16Array.from(
      { length: dims[0] ?? 0 },
      (_, index) => [0x3c00, 0xc000, 0x3555, 0x0001][index % 4] ?? 0,
    );
    halves.set("bn1.bias", tensor("float16", dims, bits));
    halves.set(
      "bn1.weight",
      tensor(
        "bfloat16",
        dims,
        bits.map((_, index) => (index % 2 ? 0xbf80 : 0x3fc0)),
      ),
    );
    const { initialisers } = applyWeights(network(2, 5), halves).graph;
    const first = [...((initialisers.get("bn1.bias") as Tensor).data as Float32Array)].slice(0, 4);
    expect(first).toEqual([1, -2, Math.fround(1 / 3 - 1 / 12288), 2 ** -24]);
    expect([...((initialisers.get("bn1.weight") as Tensor).data as Float32Array)].slice(0, 2)).toEqual([1.5, -1]);
  });
});

describe("reading weights", () => {
  test("takes .safetensors and .onnx files alike", async () => {
    const numeric = new Map([...weights].flatMap(([name, value]) => (value.dtype === "string" ? [] : [[name, value]])));
    await writeFile(join(folder, "w.safetensors"), writeSafetensors({ tensors: numeric, metadata: {} }));
    await writeFile(join(folder, "w.onnx"), writeOnnx(pretrained));
    const own = network(2, 5);
    const fromSafetensors = applyWeights(own, await readWeights(join(folder, "w.safetensors")));
    const fromOnnx = applyWeights(own, await readWeights(join(folder, "w.onnx")));
    expect(learnedOf(fromSafetensors)).toEqual(learnedOf(fromOnnx));
    expect(learnedOf(fromOnnx).get("bn1.weight")).toEqual(weights.get("bn1.weight"));
  });

  test("refuses a file that is absent, of unknown kind, or not the pinned one", async () => {
    await expect(readWeights(join(folder, "absent.onnx"))).rejects.toMatchObject({ code: "weights_not_found" });
    await writeFile(join(folder, "w.pth"), "pickle");
    await expect(readWeights(join(folder, "w.pth"))).rejects.toMatchObject({ code: "weights_unknown_format" });
    const path = join(folder, "w.pth");
    const sha256 = createHash("sha256").update("pickle").digest("hex");
    expect(await resolveWeights(path, { clock: systemClock, sha256 })).toBe(path);
    await expect(resolveWeights(path, { clock: systemClock, sha256: "0".repeat(64) })).rejects.toMatchObject({
      code: "weights_corrupt",
    });
  });
});
