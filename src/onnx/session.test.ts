import { describe, expect, test } from "vitest";
import { createGraphBuilder } from "./builder.ts";
import { openSession } from "./session.ts";
import { floats } from "./tensor.ts";

function doubled() {
  const g = createGraphBuilder("doubled");
  const x = g.input("x", "float32", ["N", 2]);
  g.output("y", g.op("Mul", [x, g.scalar(2)]), "float32", ["N", 2]);
  return g.build();
}

describe("a session", () => {
  test("runs a built graph and reports its ports", async () => {
    await using session = await openSession(doubled(), { threads: 1 });
    expect(session.inputs).toEqual([{ name: "x", dtype: "float32", dims: ["N", 2] }]);
    const { y } = await session.run({ x: floats([1, 2, 3, 4], [2, 2]) });
    expect(y).toEqual(floats([2, 4, 6, 8], [2, 2]));
  });

  test("writes into the array it is given", async () => {
    await using session = await openSession(doubled(), { threads: 1 });
    const target = floats(new Float32Array(4), [2, 2]);
    await session.run({ x: floats([1, 2, 3, 4], [2, 2]) }, { into: { y: target } });
    expect([...target.data]).toEqual([2, 4, 6, 8]);
  });

  test("names what is wrong", async () => {
    await using session = await openSession(doubled(), { threads: 1 });
    await expect(session.run({ z: floats([1]) })).rejects.toMatchObject({ code: "onnx_unknown_name" });
    await expect(session.run({})).rejects.toMatchObject({ code: "onnx_missing_feed" });
    const feeds = { x: floats([1, 2, 3], [1, 3]) };
    await expect(session.run(feeds)).rejects.toMatchObject({ code: "onnx_run_failed" });
    await expect(session.run({ x: floats([1, 2], [1, 2]) }, { outputs: ["w"] })).rejects.toMatchObject({
      code: "onnx_unknown_name",
    });
  });

  test("refuses bytes that are no model, absent files and senseless thread counts", async () => {
    const failed = { code: "onnx_session_failed" };
    await expect(openSession(new Uint8Array([1, 2, 3]), { threads: 1 })).rejects.toMatchObject(failed);
    await expect(openSession("absent.onnx", { threads: 1 })).rejects.toMatchObject(failed);
    await expect(openSession(doubled(), { threads: 0 })).rejects.toMatchObject({ code: "onnx_bad_option" });
  });
});
