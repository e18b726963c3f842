import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { policyId, rowId } from "../records.ts";
import { migrations } from "./migrations.ts";
import { openSqliteStore } from "./sqlite.ts";
import { hex, sampleAnnotation, sampleRow } from "./testing/samples.ts";

/** A workspace as the flywheel of that many migrations left it. */
async function workspaceOf(version: number): Promise<{ readonly directory: string; readonly old: DatabaseSync }> {
  const directory = await mkdtemp(join(tmpdir(), "flywheel-migrations-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const old = new DatabaseSync(join(directory, "flywheel.sqlite"));
  old.exec("create table migrations (number bigint primary key, name text not null)");
  for (const [index, { name, statements }] of migrations.slice(0, version).entries()) {
    for (const statement of statements({ bytes: "blob" })) old.exec(statement);
    old.prepare("insert into migrations values (?, ?)").run(index + 1, name);
  }
  return { directory, old };
}

test("decisions from before their sums were kept are counted afterwards, and new ones meanwhile counted once", async () => {
  const { directory, old } = await workspaceOf(4);
  const insert = old.prepare("insert into decisions values (?, ?, ?, ?, 'answered', 0, null, ?)");
  old.exec("begin");
  for (let nth = 0; nth < 900; nth++) {
    const [field, id, at] = [nth % 3 ? "" : "topic", `d${nth}`, nth * 60_000];
    const decision = { id, rowId: "r", at, route: "answered", uniform: false, propensity: 1, latencyMs: 2, costUsd: 0 };
    insert.run(field, id, "r", at, JSON.stringify(decision));
  }
  old.exec("commit");
  old.close();

  await using store = await openSqliteStore({ directory });
  const counting = store.history.catchUp();
  const recent = {
    rowId: rowId("r"),
    route: "answered",
    uniform: false,
    propensity: 1,
    latencyMs: 2,
    costUsd: 0,
  } as const;
  const ids = Array.from({ length: 50 }, (_, nth) => `new ${nth}`);
  await Promise.all(ids.map((id, nth) => store.decisions.put([{ ...recent, id, at: nth * 1_000_000 }])));
  await counting;
  expect(await store.history.traffic()).toMatchObject([{ requests: 650, firstAt: 0, lastAt: 899 * 60_000 }]);
  expect(await store.field("topic").history.traffic()).toMatchObject([{ requests: 300 }]);
  await using again = await openSqliteStore({ directory });
  expect(await again.history.traffic()).toMatchObject([{ requests: 650 }]);
});

test("a workspace from before fields keeps everything that it knew, as the task of one output", async () => {
  const { directory, old } = await workspaceOf(3);
  const row = sampleRow("a");
  const annotation = sampleAnnotation(row, 1);
  const { id, rowId, at, pass, promptVersion, value } = annotation;
  old
    .prepare("insert into annotations values (?, ?, ?, 'teacher', ?, ?, ?, ?)")
    .run(id, rowId, at, pass, promptVersion, value!, JSON.stringify(annotation));
  old.prepare("insert into gold values (?, 'apple')").run(rowId);
  old.exec(`insert into champions values (4, '${hex("model")}', '${hex("policy")}', 7, 'better')`);
  old.exec(`insert into policy_voids values ('${hex("policy")}', 'alarm', 8)`);
  old.exec(`insert into decisions values ('d', '${rowId}', 5, 'answered', 0, null, '{"id":"d"}')`);
  old.exec(`insert into rounds values (3, '{"round":3}')`);
  old.close();

  await using store = await openSqliteStore({ directory });
  expect(await store.annotations.ofRow(row.id)).toEqual([annotation]);
  expect((await store.gold.all()).get(row.id)).toBe("apple");
  expect(await store.policies.champion()).toMatchObject({ version: 4, reason: "better", at: 7 });
  expect(await store.policies.voided(policyId(hex("policy")))).toEqual({ why: "alarm", at: 8 });
  expect(await store.decisions.get("d")).toEqual({ id: "d" });
  expect(await store.rounds.list()).toEqual([{ round: 3 }]);
  await store.annotations.put([{ ...annotation, value: "pear" }]);
  expect(await store.annotations.ofRow(row.id)).toEqual([annotation]);
  expect(await store.field("topic").annotations.ofRow(row.id)).toEqual([]);
});

test("a proxy's page that was recorded as a row's own failure is asked again; a refusal stays", async () => {
  const { directory, old } = await workspaceOf(migrations.findIndex(({ name }) => name === "answers that were none"));
  const failure = (label: string, code: string, message: string) => {
    const { value: _, ...annotation } = sampleAnnotation(sampleRow(label), 1);
    return { ...annotation, failure: { code, message: `openai/gpt ${message}` } };
  };
  const recorded = [
    failure("page", "teacher_off_schema", "answered something that is no answer: Invalid JSON response"),
    failure("page 400", "teacher_bad_request", "rejects the request (400): <html>Bad Request</html>"),
    failure("too large", "teacher_bad_request", "rejects the request (400): maximum context length"),
    failure("off schema", "teacher_off_schema", 'answered "banana", which is none of the labels'),
    failure("refused", "teacher_refused", "withheld its answer (content filter)"),
  ];
  for (const one of recorded) {
    old
      .prepare("insert into annotations values ('', ?, ?, ?, 'teacher', ?, ?, null, ?)")
      .run(one.id, one.rowId, one.at, one.pass, one.promptVersion, JSON.stringify(one));
  }
  old.close();
  await using store = await openSqliteStore({ directory });
  const kept: unknown[] = [];
  for await (const { failure: said } of store.annotations.teacher()) kept.push(said);
  expect(kept).toHaveLength(3);
  expect(kept).toEqual(expect.arrayContaining(recorded.slice(2).map(({ failure: said }) => said)));
});
