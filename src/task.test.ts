import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FlywheelError } from "./errors.ts";
import { fieldsOf } from "./fields.ts";
import { rowId } from "./records.ts";
import {
  classesOf,
  defineFieldsTask,
  defineTask,
  type FieldsTaskDefinition,
  normaliseLabel,
  parseAnyTask,
  parseTask,
  promptVersion,
  splitOf,
  type TaskDefinition,
} from "./task.ts";

const fruit: TaskDefinition = {
  name: "fruit",
  input: "image",
  instructions: "Which fruit is it?",
  output: { kind: "choice", choices: ["apple", { value: "sweet_pepper", synonyms: ["bell pepper", "Paprika"] }] },
  teacher: { model: "google/gemini-2.5-flash" },
};

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return "no error";
  } catch (thrown) {
    return FlywheelError.isInstance(thrown) ? thrown.code : String(thrown);
  }
};

describe("defineTask", () => {
  test("fills in the defaults of the science: regret 3 %, δ 10 %, splits 60/15/25, audits 1 % and 2 %", () => {
    const task = defineTask(fruit);
    expect(task.target).toEqual({ kind: "regret", risk: 0.03, delta: 0.1 });
    expect(task.splits).toEqual({ train: 0.6, calibrate: 0.15, certify: 0.25 });
    expect(task.audit).toEqual({ uniformRate: 0.01, rate: 0.02 });
    expect(task.teacher.passes).toBe(2);
  });

  test("names every field that is wrong, and rejects unknown ones", () => {
    const wrong = { ...fruit, name: "Fruit Task", budget: 3, target: { kind: "regret", risk: 2 } };
    expect(() => parseTask(wrong)).toThrow(/name[\s\S]*/);
    expect(() => parseTask(wrong)).toThrow(/budget/);
    expect(() => parseTask(wrong)).toThrow(/target\.risk/);
  });

  test("rejects choices that nobody can tell apart, and no others", () => {
    const choices = (...given: readonly unknown[]) => ({ ...fruit, output: { kind: "choice", choices: given } });
    expect(codeOf(() => parseTask(choices("caf\u00e9", "cafe\u0301 ")))).toBe("invalid_task");
    expect(codeOf(() => parseTask(choices("pear", { value: "apple", synonyms: ["pear"] })))).toBe("invalid_task");
    expect(classesOf(parseTask(choices("-1", "0", "1")))).toEqual(["-1", "0", "1"]);
    expect(classesOf(parseTask(choices("A-", "A", "A+")))).toEqual(["A-", "A", "A+"]);
  });

  test("rejects splits that do not sum to one", () => {
    expect(codeOf(() => defineTask({ ...fruit, splits: { train: 0.5, calibrate: 0.2, certify: 0.2 } }))).toBe(
      "invalid_task",
    );
  });
});

describe("normaliseLabel", () => {
  const task = defineTask(fruit);
  test.each([
    ["apple", "apple"],
    [" APPLE. ", "apple"],
    ["Sweet Pepper", "sweet_pepper"],
    ["paprika", "sweet_pepper"],
    ["bell-pepper", "sweet_pepper"],
    ["pear", undefined],
    ["", undefined],
  ])("%j means %j", (given, meant) => {
    expect(normaliseLabel(task, given)).toBe(meant);
  });

  test("every class means itself, whatever it is called", () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[\p{L}\p{N}]{1,12}$/u), {
      minLength: 2,
      maxLength: 8,
      selector: (name) => name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase(),
    });
    fc.assert(
      fc.property(names, (choices) => {
        const named = defineTask({ ...fruit, output: { kind: "choice", choices } });
        for (const label of classesOf(named)) expect(normaliseLabel(named, label)).toBe(label);
      }),
      { numRuns: 50 },
    );
  });

  test("a predicate understands yes and no", () => {
    const predicate = defineTask({ ...fruit, output: { kind: "predicate" } });
    const given = ["Yes", "no", "TRUE", "0", "1.0", "0.0", "f"];
    const meant = ["true", "false", "true", "false", "true", "false", "false"];
    expect(given.map((one) => normaliseLabel(predicate, one))).toEqual(meant);
    expect(["-1", "2", "+1", "1%"].map((one) => normaliseLabel(predicate, one))).toEqual(Array(4).fill(undefined));
  });

  test("a predicate takes other spellings", () => {
    const synonyms = { true: ["ja", "churned"], false: ["nein"] };
    const predicate = defineTask({ ...fruit, output: { kind: "predicate", synonyms } });
    expect(["Ja", "nein", "Churned", "yes"].map((one) => normaliseLabel(predicate, one))).toEqual([
      "true",
      "false",
      "true",
      "true",
    ]);
    const clash = { kind: "predicate", synonyms: { true: ["n"] } };
    expect(codeOf(() => parseTask({ ...fruit, output: clash }))).toBe("invalid_task");
  });
});

