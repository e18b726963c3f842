/**
 * @file What SQLite and the file system report, as coded errors that say how to mend it.
 */

import { FlywheelError, messageOf } from "../errors.ts";

/** Primary result codes of SQLite that have a remedy (https://www.sqlite.org/rescode.html); the rest is a bug of ours. */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/**
 * `thrown` as a FlywheelError where it is one of the store's known troubles, else as it is.
 * @param where the file or folder concerned
 */
export function toStoreError(thrown: unknown, where: string): unknown {
  if (FlywheelError.isInstance(thrown)) return thrown;
  const { code, errcode } = codesOf(thrown);
  if (code === "ERR_SQLITE_ERROR" && errcode !== undefined) return sqliteError(errcode & 0xff, thrown, where);
  if (code === "ERR_INVALID_STATE") return storeClosed(thrown);
  return fileError(code, thrown, where);
}

export function writeTooLate(): FlywheelError {
  return new FlywheelError(
    "store_locked",
    "the store was too busy to begin the write in its time; nothing was written",
    {
      hint: "wait for the other flywheel process to finish its write, or stop it",
      retryable: true,
    },
  );
}

export function storeClosed(cause?: unknown): FlywheelError {
  return new FlywheelError("store_closed", "the store was used after it was closed", { cause });
}

function codesOf(thrown: unknown): { readonly code?: string; readonly errcode?: number } {
  if (typeof thrown !== "object" || thrown === null) return {};
  const code = "code" in thrown && typeof thrown.code === "string" ? { code: thrown.code } : {};
  const errcode = "errcode" in thrown && typeof thrown.errcode === "number" ? { errcode: thrown.errcode } : {};
  return { ...code, ...errcode };
}

function sqliteError(primary: number, cause: unknown, where: string): unknown {
  switch (primary) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return new FlywheelError("store_locked", `another process keeps ${where} locked`, {
        hint: "wait for the other flywheel process to finish its write, or stop it",
        retryable: true,
        cause,
      });
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new FlywheelError(
        "store_corrupt",
        `${where} is damaged or is not a flywheel database: ${messageOf(cause)}`,
        {
          hint: "restore it from a backup, or move it away and ingest again; `sqlite3 FILE .recover` may save most of it",
          cause,
        },
      );
    case SQLITE_FULL:
      return storeFull(where, cause);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return storeReadOnly(where, cause);
    case SQLITE_IOERR:
      return ioFailed(where, cause);
    default:
      return cause;
  }
}

function fileError(code: string | undefined, cause: unknown, where: string): unknown {
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return storeFull(where, cause);
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return storeReadOnly(where, cause);
    case "EIO":
      return ioFailed(where, cause);
    case "ENOTDIR":
    case "EEXIST":
      return new FlywheelError("store_not_a_folder", `${where} cannot be a folder: ${messageOf(cause)}`, {
        hint: "choose another workspace with --dir",
        cause,
      });
    default:
      return cause;
  }
}

function storeFull(where: string, cause: unknown): FlywheelError {
  return new FlywheelError("store_full", `no space left to write ${where}`, {
    hint: "free some space, then run the same command again: nothing that was acknowledged is lost",
    retryable: true,
    cause,
  });
}

function ioFailed(where: string, cause: unknown): FlywheelError {
  return new FlywheelError("store_io_failed", `the disk failed on ${where}: ${messageOf(cause)}`, {
    hint: "check the disk's health and free space, then run the same command again",
    cause,
  });
}

export function storeReadOnly(where: string, cause: unknown): FlywheelError {
  return new FlywheelError("store_read_only", `${where} cannot be written: ${messageOf(cause)}`, {
    hint: "give this user write permission to the folder, or choose another workspace with --dir",
    cause,
  });
}
