import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dissentOf, heldOutUnder, withPredecessors } from "./committee.ts";
import type { Student, StudentInput } from "./contracts.ts";
import { modelId, type Prediction, rowId } from "./records.ts";

const logit = fc.double({ min: -5, max: 5, noNaN: true });

describe("dissent", () => {
  test("counts members of another class, whatever their confidence", () => {
    expect(dissentOf([0, 1, 0], [9, 0, 0, 0, 0.1, 0, 0, 0, 4])).toBe(2);
  });

  test("is none among identical members, and the same in any order of them", () => {
    const members = fc.array(fc.array(logit, { minLength: 3, maxLength: 3 }), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(logit, { minLength: 3, maxLength: 3 }), members, (own, members) => {
        expect(dissentOf(own, [...own, ...own, ...own])).toBe(0);
        expect(dissentOf(own, members.flat())).toBe(dissentOf(own, members.toReversed().flat()));
      }),
    );
  });
});

/** Calls "red" what is longer than `limit`. */
function studentOf(limit: number): Student & { readonly calls: number; readonly isDisposed: boolean } {
  let [calls, isDisposed] = [0, false];
  return {
    modelId: modelId(`longer than ${limit}`),
    classes: ["red", "blue"],
    async predictLogits(batch) {
      calls += 1;
      return Float32Array.from(
        batch.flatMap((input) => (input.kind === "text" && input.text.length > limit ? [1, 0] : [0, 1])),
      );
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true;
    },
    get calls() {
      return calls;
    },
    get isDisposed() {
      return isDisposed;
    },
  };
}

const text = (length: number): StudentInput => ({ kind: "text", text: "x".repeat(length) });

describe("predecessors", () => {
  test("are asked for their class; the student is not asked twice, and all are disposed of together", async () => {
    const [own, members] = [studentOf(3), [studentOf(1), studentOf(5), studentOf(7)]];
    const student = withPredecessors(own, members);
    const batch = [text(2), text(4), text(6), text(9)];
    expect(await student.predictLogits(batch)).toEqual(Float32Array.of(0, 1, 1, 0, 1, 0, 1, 0));
    expect(student.committee?.size).toBe(3);
    expect([...(await student.committee!.dissent(batch))]).toEqual([1, 2, 1, 0]);
    expect(own.calls).toBe(1);
    expect([...(await student.committee!.dissent([text(4)]))]).toEqual([2]);
    expect(student.look).toBeUndefined(); // these need time
    await student[Symbol.asyncDispose]();
    expect([own, ...members].every(({ isDisposed }) => isDisposed)).toBe(true);
  });
});

test("predecessors that need no time are heard at once; where one needs time, all are waited for", () => {
  const quick = (turn: number): Student => {
    const slow = studentOf(turn);
    const look = (input: StudentInput) => ({
      logits: input.kind === "text" && input.text.length < turn ? Float32Array.of(0, 1) : Float32Array.of(1, 0),
    });
    return { ...slow, look };
  };
  const student = withPredecessors(quick(3), [quick(1), quick(5), quick(7)]);
  expect([2, 4, 6, 9].map((length) => student.look!(text(length)).dissent!())).toEqual([1, 2, 1, 0]);
  expect(withPredecessors(quick(3), [quick(1), studentOf(5)]).look).toBeUndefined();
  expect(withPredecessors(studentOf(3), [quick(1)]).look).toBeUndefined();
});

describe("held-out predictions under a committee", () => {
  const [own, first, second] = ["own", "first", "second"].map(modelId) as [
    Prediction["modelId"],
    Prediction["modelId"],
    Prediction["modelId"],
  ];
  const said = (id: typeof own, row: string, classIndex: number, dissent?: number): Prediction => ({
    modelId: id,
    rowId: rowId(row),
    basis: "held-out",
    logits: Float32Array.of(classIndex === 0 ? 1 : 0, classIndex === 0 ? 0 : 1),
    ...(dissent !== undefined && { dissent }),
  });
  const all = [
    said(own, "a", 0, 4),
    said(own, "b", 1, 2),
    said(first, "a", 0),
    said(first, "b", 0),
    said(second, "a", 1),
  ];
  const store = {
    predictions: {
      put: async () => {},
      async *ofModel(id: typeof own) {
        yield* all.filter((one) => one.modelId === id);
      },
    },
  };
  const dissentsUnder = async (committee: Parameters<typeof heldOutUnder>[1]["committee"]) =>
    (await Array.fromAsync(heldOutUnder(store, { modelId: own, committee }))).map(({ dissent }) => dissent);

  test("have its dissent alone: none, that of the folds, or that of predecessors that all spoke of the row", async () => {
    expect(await dissentsUnder(undefined)).toEqual([undefined, undefined]);
    expect(await dissentsUnder({ kind: "folds", size: 5 })).toEqual([4, 2]);
    expect(await dissentsUnder({ kind: "predecessors", size: 1, members: [first] })).toEqual([0, 1]);
    expect(await dissentsUnder({ kind: "predecessors", size: 2, members: [first, second] })).toEqual([1, undefined]);
  });
});
