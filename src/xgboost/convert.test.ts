import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { expectClose, readGolden } from "../../test/golden-values.ts";
import { FlywheelError } from "../errors.ts";
import { readOnnx } from "../onnx/proto.ts";
import { describeXgboost, xgboostToOnnx } from "./convert.ts";
import { checkLoadable } from "./loadable.ts";
import { runOnnx, walk } from "./testing.ts";

const casesFolder = new URL("../../test/cases/models/", import.meta.url);
const given = (name: string): Uint8Array => readFileSync(new URL(name, casesFolder));
type Expected = { readonly rows: readonly (readonly (number | null)[])[] } & Readonly<
  Record<string, readonly number[]>
>;
const expected = (name: string): Expected => JSON.parse(readFileSync(new URL(name, casesFolder), "utf8"));
const float32 = { rtol: 1e-5, atol: 1e-5 };
const sigmoid = (margin: number): number => 1 / (1 + Math.exp(-margin));

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** The margin of the second class, in ONNX Runtime. */
async function marginsOf(onnx: Uint8Array, rows: Expected["rows"]): Promise<readonly number[]> {
  const table = {
    data: Float32Array.from(rows.flat(), (value) => value ?? Number.NaN),
    rows: rows.length,
    columns: rows[0]!.length,
  };
  const logits = await runOnnx(readOnnx(onnx), table);
  expectClose(walk(readOnnx(onnx), table), logits, float32);
  return Array.from(logits).filter((_, index) => index % 2 === 1);
}

describe("models that others have handed us", () => {
  test("DART as 3.4.1 saves it: a `gbtree` with `weight_drop` inside", async () => {
    vi.stubEnv("FLYWHEEL_XGBOOST", "/nowhere/libxgboost.so"); // the library is asked for nothing
    const { rows, margin } = expected("xgboost-3.4.1-dart.expect.json");
    expectClose(await marginsOf(xgboostToOnnx(given("xgboost-3.4.1-dart.json")), rows), margin!, float32);
  });

  test("stopped early: by default what its classifier says, on request what a bare booster says", async () => {
    vi.spyOn(process, "emitWarning").mockReturnValue();
    const { rows, sk_p, p, sk_margin, margin } = expected("xgboost-3.2.0-early-stopped.expect.json");
    const saved = given("xgboost-3.2.0-early-stopped.json");
    const best = await marginsOf(xgboostToOnnx(saved), rows);
    const all = await marginsOf(xgboostToOnnx(saved, { rounds: "all" }), rows);
    expectClose(best, sk_margin!, float32);
    expectClose(best.map(sigmoid), sk_p!, float32);
    expectClose(all, margin!, float32);
    expectClose(all.map(sigmoid), p!, float32);
    expect(describeXgboost(saved)).toMatchObject({
      version: "3.2.0",
      rounds: 9,
      bestRounds: 5,
      classes: 2,
      features: 4,
    });
  });

  test("several binary outputs are refused by name", () => {
    expect(() => xgboostToOnnx(given("xgboost-3.2.0-three-outputs.json"))).toThrow(
      expect.objectContaining({ code: "xgboost_unsupported_model", message: expect.stringMatching(/num_target/) }),
    );
  });
});

type Json = { [name: string]: Json } & Json[];
type Change = (document: Json) => void;
const learnerOf = (document: Json): Json => document["learner"]!;
const modelOf = (document: Json): Json => learnerOf(document)["gradient_booster"]!["model"]!;
const treeOf = (document: Json): Json => modelOf(document)["trees"]![0]!;

function changed(change: Change): Uint8Array {
  const document = JSON.parse(new TextDecoder().decode(given("xgboost-3.4.1-dart.json"))) as Json;
  change(document);
  return new TextEncoder().encode(JSON.stringify(document));
}
const set =
  (at: (document: Json) => Json, name: string | number, value: unknown): Change =>
  (document) =>
    void Object.assign(at(document), { [name]: value });

