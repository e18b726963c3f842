/**
 * @file The one error class. Ground: every room may throw it except `math`, which imports nothing.
 *
 * A promise that was broken throws; an outcome that was expected (escalated, no threshold, no quorum) is returned.
 */

const marker = Symbol.for("llm-flywheel.error");

export type FlywheelErrorOptions = {
  /** How to mend it, as an instruction to the reader. */
  readonly hint?: string;
  /** Whether the same call may succeed later without any change. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
};

/** An error that says what went wrong (`code`, `message`), where (in the message) and how to mend it (`hint`). */
export class FlywheelError extends Error {
  readonly [marker] = true;
  /** Stable, snake_case, documented in `docs/errors.md`. */
  readonly code: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: FlywheelErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "FlywheelError";
    this.code = code;
    this.hint = options.hint;
    this.retryable = options.retryable ?? false;
  }

  /** Identity that survives two copies of this package in one process. */
  static isInstance(value: unknown): value is FlywheelError {
    return typeof value === "object" && value !== null && marker in value;
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
