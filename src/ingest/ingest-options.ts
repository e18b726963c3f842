/** @file What ingest is told. */

import type { Clock, Progress } from "../contracts.ts";
import type { Store } from "../store/contract.ts";
import type { AnyTask } from "../task.ts";
import type { LogFormat } from "./logs/logged-call.ts";
import type { TableForm, TableFormat } from "./tables/table.ts";

export type IngestOptions = TableForm & {
  readonly store: Store;
  readonly task: AnyTask;
  /**
   * Images: a folder, or a CSV, TSV or JSONL that lists them in a column `file`, relative to its own folder. Texts and
   * records: a CSV, JSONL, JSON or Parquet, a folder of them or of text files, `http(s)://`, `s3://`, `gs://`, `az://`.
   */
  readonly path: string;
  /**
   * A CSV or JSONL with `file` and `label`, or with the columns of the data and `label`; a column for each field where the
   * task has several. Gold only ever measures.
   */
  readonly goldPath?: string | undefined;
  /** Of a table whose name does not say, or of a log that is not recognised. */
  readonly format?: TableFormat | LogFormat | undefined;
  /** Of a batch's output: the file that it was made from. */
  readonly requestsPath?: string | undefined;
  readonly clock: Clock;
  readonly progress?: Progress | undefined;
  /** Images under way at once. */
  readonly concurrency?: number | undefined;
  readonly fetch?: typeof globalThis.fetch;
  readonly signal?: AbortSignal | undefined;
};
