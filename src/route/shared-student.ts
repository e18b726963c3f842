/** @file A student that several requests use at once, disposed of when it is retired and the last of them has let go. */

import type { Student } from "../contracts.ts";

export type SharedStudent = {
  readonly student: Student;
  /** Holds the student until disposed of. */
  hold(): Disposable;
  /** Nobody new will hold it; resolves once the student is disposed of. */
  retire(): Promise<void>;
};

export function shareStudent(student: Student): SharedStudent {
  const drained = Promise.withResolvers<void>();
  let holders = 0;
  let isRetired = false;
  const settle = (): void => {
    if (isRetired && holders === 0) drained.resolve();
  };
  return {
    student,
    hold() {
      holders += 1;
      return {
        [Symbol.dispose]() {
          holders -= 1;
          settle();
        },
      };
    },
    async retire() {
      isRetired = true;
      settle();
      await drained.promise;
      await student[Symbol.asyncDispose]();
    },
  };
}