describe("promptVersion", () => {
  test("changes with what the teacher is asked, and with nothing else", () => {
    const version = promptVersion(defineTask(fruit));
    expect(promptVersion(defineTask({ ...fruit, budgetUsd: 1 }))).toBe(version);
    expect(promptVersion(defineTask({ ...fruit, instructions: "What is it?" }))).not.toBe(version);
    expect(promptVersion(defineTask({ ...fruit, teacher: { model: "openai/gpt-5" } }))).not.toBe(version);
  });
});

describe("splitOf", () => {
  const id = (index: number) => rowId(createHash("sha256").update(String(index)).digest("hex"));
  const shares = { train: 0.6, calibrate: 0.15, certify: 0.25 };

  test("keeps the shares", () => {
    const counts = { train: 0, calibrate: 0, certify: 0 };
    for (let index = 0; index < 10_000; index++) counts[splitOf(id(index), shares)]++;
    // Three binomial standard deviations at n = 10,000 are at most 150 rows.
    expect(Math.abs(counts.train - 6000)).toBeLessThan(150);
    expect(Math.abs(counts.calibrate - 1500)).toBeLessThan(150);
    expect(Math.abs(counts.certify - 2500)).toBeLessThan(150);
  });

  test("enlarging certify never moves a row out of it", () => {
    const larger = { train: 0.4, calibrate: 0.15, certify: 0.45 };
    for (let index = 0; index < 500; index++) {
      if (splitOf(id(index), shares) === "certify") expect(splitOf(id(index), larger)).toBe("certify");
    }
  });
});

describe("a task of several fields", () => {
  const letter: FieldsTaskDefinition = {
    name: "letter",
    input: "text",
    fields: {
      topic: { instructions: "About what?", output: { kind: "choice", choices: ["bill", "parcel"] } },
      mood: { instructions: "How angry?", output: { kind: "score", levels: ["calm", { label: "furious" }] } },
    },
    teacher: { model: "google/gemini-2.5-flash" },
    budgetUsd: 8,
  };

  test("is a task of one output for each field, with a part of the budget and one question's version", () => {
    const task = defineFieldsTask({ ...letter, target: { kind: "regret", risk: 0.05 } });
    const [topic, mood] = fieldsOf(task);
    expect([topic!.name, mood!.name]).toEqual(["topic", "mood"]);
    expect(topic!.task).toMatchObject({ name: "letter/topic", instructions: "About what?", budgetUsd: 4 });
    expect(topic!.task.target.risk).toBe(0.05);
    expect(classesOf(mood!.task)).toEqual(["calm", "furious"]);
    expect(normaliseLabel(mood!.task, "Furious!")).toBe("furious");
    expect(fieldsOf(defineTask(fruit))).toEqual([{ name: "", task: defineTask(fruit) }]);
  });

  test.each([
    ["an output beside the fields", { output: { kind: "predicate" } }],
    ["no field", { fields: {} }],
    ["a name that is none", { fields: { "2nd": letter.fields["topic"] } }],
    [
      "labels that look alike",
      { fields: { mood: { instructions: "x", output: { kind: "score", levels: ["calm", "calm "] } } } },
    ],
    ["one level", { fields: { mood: { instructions: "x", output: { kind: "score", levels: ["calm"] } } } }],
    ["gold in one column", { columns: { gold: "label" } }],
    ["gold of a field that there is not", { columns: { gold: { colour: "label" } } }],
    ["a selective target answered together", { answer: "together", target: { kind: "selective", risk: 0.05 } }],
  ])("rejects %s", (_, changes) => {
    expect(codeOf(() => parseAnyTask({ ...letter, ...changes }))).toBe("invalid_task");
  });

  test("may have a selective target where each field is answered for itself", () => {
    expect(codeOf(() => parseAnyTask({ ...letter, target: { kind: "selective", risk: 0.05 } }))).toBe("no error");
    expect(codeOf(() => parseTask({ ...fruit, columns: { gold: { topic: "label" } } }))).toBe("invalid_task");
  });
});
