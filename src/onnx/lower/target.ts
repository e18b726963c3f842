/** @file What ONNX Runtime can do on this machine. */

import { createGraphBuilder } from "../builder.ts";
import { openSession } from "../session.ts";
import { floats } from "../tensor.ts";
import type { Target } from "./lowering.ts";

/** Operators in standard ONNX only: runs everywhere, and is what the fast paths are compared with. */
export const portableTarget: Target = { blockSize: undefined };

/**
 * Asks the runtime for its block size by blocking four channels and looking at how many come out. Only x64 is asked: there
 * the blocked kernels exist for every instruction set (8 channels, 16 with AVX-512), elsewhere they may be missing.
 */
export async function detectTarget(): Promise<Target> {
  if (process.arch !== "x64") return portableTarget;
  const g = createGraphBuilder("probe");
  g.output("y", g.op("ReorderInput", [g.input("x", "float32", [1, 4, 1, 1])], {}, { domain: "com.microsoft.nchwc" }));
  await using session = await openSession(g.build(), { threads: 1 });
  const { y } = await session.run({ x: floats(new Float32Array(4), [1, 4, 1, 1]) });
  return { blockSize: y?.dims[1] };
}
