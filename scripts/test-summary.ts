/** @file Prints `N passed, N failed, N skipped` from Vitest's JSON report; the last line of `.ci/run`. */

import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";

const Report = z.object({ numPassedTests: z.number(), numFailedTests: z.number(), numPendingTests: z.number() });

const status = Number(process.argv[2] ?? 0);
const path = "coverage/test-results.json";
const report = existsSync(path)
  ? Report.parse(JSON.parse(readFileSync(path, "utf8")))
  : { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 };
// Types, lint and the import law fail before any test runs; that failure is counted too.
const failed = report.numFailedTests === 0 && status !== 0 ? 1 : report.numFailedTests;
console.log(`${report.numPassedTests} passed, ${failed} failed, ${report.numPendingTests} skipped`);
