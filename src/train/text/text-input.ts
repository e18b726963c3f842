/** @file The text of an input, whether it teaches or is asked about. */

import type { StudentInput } from "../../contracts.ts";
import { FlywheelError } from "../../errors.ts";
import type { Input } from "../../records.ts";

/** @param what names the input in messages @throws FlywheelError `student_wrong_input` */
export function textOf(input: Input | StudentInput, what = "this input"): string {
  if (input.kind === "text") return input.text;
  throw new FlywheelError("student_wrong_input", `${what} is of kind ${input.kind}, this student takes texts`, {
    hint: "check the task's input kind",
  });
}
