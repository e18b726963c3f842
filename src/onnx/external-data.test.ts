import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createGraphBuilder } from "./builder.ts";
import { pathsOfOnnxFile, readOnnxFile, selfContained } from "./onnx-file.ts";
import { externalLocations, readOnnx, writeOnnx } from "./proto.ts";
import { openSession } from "./session.ts";
import { floats } from "./tensor.ts";
import { inTwoFiles, randomTensor } from "./testing.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flywheel-external-"));
});
afterEach(() => rm(folder, { recursive: true }));

const model = (() => {
  const g = createGraphBuilder("two-files");
  const weight = g.parameter("weight", randomTensor([2, 3], "weight"));
  const bias = g.parameter("bias", randomTensor([2], "bias"));
  g.output("y", g.linear(g.input("x", "float32", ["N", 3]), weight, bias));
  return g.build();
})();

/** `net.onnx` with its weights in `location`; its path. */
async function written(location = "net.onnx.data", change: Parameters<typeof inTwoFiles>[2] = {}): Promise<string> {
  const { onnx, data } = inTwoFiles(model, location, change);
  const inside = join(folder, "models");
  await mkdir(join(inside, "weights"), { recursive: true });
  await writeFile(join(inside, "net.onnx"), onnx);
  await writeFile(join(inside, "net.onnx.data"), data);
  await writeFile(join(inside, "weights", "net.data"), data);
  await writeFile(join(folder, "outside.data"), data);
  return join(inside, "net.onnx");
}

describe("a model whose tensors lie in a file beside it", () => {
  test.each(["net.onnx.data", "./net.onnx.data", "weights/net.data"])("is read whole from %s", async (location) => {
    const path = await written(location);
    expect(await readOnnxFile(path)).toEqual(model);
    expect(await pathsOfOnnxFile(path)).toHaveLength(2);
  });

  test("needs no length, which the shape says; a wrong one is noticed", () => {
    const { onnx, data } = inTwoFiles(model, "d", { length: undefined });
    expect(readOnnx(onnx, new Map([["d", data]]))).toEqual(model);
    const wrong = inTwoFiles(model, "d", { length: "20" });
    expect(() => readOnnx(wrong.onnx, new Map([["d", data]]))).toThrow(
      expect.objectContaining({ code: "onnx_corrupt" }),
    );
  });

  test("becomes one file that computes the same", async () => {
    const { onnx, data } = inTwoFiles(model, "d");
    await using whole = await openSession(selfContained(onnx, new Map([["d", data]])), { threads: 1 });
    await using original = await openSession(writeOnnx(model), { threads: 1 });
    const feeds = { x: floats([1, -2, 3], [1, 3]) };
    expect(await whole.run(feeds)).toEqual(await original.run(feeds));
  });

  test("is not read without it", () => {
    const { onnx } = inTwoFiles(model, "d");
    expect(externalLocations(onnx)).toEqual(["d"]);
    expect(externalLocations(writeOnnx(model))).toEqual([]);
    expect(() => readOnnx(onnx)).toThrow(expect.objectContaining({ code: "onnx_external_data" }));
  });
});

describe("a file beside a model is refused", () => {
  test.each([
    "",
    "../outside.data",
    "/etc/hostname",
    "a/../../outside.data",
    "a/../net.onnx.data",
    "C:\\x",
    "a\\b",
    "a\0b",
  ])("by a location that is no path inside the folder: %j", async (location) => {
    await expect(readOnnxFile(await written(location))).rejects.toMatchObject({ code: "onnx_external_data" });
  });

  test("where it is a link out of the folder, but not where it is one inside", async () => {
    const path = await written("link.data");
    await symlink(join(folder, "models/net.onnx.data"), join(folder, "models/link.data"));
    expect(await readOnnxFile(path)).toEqual(model);
    await rm(join(folder, "models/link.data"));
    await symlink(join(folder, "outside.data"), join(folder, "models/link.data"));
    await expect(readOnnxFile(path)).rejects.toMatchObject({
      code: "onnx_external_data",
      message: expect.stringContaining("outside the model's folder"),
    });
  });

  test("where a folder on the way is a link out", async () => {
    const path = await written("linked/outside.data");
    await symlink(folder, join(folder, "models/linked"));
    await expect(readOnnxFile(path)).rejects.toMatchObject({ code: "onnx_external_data" });
  });

  test.each([
    ["missing", "nowhere.data"],
    ["a folder", "weights"],
  ])("where it is %s", async (_, location) => {
    await expect(readOnnxFile(await written(location))).rejects.toMatchObject({
      code: "onnx_external_data",
      message: expect.stringContaining(location),
    });
  });

  test.each([
    ["a negative offset", { offset: "-64" }],
    ["an offset that is no number", { offset: "0x10" }],
    ["an offset beyond its end", { offset: "4096" }],
    ["a length beyond its end", { length: "4096" }],
    ["a length that no file has", { length: "9007199254740993" }],
  ])("by %s", async (_, change) => {
    await expect(readOnnxFile(await written("net.onnx.data", change))).rejects.toMatchObject({
      code: "onnx_external_data",
    });
  });

  test("where it was cut short", async () => {
    const path = await written();
    await truncate(join(folder, "models/net.onnx.data"), 40);
    await expect(readOnnxFile(path)).rejects.toMatchObject({ code: "onnx_external_data" });
  });

  test("where it is larger than a model can be, before it is read", async () => {
    const path = await written();
    await truncate(join(folder, "models/net.onnx.data"), 2 ** 31); // sparse: takes no space
    await expect(readOnnxFile(path)).rejects.toMatchObject({
      code: "onnx_external_data",
      message: expect.stringContaining("2147483648 bytes"),
    });
  });
});
