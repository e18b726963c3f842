import { expect, test } from "vitest";
import { parameterNames, parameterOf, withParameters } from "../../onnx/parameters.ts";
import { floats } from "../../onnx/tensor.ts";
import { tinyNetwork } from "../testing.ts";
import { averageModels } from "./soup.ts";

/** Every parameter shifted by as much. */
function shifted(by: number) {
  const model = tinyNetwork();
  const values = parameterNames(model).map((name) => {
    const { dims, data } = parameterOf(model, name);
    return [
      name,
      floats(
        data.map((value) => value + by),
        dims,
      ),
    ] as const;
  });
  return withParameters(model, new Map(values));
}

test("every parameter of a soup is the mean of its ingredients'", () => {
  const [plain, soup] = [tinyNetwork(), averageModels([shifted(-1), shifted(0.5), shifted(2)])];
  for (const name of parameterNames(plain)) {
    const expected = [...parameterOf(plain, name).data].map((value) => expect.closeTo(value + 0.5, 5));
    expect([...parameterOf(soup, name).data]).toEqual(expected);
  }
});

test("a soup of one is that one; a soup of none is an error", () => {
  const only = tinyNetwork();
  expect(averageModels([only])).toBe(only);
  expect(() => averageModels([])).toThrow("no model");
});