describe("what a file holds beside the trees is used, or refused by its name", () => {
  test.each<[string, Change, RegExp]>([
    ["a new part of the learner", set(learnerOf, "link", {}), /learner\.link/],
    ["a new part of the booster", set(modelOf, "leaf_scale", 2), /model\.leaf_scale/],
    ["a new part of a tree", set(treeOf, "oblique", []), /trees\.0\.oblique/],
    ["a new parameter of trees", set((one) => treeOf(one)["tree_param"]!, "kind", "1"), /tree_param\.kind/],
    ["leaves that are vectors", set(treeOf, "leaf_weights", [1]), /several outputs/],
    [
      "an objective with another link",
      set((one) => learnerOf(one)["objective"]!, "name", "binary:hinge"),
      /binary:hinge/,
    ],
    [
      "an intercept of no odds",
      set((one) => learnerOf(one)["learner_model_param"]!, "base_score", "[NaN]"),
      /base_score/,
    ],
  ])("%s", (_what, change, names) => {
    expect(() => xgboostToOnnx(changed(change))).toThrow(
      expect.objectContaining({ code: "xgboost_unsupported_model", message: expect.stringMatching(names) }),
    );
  });

  test("an infinite threshold is one", async () => {
    const saved = new TextDecoder()
      .decode(changed(set((one) => treeOf(one)["split_conditions"]!, 0, "INFINITE")))
      .replace('"INFINITE"', "Infinity");
    const onnx = xgboostToOnnx(new TextEncoder().encode(saved));
    const { rows } = expected("xgboost-3.4.1-dart.expect.json");
    expect(new Set(await marginsOf(onnx, rows)).size).toBeGreaterThan(1);
  });
});

describe("damaged files are refused, never walked", () => {
  const loop = (document: Json) => treeOf(document)["left_children"]!;
  test.each<[string, Change]>([
    ["a test that leads to itself", set(loop, 0, 0)],
    ["a test that leads to its parent", set(loop, 1, 0)],
    ["a test that leads nowhere", set(loop, 0, 99)],
    ["two tests that lead to one", set((one) => treeOf(one)["right_children"]!, 0, 1)],
    ["a column that is not there", set((one) => treeOf(one)["split_indices"]!, 0, 4)],
    ["lists of other lengths", (one) => void treeOf(one)["sum_hessian"]!.pop()],
    ["a leaf without a value", set((one) => treeOf(one)["split_conditions"]!, 12, null)],
    ["fewer trees than it says", (one) => void modelOf(one)["trees"]!.pop()],
    ["a tree of no output", set((one) => modelOf(one)["tree_info"]!, 0, 1)],
    ["rounds that its trees do not make up", set((one) => modelOf(one)["iteration_indptr"]!, 8, 7)],
    ["more weights than trees", (one) => void (modelOf(one)["weight_drop"] as unknown as number[]).push(1)],
    ["names for other columns", set(learnerOf, "feature_names", ["a"])],
    ["an intercept for other outputs", set((one) => learnerOf(one)["learner_model_param"]!, "base_score", "[1,2]")],
  ])("%s", (_what, change) => {
    expect(() => xgboostToOnnx(changed(change))).toThrow(expect.objectContaining({ code: "xgboost_bad_model" }));
  });

  test("with any bytes changed or cut off: a model, or a refusal with a code", () => {
    vi.spyOn(process, "emitWarning").mockReturnValue();
    type Packed = readonly { readonly converted: readonly { readonly ubj: string }[] }[];
    const [matrix] = readGolden<Packed>("xgboost-matrix-3.4.1").cases;
    const whole = matrix!.converted.map(({ ubj }) => gunzipSync(Buffer.from(ubj, "base64")));
    const damage = fc.record({
      model: fc.constantFrom(...whole),
      bytes: fc.array(fc.record({ at: fc.nat(), value: fc.nat(255) }), { maxLength: 4 }),
      cut: fc.option(fc.nat()),
    });
    fc.assert(
      fc.property(damage, ({ model, bytes, cut }) => {
        const saved = Uint8Array.from(cut === null ? model : model.subarray(0, cut % model.length));
        for (const { at, value } of bytes) if (saved.length > 0) saved[at % saved.length] = value;
        try {
          walk(readOnnx(xgboostToOnnx(saved)), { data: new Float32Array(4), rows: 1, columns: 4 });
        } catch (thrown) {
          expect(FlywheelError.isInstance(thrown), String(thrown)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("what XGBoost's library is not given", () => {
  test("a model of a later release, whose parts it would pass over", () => {
    const saved = given("xgboost-3.4.1-dart.json");
    expect(() => checkLoadable(saved, { version: "3.2.0" })).toThrow(
      expect.objectContaining({ code: "xgboost_newer_model", message: expect.stringMatching(/3\.4\.1.*3\.2\.0/) }),
    );
    expect(() => checkLoadable(saved, { version: "3.4.0" })).not.toThrow();
  });

  test("a kind that we do not convert", () => {
    expect(() => checkLoadable(given("xgboost-3.2.0-three-outputs.json"), { version: "3.4.1" })).toThrow(
      expect.objectContaining({ code: "xgboost_unsupported_model" }),
    );
  });
});
