/**
 * @file A table behind http(s): fetched into a temporary file and read from there. DuckDB's own way needs an extension that
 * has to be downloaded first, and would ask for the file twice.
 */

import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { FlywheelError, messageOf } from "../../errors.ts";
import { withoutSecrets } from "./duckdb.ts";

export type Download = AsyncDisposable & { readonly path: string };

/** @throws FlywheelError `ingest_download_failed`; the signal's reason when aborted */
export async function download(
  address: string,
  {
    fetch = globalThis.fetch,
    signal,
  }: { readonly fetch?: typeof globalThis.fetch; readonly signal?: AbortSignal | undefined },
): Promise<Download> {
  const folder = await mkdtemp(join(tmpdir(), "flywheel-download-"));
  const dispose = () => rm(folder, { recursive: true, force: true });
  const path = join(folder, basename(new URL(address).pathname) || "table");
  try {
    const response = await fetch(address, signal ? { signal } : {});
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
    await pipeline(response.body, createWriteStream(path));
    return { path, [Symbol.asyncDispose]: dispose };
  } catch (thrown) {
    await dispose();
    signal?.throwIfAborted();
    throw new FlywheelError("ingest_download_failed", `${withoutSecrets(address)}: ${reasonOf(thrown)}`, {
      hint: "check the address and the network, or download the file yourself and ingest it",
      retryable: true,
      cause: thrown,
    });
  }
}

/** `fetch` hides why a connection failed in the cause. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return cause === undefined ? messageOf(thrown) : `${messageOf(thrown)} (${messageOf(cause)})`;
}
