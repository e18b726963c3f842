/** Kinds of model × releases of XGBoost, against the margins that the same release gives: the table in docs/xgboost.md. */

import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { FlywheelError } from "../errors.ts";
import { readOnnx } from "../onnx/proto.ts";
import { describeXgboost, xgboostToOnnx } from "./convert.ts";
import { runOnnx, walk } from "./testing.ts";

type Converted = {
  readonly kind: string;
  readonly json: string;
  readonly ubj: string;
  readonly margins: readonly number[];
  readonly allMargins?: readonly number[];
  readonly best?: number;
  readonly rounds?: number;
  readonly categories?: Readonly<Record<string, readonly string[]>>;
  readonly damaged?: readonly number[];
};
type Refused = { readonly kind: string; readonly code: string; readonly reason: string; readonly saved: string };
type Matrix = {
  readonly columns: number;
  readonly rows: readonly (number | null)[];
  readonly converted: readonly Converted[];
  readonly refused: readonly Refused[];
};

const root = new URL("../../", import.meta.url);
const releases = readdirSync(new URL("test/golden/", root))
  .flatMap((name) => /^xgboost-matrix-(.*)\.json$/.exec(name)?.[1] ?? [])
  .sort();
const matrices = new Map(
  releases.map((release) => [release, readGolden<readonly Matrix[]>(`xgboost-matrix-${release}`).cases[0]!]),
);
const unpacked = (saved: string): Uint8Array => gunzipSync(Buffer.from(saved, "base64"));
const cases = [...matrices].flatMap(([release, matrix]) =>
  matrix.converted.map((one) => ({ release, matrix, one, kind: one.kind })),
);
const refusals = [...matrices].flatMap(([release, { refused }]) => refused.map((one) => ({ release, ...one })));

const rowsOf = ({ rows, columns }: Matrix) => ({
  data: Float32Array.from(rows, (value) => value ?? Number.NaN),
  rows: rows.length / columns,
  columns,
});
const close = { rtol: 1e-5, atol: 1e-5 };

async function expectMargins(onnx: Uint8Array, matrix: Matrix, margins: readonly number[]): Promise<void> {
  const model = readOnnx(onnx);
  const table = rowsOf(matrix);
  const expected = margins.length === table.rows ? margins.flatMap((margin) => [0, margin]) : margins;
  expectClose(walk(model, table), expected, close);
  expectClose(await runOnnx(model, table), expected, close);
}

afterEach(() => void vi.restoreAllMocks());

test("there is a matrix of each release line from 1.7 to the newest", () => {
  expect(releases).toEqual(["1.7.6", "2.0.3", "2.1.4", "3.0.5", "3.1.3", "3.2.0", "3.4.1"]);
});

describe.each(cases)("$kind, saved by $release", ({ release, matrix, one }) => {
  test.each(["json", "ubj"] as const)("is converted from %s to what that release says", async (form) => {
    vi.spyOn(process, "emitWarning").mockReturnValue();
    const saved = unpacked(one[form]);
    await expectMargins(xgboostToOnnx(saved), matrix, one.margins);
    expect(describeXgboost(saved).version).toBe(release);
    if (one.allMargins) await expectMargins(xgboostToOnnx(saved, { rounds: "all" }), matrix, one.allMargins);
  });
});

test.each(cases.filter(({ one }) => one.best))(
  "rounds of a model stopped early, saved by $release: the best, and said; others on request",
  ({ one }) => {
    const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
    const saved = unpacked(one.json);
    const onnx = xgboostToOnnx(saved);
    expect(warn).toHaveBeenCalledWith(
      expect.stringContaining(`rounds 1 to ${one.best} of ${one.rounds}`),
      expect.objectContaining({ code: "FLYWHEEL_XGBOOST_ROUNDS" }),
    );
    expect(describeXgboost(saved)).toMatchObject({ rounds: one.rounds, bestRounds: one.best });
    expect(readOnnx(onnx).metadata["xgboost.rounds"]).toBe(`${one.best} of ${one.rounds}`);
    warn.mockClear();
    expect(xgboostToOnnx(saved, { rounds: one.best })).toEqual(onnx);
    expect(warn).not.toHaveBeenCalled();
    for (const rounds of [0, 1.5, one.rounds! + 1]) {
      expect(() => xgboostToOnnx(saved, { rounds })).toThrow(expect.objectContaining({ code: "xgboost_bad_rounds" }));
    }
  },
);

test.each(cases.filter(({ one }) => one.categories))("categories are named where $release names them", ({ one }) => {
  const { featureNames, categories, damagedCategories } = describeXgboost(unpacked(one.ubj));
  expect(damagedCategories).toEqual(one.damaged);
  expect(Object.fromEntries([...categories].map(([at, names]) => [featureNames[at], names]))).toEqual(one.categories);
});

test.each(refusals)("$kind, saved by $release, is refused by name", ({ code, reason, saved }) => {
  const convert = () => xgboostToOnnx(unpacked(saved));
  expect(convert).toThrow(FlywheelError);
  expect(convert).toThrow(expect.objectContaining({ code, message: expect.stringMatching(reason) }));
});

test("the table in docs/xgboost.md is that of this matrix", () => {
  const kinds = [...new Set([...cases, ...refusals].map(({ kind }) => kind))];
  const cell = (release: string, kind: string): string => {
    if (cases.some((one) => one.release === release && one.kind === kind)) return "converted";
    return refusals.some((one) => one.release === release && one.kind === kind) ? "refused" : "–";
  };
  const lines = [
    `| kind | ${releases.join(" | ")} |`,
    `|---|${"---|".repeat(releases.length)}`,
    ...kinds.map((kind) => `| ${kind} | ${releases.map((release) => cell(release, kind)).join(" | ")} |`),
  ];
  expect(readFileSync(new URL("docs/xgboost.md", root), "utf8")).toContain(lines.join("\n"));
});
