/** @file Every student has one input, called `images`, `[N, 3, size, size]`. */

import { FlywheelError } from "../../errors.ts";
import { type Model, onlyInput } from "../../onnx/model.ts";

export const inputName = "images";

/**
 * The model with its only input renamed to `images` and its batch free.
 * @throws FlywheelError `onnx_unexpected_interface` where the input is no batch of RGB images of this size
 */
export function withImageInput(model: Model, size: number): Model {
  const { name, dims, dtype } = onlyInput(model);
  const wanted = ["N", 3, size, size] as const;
  const fits =
    dims?.length === 4 && dims.every((dim, axis) => axis === 0 || typeof dim !== "number" || dim === wanted[axis]);
  if (!fits || dtype !== "float32") {
    throw new FlywheelError(
      "onnx_unexpected_interface",
      `input "${name}" is ${dtype} [${dims?.join(", ")}], expected float32 [N, 3, ${size}, ${size}]`,
      { hint: "export the model with channels first, RGB, and a free or matching image size (student.imageSize)" },
    );
  }
  const renamed = (input: string) => (input === name ? inputName : input);
  const nodes = model.graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(renamed) }));
  return { ...model, graph: { ...model.graph, nodes, inputs: [{ name: inputName, dtype, dims: [...wanted] }] } };
}
