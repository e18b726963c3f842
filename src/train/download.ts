/**
 * @file One file over HTTP into one path: resumed where it broke off, checked by its hash, visible only when whole.
 *
 * Two processes at once each load their own part, and the last rename wins: both are the same bytes.
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../contracts.ts";
import { FlywheelError, messageOf } from "../errors.ts";
import {
  claimPart,
  noVersion,
  type Part,
  partPath,
  releasePart,
  sizeOf,
  versionOf,
  withVersion,
} from "./download-part.ts";

export type DownloadOptions = {
  readonly url: string;
  readonly path: string;
  /** 64 hex digits; the file is refused under any other. */
  readonly sha256?: string | undefined;
  readonly clock: Clock;
  /** Called after each chunk. `totalBytes` is absent where the server does not say. */
  readonly onProgress?: ((sizeBytes: number, totalBytes: number | undefined) => void) | undefined;
  /** A connection that stays silent for longer is given up. Default 30 s. */
  readonly idleTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
};

const ATTEMPTS = 4;
const FIRST_WAIT_MS = 500;

/**
 * Downloads `url` to `path` and returns the file's SHA-256.
 * @throws FlywheelError `weights_not_found` (404), `weights_unavailable` (network, 5xx; retryable), `weights_corrupt`
 */
export async function download(options: DownloadOptions): Promise<string> {
  await mkdir(dirname(options.path), { recursive: true });
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptDownload(options);
    } catch (thrown) {
      options.signal?.throwIfAborted();
      if (!FlywheelError.isInstance(thrown) || !thrown.retryable || attempt === ATTEMPTS) throw thrown;
      await options.clock.sleep(FIRST_WAIT_MS * 2 ** (attempt - 1), options.signal);
    }
  }
}

async function attemptDownload(options: DownloadOptions): Promise<string> {
  const idle = idleAbort(options.idleTimeoutMs ?? 30_000);
  try {
    const claimed = await claimPart(options.path);
    const offset = await sizeOf(partPath(claimed));
    const signal = options.signal ? AbortSignal.any([options.signal, idle.signal]) : idle.signal;
    const transfer = { ...options, signal, touch: idle.touch };
    const part = await fetchRest(claimed, offset, transfer);
    return await publish(part, options, offset > 0);
  } catch (thrown) {
    throw FlywheelError.isInstance(thrown) ? thrown : unavailable(options.url, messageOf(thrown), thrown);
  } finally {
    idle.stop();
    await releasePart(options.path);
  }
}

type Transfer = DownloadOptions & { readonly signal: AbortSignal; readonly touch: () => void };

/** Asks for what is missing after `offset`; from the start where the server has another version or cannot continue. */
async function fetchRest(part: Part, offset: number, transfer: Transfer): Promise<Part> {
  const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  const response = await fetch(transfer.url, { headers, signal: transfer.signal });
  const isRange = response.status === 206 || response.status === 416;
  if (offset > 0 && isRange && !continues(part, offset, response, transfer)) {
    await response.body?.cancel();
    return await fetchRest(part, 0, transfer);
  }
  checkStatus(response, transfer.url);
  const versioned = await withVersion(part, versionOf(response));
  await writeBody(partPath(versioned), response, response.status === 206 ? offset : 0, transfer);
  return versioned;
}

function continues(part: Part, offset: number, response: Response, { sha256 }: Transfer): boolean {
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  const isSameFile = part.version === noVersion ? sha256 !== undefined : part.version === versionOf(response);
  return response.status === 206 && Number(start) === offset && isSameFile;
}

function checkStatus(response: Response, url: string): void {
  if (response.ok) return;
  if (response.status >= 500 || response.status === 429) throw unavailable(url, `HTTP ${response.status}`);
  throw new FlywheelError("weights_not_found", `${url} answered ${response.status}`, {
    hint: "check the name, and that the repository is public; FLYWHEEL_HUB_URL chooses another hub",
  });
}

async function writeBody(path: string, response: Response, offset: number, transfer: Transfer): Promise<void> {
  if (response.body === null) throw unavailable(transfer.url, "an answer without a body");
  const length = response.headers.get("content-length");
  const totalBytes = length === null ? undefined : offset + Number(length);
  await using file = await open(path, "r+");
  await file.truncate(offset);
  let position = offset;
  for await (const chunk of response.body) {
    await file.write(chunk, 0, chunk.byteLength, position);
    position += chunk.byteLength;
    transfer.touch();
    transfer.onProgress?.(position, totalBytes);
  }
  if (totalBytes !== undefined && position !== totalBytes) {
    throw unavailable(transfer.url, `${position} of ${totalBytes} bytes came`);
  }
  await file.sync();
}

function idleAbort(timeoutMs: number): {
  readonly signal: AbortSignal;
  readonly touch: () => void;
  readonly stop: () => void;
} {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`no byte for ${timeoutMs} ms`)), timeoutMs);
  return { signal: controller.signal, touch: () => timer.refresh(), stop: () => clearTimeout(timer) };
}

async function publish(part: Part, { url, path, sha256 }: DownloadOptions, wasResumed: boolean): Promise<string> {
  const found = await sha256OfFile(partPath(part));
  if (sha256 !== undefined && found !== sha256) {
    await rm(partPath(part), { force: true });
    throw new FlywheelError("weights_corrupt", `${url} has SHA-256 ${found}, expected ${sha256}`, {
      hint: "check weightsSha256 in the task's student options; the file was not kept",
      retryable: wasResumed, // the part may have been damaged before: worth one load from the start
    });
  }
  await rename(partPath(part), path);
  return found;
}

function unavailable(url: string, why: string, cause?: unknown): FlywheelError {
  return new FlywheelError("weights_unavailable", `cannot load ${url}: ${why}`, {
    hint: "check the network, or give the path of a local file; what has come is kept and continued",
    retryable: true,
    cause,
  });
}

/** 64 hex digits; reads the file in pieces. */
export const sha256OfFile = (path: string): Promise<string> => sha256OfFiles([path]);

/** As if the files were one, in the order given: `cat A B | sha256sum`. */
export async function sha256OfFiles(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}
