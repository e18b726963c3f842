/** @file Native memory that is freed once and never used after: either would end the process without a word. */

import { FlywheelError } from "../errors.ts";
import type { Pointer } from "./native.ts";

export type Owned = Disposable & {
  /** @throws FlywheelError `xgboost_disposed` */
  readonly pointer: Pointer;
};

/** @param what a word for messages: `matrix`, `booster` */
export function own(pointer: Pointer, what: string, free: (pointer: Pointer) => void): Owned {
  let live: Pointer | undefined = pointer;
  return {
    get pointer() {
      if (live !== undefined) return live;
      throw new FlywheelError("xgboost_disposed", `the ${what} has been disposed of`, {
        hint: `use it inside the block that its \`using\` stands in`,
      });
    },
    [Symbol.dispose]() {
      const freed = live;
      live = undefined;
      if (freed !== undefined) free(freed);
    },
  };
}
