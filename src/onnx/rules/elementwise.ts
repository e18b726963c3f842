/** @file Arithmetic, with NumPy broadcasting: gradients are summed over the axes along which an input was repeated. */

import type { Value } from "../builder.ts";
import {
  gradientOf,
  input,
  output,
  type Rule,
  type RuleContext,
  type Rules,
  scalar,
  scalarLike,
  toInputShape,
  unary,
  whenNeeded,
} from "./rule.ts";

/** A binary operator from its two partial derivatives, each times `dy`, before broadcasting is undone. */
function binary(left: (c: RuleContext, dy: Value) => Value, right: (c: RuleContext, dy: Value) => Value): Rule {
  return (c) => {
    const dy = gradientOf(c);
    return [
      whenNeeded(c, 0, () => toInputShape(c, 0, left(c, dy))),
      whenNeeded(c, 1, () => toInputShape(c, 1, right(c, dy))),
    ];
  };
}

const sum: Rule = (c) =>
  c.node.inputs.map((_, index) => whenNeeded(c, index, () => toInputShape(c, index, gradientOf(c))));

const divide = binary(
  (c, dy) => c.g.op("Div", [dy, input(c, 1)]),
  // d(a / b) / db = −(a / b) / b
  (c, dy) => c.g.op("Neg", [c.g.op("Mul", [dy, c.g.op("Div", [output(c), input(c, 1)])])]),
);

const power = binary(
  (c, dy) => {
    const exponent = input(c, 1);
    const lowered = c.g.op("Pow", [input(c, 0), c.g.op("Sub", [exponent, scalar(c, 1)])]);
    return c.g.op("Mul", [dy, c.g.op("Mul", [exponent, lowered])]);
  },
  (c, dy) => c.g.op("Mul", [dy, c.g.op("Mul", [output(c), c.g.op("Log", [input(c, 0)])])]),
);

/** Gradient goes to the input that was selected; both get all of it on a tie, which has measure zero. */
function extremum(comparison: "GreaterOrEqual" | "LessOrEqual"): Rule {
  return (c) => {
    const dy = gradientOf(c);
    const zero = scalar(c, 0);
    return c.node.inputs.map((_, index) =>
      whenNeeded(c, index, () => {
        const selected = c.g.op(comparison, [input(c, index), output(c)]);
        return toInputShape(c, index, c.g.op("Where", [selected, dy, zero]));
      }),
    );
  };
}

const where: Rule = (c) => {
  const dy = gradientOf(c);
  const zero = scalar(c, 0);
  return [
    undefined,
    whenNeeded(c, 1, () => toInputShape(c, 1, c.g.op("Where", [input(c), dy, zero]))),
    whenNeeded(c, 2, () => toInputShape(c, 2, c.g.op("Where", [input(c), zero, dy]))),
  ];
};

const twoOverRootPi = 2 / Math.sqrt(Math.PI);

export const elementwiseRules: Rules = {
  Add: sum,
  Sum: sum,
  Sub: binary(
    (_, dy) => dy,
    (c, dy) => c.g.op("Neg", [dy]),
  ),
  Mul: binary(
    (c, dy) => c.g.op("Mul", [dy, input(c, 1)]),
    (c, dy) => c.g.op("Mul", [dy, input(c, 0)]),
  ),
  Div: divide,
  Pow: power,
  Max: extremum("GreaterOrEqual"),
  Min: extremum("LessOrEqual"),
  Where: where,
  Neg: unary((c, dy) => c.g.op("Neg", [dy])),
  Abs: unary((c, dy) => c.g.op("Mul", [dy, c.g.op("Sign", [input(c)])])),
  // √x = y, dy/dx = 1 / 2y
  Sqrt: unary((c, dy) => c.g.op("Div", [c.g.op("Mul", [dy, scalarLike(c, 0.5)]), output(c)])),
  Exp: unary((c, dy) => c.g.op("Mul", [dy, output(c)])),
  Sin: unary((c, dy) => c.g.op("Mul", [dy, c.g.op("Cos", [input(c)])])),
  Cos: unary((c, dy) => c.g.op("Neg", [c.g.op("Mul", [dy, c.g.op("Sin", [input(c)])])])),
  Log: unary((c, dy) => c.g.op("Div", [dy, input(c)])),
  Reciprocal: unary((c, dy) => c.g.op("Neg", [c.g.op("Mul", [dy, c.g.op("Mul", [output(c), output(c)])])])),
  Erf: unary((c, dy) => {
    const gaussian = c.g.op("Exp", [c.g.op("Neg", [c.g.op("Mul", [input(c), input(c)])])]);
    return c.g.op("Mul", [dy, c.g.op("Mul", [gaussian, scalarLike(c, twoOverRootPi)])]);
  }),
};
