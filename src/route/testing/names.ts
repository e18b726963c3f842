/** @file Names that tests share; free of the test runner, so that a process of its own may use them. */

import { createHash } from "node:crypto";

export const classes = ["apple", "pear"] as const;

export const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
