import { readFileSync } from "node:fs";
import { createGraphBuilder } from "../onnx/builder.ts";
import { readOnnx } from "../onnx/proto.ts";
import { prune } from "../onnx/prune.ts";
import { floats } from "../onnx/tensor.ts";
import { createTrainer } from "../onnx/trainer.ts";
import { architectureOf, buildNetwork } from "./build-network.ts";
import { seededInitialiser } from "./initialise.ts";

const [which, sizeS, batchS, first] = process.argv.slice(2);
const size = Number(sizeS),
  B = Number(batchS);
let forward, params: string[] | undefined;
if (which === "v2onnx") {
  const m = readOnnx(readFileSync("/work/shared/models/mobilenet-v2-1.0-224.onnx"));
  const outs = [{ name: "t172", dtype: undefined, dims: undefined }];
  const g = prune({ ...m.graph, outputs: outs }, ["t172"]);
  forward = {
    ...m,
    graph: { ...g, inputs: [{ name: "images", dtype: "float32" as const, dims: ["N", 3, size, size] }], outputs: outs },
  };
  params = [...m.graph.initialisers.keys()].filter((n) => n.startsWith("conv") && n.slice(0, 6) >= (first ?? "conv00"));
} else {
  const [name, skip, width, mode] = which!.split(":");
  const m = buildNetwork(architectureOf(name!), {
    classes: 5,
    initialise: seededInitialiser(1),
    skippedStrides: Number(skip ?? 0),
    widthMultiplier: Number(width ?? 1),
  });
  forward = {
    ...m,
    graph: { ...m.graph, inputs: [{ name: "images", dtype: "float32" as const, dims: ["N", 3, size, size] }] },
  };
}
const classes = which === "v2onnx" ? 1001 : 5;
const t0 = performance.now();
await using trainer = await createTrainer({
  forward,
  ...(params ? { parameters: params } : {}),
  loss: { kind: "softmax-cross-entropy" },
  optimiser: { kind: "adamw" },
  batchSize: B,
  threads: 2,
  batchNormalisation: which === "v2onnx" ? "frozen" : "batch",
});
console.log("create", Math.round(performance.now() - t0));
const images = floats(
  Float32Array.from({ length: B * 3 * size * size }, () => Math.random() - 0.5),
  [B, 3, size, size],
);
const targets = new Float32Array(B * classes);
for (let i = 0; i < B; i++) targets[i * classes + (i % 5)] = 1;
for (let r = 0; r < 5; r++) {
  const t = performance.now();
  const c = process.cpuUsage();
  await trainer.step({ inputs: { images }, targets }, { learningRate: 1e-4 });
  const u = process.cpuUsage(c);
  console.log(
    which,
    size,
    first ?? "",
    Math.round(performance.now() - t),
    "ms wall",
    Math.round((u.user + u.system) / 1000),
    "ms cpu",
    ((B * 1000) / (performance.now() - t)).toFixed(1),
    "img/s wall",
    ((B * 2e6) / (u.user + u.system)).toFixed(1),
    "img/s if 2 full cores",
  );
}
