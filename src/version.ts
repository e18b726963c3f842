/** @file The version of this package; part of every model's identity. `test/version.test.ts` holds it to package.json. */

export const version = "0.1.0";
