/** @file All gradient rules by operator. A new operator is one entry in one family's file. */

import { activationRules } from "./activation.ts";
import { convolutionRules } from "./convolution.ts";
import { elementwiseRules } from "./elementwise.ts";
import { matmulRules } from "./matmul.ts";
import { normalisationRules } from "./normalisation.ts";
import { poolingRules } from "./pooling.ts";
import { reduceRules } from "./reduce.ts";
import { resizeRules } from "./resize.ts";
import type { Rules } from "./rule.ts";
import { shapeRules } from "./shape.ts";

export const rules: Rules = {
  ...elementwiseRules,
  ...activationRules,
  ...matmulRules,
  ...convolutionRules,
  ...normalisationRules,
  ...poolingRules,
  ...reduceRules,
  ...resizeRules,
  ...shapeRules,
};
