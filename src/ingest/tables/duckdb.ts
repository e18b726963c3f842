/**
 * @file DuckDB, as far as ingest needs it: it reads CSV, JSON and Parquet, here or in object storage, in bounded memory.
 * A database of its own, in memory, for each table; gone with it.
 */

import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { FlywheelError, messageOf } from "../../errors.ts";

const MEMORY_LIMIT = "256MB";

export type DuckDatabase = AsyncDisposable & {
  /** All rows of a small result. */
  all(sql: string): Promise<readonly (readonly DuckDBValue[])[]>;
  /** Rows in chunks of two thousand, as they are read. */
  stream(sql: string): AsyncGenerator<readonly (readonly DuckDBValue[])[]>;
};

/** @param address of what will be read: object storage needs an extension and credentials */
export async function openDuckDb(address: string): Promise<DuckDatabase> {
  // Loaded where it is needed: who ingests images does without its 70 MB.
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:", { memory_limit: MEMORY_LIMIT, threads: "2" });
  const connection = await instance.connect();
  const close = () => {
    connection.closeSync();
    instance.closeSync();
  };
  try {
    if (isRemote(address)) await prepareRemote(connection, address);
  } catch (thrown) {
    close();
    throw thrown;
  }
  return {
    async all(sql) {
      return await (await connection.run(sql)).getRows();
    },
    async *stream(sql) {
      yield* (await connection.stream(sql)).yieldRows();
    },
    async [Symbol.asyncDispose]() {
      close();
    },
  };
}

/** A quoted SQL string. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
/** A quoted SQL name. */
export const named = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const isRemote = (address: string): boolean => /^[a-z][a-z0-9+]*:\/\//i.test(address);

/** `secret`: of the extension, credentials as the provider's own tools find them. */
const storages = [
  { scheme: /^(?:s3|s3a|s3n|r2):/i, extensions: ["httpfs", "aws"], secret: "s3" },
  { scheme: /^(?:gs|gcs):/i, extensions: ["httpfs"], secret: undefined },
  { scheme: /^(?:az|azure|abfss?):/i, extensions: ["azure"], secret: "azure" },
] as const;

async function prepareRemote(connection: DuckDBConnection, address: string): Promise<void> {
  const storage = storages.find(({ scheme }) => scheme.test(address));
  if (!storage) {
    throw new FlywheelError("ingest_unsupported", `${withoutSecrets(address)} is no address that can be read`, {
      hint: "give a path, http(s)://, s3://, gs:// or az://",
    });
  }
  for (const extension of storage.extensions) await loadExtension(connection, extension, address);
  if (storage.secret) {
    await connection.run(`create secret (type ${storage.secret}, provider credential_chain, validation 'none')`);
  }
}

async function loadExtension(connection: DuckDBConnection, extension: string, address: string): Promise<void> {
  try {
    await connection.run(`install ${extension}; load ${extension}`);
  } catch (thrown) {
    throw new FlywheelError(
      "ingest_extension_missing",
      `${withoutSecrets(address)} needs DuckDB's extension "${extension}", which is not here and could not be downloaded: ${firstLine(thrown)}`,
      {
        hint: `where there is a network, run once: duckdb -c "install ${extension}"; or copy the file here and ingest the copy`,
        retryable: true,
        cause: thrown,
      },
    );
  }
}

export const firstLine = (thrown: unknown): string => messageOf(thrown).split("\n", 1)[0]!;

/** An address as it may be shown and stored: without user, password and query, which hold keys. */
export function withoutSecrets(address: string): string {
  const url = URL.parse(address);
  if (!url) return address;
  url.username = "";
  url.password = "";
  url.search = "";
  url.hash = "";
  return url.href;
}

/** What DuckDB throws when a file is not what it should be. */
export function tableMalformed(source: string, thrown: unknown, hint: string): FlywheelError {
  return new FlywheelError("table_malformed", `${source} cannot be read as a table: ${firstLine(thrown)}`, {
    hint,
    cause: thrown,
  });
}
