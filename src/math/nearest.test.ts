import fc from "fast-check";
import { expect, test } from "vitest";
import { checkClassStarts, firstOfEachClass, keepNearest } from "./nearest.ts";

test("the nearest are the first of all distances sorted", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -1, max: 1, noNaN: true })),
      fc.integer({ min: 1, max: 6 }),
      (distances, most) => {
        const nearest: number[] = [];
        for (const distance of distances) keepNearest(nearest, distance, most);
        expect(nearest).toEqual(distances.toSorted((a, b) => a - b).slice(0, most));
      },
    ),
  );
});

test("the first rows of each class, class after class", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3 })), fc.integer({ min: 1, max: 5 }), (classIndices, most) => {
      const { rows, classStarts } = firstOfEachClass(classIndices, 5, most);
      const byDefinition = [0, 1, 2, 3, 4].map((c) =>
        classIndices.flatMap((own, row) => (own === c ? [row] : [])).slice(0, most),
      );
      expect(rows).toEqual(byDefinition.flat());
      byDefinition.forEach((own, c) => {
        expect(rows.slice(classStarts[c], classStarts[c + 1])).toEqual(own);
      });
      expect(() => checkClassStarts(classStarts, rows.length)).not.toThrow();
    }),
  );
});

test.each([[[1, 2]], [[0, 3, 2]], [[0, 1]], [[]]])("classes that begin at %j do not hold two rows", (starts) => {
  expect(() => checkClassStarts(Int32Array.from(starts), 2)).toThrow(RangeError);
});
