/**
 * @file Work that only one at a time may do on a workspace. A claim is SQLite's exclusive lock on a file of its own: the
 * system frees it with the process, however that ends, so that nobody has to tell a live claim from a dead one.
 */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FlywheelError } from "../errors.ts";
import type { Claim, ClaimedWork } from "./contract.ts";
import { toStoreError } from "./store-errors.ts";

/** @throws FlywheelError `work_under_way`, `store_read_only` */
export function claimWork(directory: string, work: ClaimedWork): Claim {
  const path = join(directory, `${work}.lock`);
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path, { timeout: 0 });
    lock.exec("begin exclusive");
  } catch (thrown) {
    lock?.close();
    const error = toStoreError(thrown, path);
    throw FlywheelError.isInstance(error) && error.code === "store_locked" ? underWay(work, directory, error) : error;
  }
  const held = lock;
  return { [Symbol.dispose]: () => held.close() };
}

function underWay(work: ClaimedWork, directory: string, cause: unknown): FlywheelError {
  return new FlywheelError("work_under_way", `another flywheel is at \`${work}\` in ${directory}`, {
    hint: "let it finish, or stop it and run this again: it goes on where that left off",
    retryable: true,
    cause,
  });
}
