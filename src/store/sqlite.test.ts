import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { describeStore } from "./contract-suite.ts";
import { openSqliteStore } from "./sqlite.ts";

let root: string;
let opened = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "flywheel-store-"));
});
afterAll(() => rm(root, { recursive: true }));

describeStore("sqlite", () => openSqliteStore({ directory: join(root, `${++opened}`) }));
