import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { openSession } from "../../onnx/session.ts";
import { elementCount, floats, type Tensor } from "../../onnx/tensor.ts";
import { ArchitectureName } from "./architecture.ts";
import { architectureOf, buildNetwork, isParameterName, isStatisticName } from "./build-network.ts";
import { seededInitialiser } from "./initialise.ts";

type Golden = {
  readonly rtol: number;
  readonly atol: number;
  readonly size: number;
  readonly classes: number;
  readonly batch: number;
  readonly networks: Readonly<
    Record<
      ArchitectureName,
      {
        readonly parametersAt1000Classes: number;
        readonly shapes: Readonly<Record<string, readonly number[]>>;
        readonly logits: readonly number[];
      }
    >
  >;
};

const golden: Golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/train-networks.json", import.meta.url), "utf8"),
);

/** As `noise` in scripts/golden/train-networks.py. */
function noise(name: string, count: number): Float64Array {
  const start = crc32(name);
  return Float64Array.from({ length: count }, (_, index) => {
    const mixed = (Math.imul(index, 2654435761) + start) >>> 0;
    return (Math.imul(mixed ^ (mixed >>> 15), 739982445) >>> 0) / 2 ** 31 - 1;
  });
}

/** As `value` in scripts/golden/train-networks.py. */
function formula({ name, dims }: { readonly name: string; readonly dims: readonly number[] }): Tensor {
  const values = noise(name, elementCount(dims));
  const scaled = (() => {
    if (name.endsWith("running_var")) return values.map((u) => 1 + 0.5 * Math.abs(u));
    if (dims.length > 1) return values.map((u) => u * Math.sqrt(6 / elementCount(dims.slice(1))));
    return values.map((u) => (name.endsWith(".weight") ? 1 + 0.2 * u : 0.1 * u));
  })();
  return floats(Float32Array.from(scaled), dims);
}

describe.each(ArchitectureName)("%s", (name) => {
  const expected = golden.networks[name];
  const architecture = architectureOf(name);

  test("has timm's parameters: names, shapes, count", () => {
    const model = buildNetwork(architecture, { classes: golden.classes, initialise: formula });
    const named = [...model.graph.initialisers].filter(([each]) => isParameterName(each) || isStatisticName(each));
    const shapes = Object.fromEntries(named.map(([parameter, value]) => [parameter, value.dims]));
    expect(shapes).toEqual(expected.shapes);

    const full = buildNetwork(architecture, { classes: 1000, initialise: formula });
    const trainable = [...full.graph.initialisers].filter(([each]) => isParameterName(each));
    const count = trainable.reduce((sum, [, value]) => sum + value.data.length, 0);
    expect(count).toBe(expected.parametersAt1000Classes);
  });

  test("computes timm's logits", async () => {
    const { batch, size, rtol, atol } = golden;
    await using session = await openSession(
      buildNetwork(architecture, { classes: golden.classes, initialise: formula }),
      {
        threads: 1,
      },
    );
    const images = floats(Float32Array.from(noise("images", batch * 3 * size * size)), [batch, 3, size, size]);
    const { logits } = await session.run({ images });
    expected.logits.forEach((value, index) => {
      expect(Math.abs(Number(logits?.data[index]) - value)).toBeLessThan(atol + rtol * Math.abs(value));
    });
  });

  test("keeps every parameter's shape when strides are skipped, and ends on a finer map", async () => {
    const initialise = seededInitialiser("test");
    const normal = buildNetwork(architecture, { classes: 3, initialise });
    const fine = buildNetwork(architecture, { classes: 3, initialise, skippedStrides: 2 });
    expect([...fine.graph.initialisers].map(([each, value]) => [each, value.dims])).toEqual(
      [...normal.graph.initialisers].map(([each, value]) => [each, value.dims]),
    );
    const strides = (model: typeof fine) =>
      model.graph.nodes.filter((node) => {
        const { strides: found } = node.attributes;
        return found?.type === "ints" && found.value[0] === 2;
      }).length;
    expect([strides(normal), strides(fine)]).toEqual([5, 3]);
    await using session = await openSession(fine, { threads: 1 });
    const { logits } = await session.run({ images: floats(new Float32Array(3 * 32 * 32), [1, 3, 32, 32]) });
    expect(logits?.dims).toEqual([1, 3]);
  });
});

test("a narrower network has fewer parameters, in multiples of eight channels", () => {
  const model = buildNetwork(architectureOf("mobilenet-v3-small"), {
    classes: 5,
    widthMultiplier: 0.5,
    initialise: seededInitialiser(1),
  });
  expect(model.graph.initialisers.get("conv_stem.weight")?.dims).toEqual([8, 3, 3, 3]);
  expect(model.graph.initialisers.get("blocks.4.2.conv_pwl.weight")?.dims).toEqual([48, 288, 1, 1]);
});

test("initial weights follow the seed and have timm's spread", () => {
  const initialise = seededInitialiser(7);
  const shape = { name: "w", kind: "conv", dims: [64, 32, 3, 3], groups: 1 } as const;
  const values = initialise(shape).data as Float32Array;
  expect(initialise(shape).data).toEqual(values);
  expect(seededInitialiser(8)(shape).data).not.toEqual(values);
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  expect(deviation).toBeCloseTo(Math.sqrt(2 / (64 * 9)), 2);
});

test("an unknown network is refused by name", () => {
  expect(() => architectureOf("resnet-50")).toThrowError(expect.objectContaining({ code: "unknown_trainer" }));
});
