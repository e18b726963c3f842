/** @file `--field` where the task has one output: saying so beats guessing what was meant. */

import { FlywheelError } from "../errors.ts";

/** @throws FlywheelError `field_of_one_output` */
export function requireNoField(field: string | undefined): void {
  if (field === undefined) return;
  throw new FlywheelError("field_of_one_output", `--field ${field}: the task has one output and no fields`, {
    hint: "leave --field out",
  });
}
