/** @file The student's reasons, on request. That it has none to give is no failure of the decision. */

import type { Student, StudentInput } from "../contracts.ts";
import { FlywheelError } from "../errors.ts";
import type { Explained } from "./routed.ts";

/** @throws what is no coded error */
export function explain(student: Student | undefined, input: StudentInput): Explained {
  if (!student) return unexplained("no_student", "no student is in service");
  if (!student.explain) return unexplained("student_unexplained", "students of this kind cannot say why");
  try {
    return { kind: "explained", explanations: student.explain(input) };
  } catch (thrown) {
    if (FlywheelError.isInstance(thrown)) return unexplained(thrown.code, thrown.message);
    throw thrown;
  }
}

const unexplained = (code: string, message: string): Explained => ({ kind: "unexplained", code, message });
