import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FlywheelError } from "../errors.ts";
import { apiKeysFrom, createKeyCheck, requireKeysBeyondLoopback } from "./api-keys.ts";
import { parseDecisionRequest } from "./decision-request.ts";
import { answerQuestion, shownOf } from "./decision-response.ts";
import { asksOtherwise, matchQuestions, ownQuestion } from "./questions.ts";
import { errorBody, RequestError, toRequestError } from "./request-error.ts";
import { fruitPhotoTask } from "./testing/task.ts";

const baseUrl = "http://127.0.0.1:1/v1";
const labels = ["apple", "pear", "plum", "quince"];
const task = fruitPhotoTask(baseUrl, { output: { kind: "choice", choices: labels } });
const predicateTask = fruitPhotoTask(baseUrl, { output: { kind: "predicate" } });

const ask = (...values: readonly (string | boolean)[]) =>
  ({ type: "choice", instructions: "", choices: values.map((value) => ({ value })) }) as const;

describe("a request", () => {
  test("of any shape whatever parses or is refused with a 400: nothing else is thrown", () => {
    const piece = fc.oneof(
      fc.jsonValue(),
      fc.record({ role: fc.constantFrom("user", "system"), content: fc.jsonValue() }),
      fc.record({ type: fc.constantFrom("choice", "predicate", "score", "input_text"), choices: fc.jsonValue() }),
    );
    const body = fc.oneof(
      fc.jsonValue(),
      fc.record({ model: fc.oneof(fc.string(), piece), input: fc.array(piece), questions: fc.array(piece) }),
    );
    fc.assert(
      fc.property(body, (given) => {
        try {
          parseDecisionRequest(given);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(RequestError);
          expect(thrown).toMatchObject({ status: 400 });
        }
      }),
    );
  });

  test("ignores fields that it does not know, as OpenAI does", () => {
    const question = { ...ask("a", "b"), temperature: 3 };
    const input = [{ role: "user", content: [{ type: "input_text", text: "x", detail: "low" }], cache: 1 }];
    const parsed = parseDecisionRequest({ model: "m", input, questions: [question], safety_identifier: "u" });
    expect(parsed.parts).toEqual([{ part: { type: "input_text", text: "x" }, param: "input[0].content[0]" }]);
  });
});

describe("questions", () => {
  test("offer the task's labels in any order; the answer names one of them and its probabilities sum to 1", () => {
    const order = fc.shuffledSubarray(labels, { minLength: labels.length });
    const weights = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(order, weights, fc.nat(3), (offered, masses, top) => {
        const [asked] = matchQuestions([ask(...offered)], task);
        const sum = masses.reduce((total, mass) => total + mass, 0);
        const probabilities = Object.fromEntries(labels.map((label, index) => [label, masses[index]! / sum]));
        const answer = answerQuestion(asked!, { value: labels[top]!, probabilities, source: "calibrated" });
        if (answer.type !== "choice") throw new Error("a choice was asked for");
        expect(answer.choice).toBe(labels[top]);
        expect(answer.confidence).toBe(probabilities[labels[top]!]);
        expect(answer.probabilities.map(({ value }) => value)).toEqual(offered);
        expect(answer.probabilities.reduce((total, { probability }) => total + probability, 0)).toBeCloseTo(1, 9);
      }),
    );
  });

  test("that leave a label out, add one or repeat one are refused", () => {
    const refused = [ask(...labels.slice(1)), ask(...labels, "fig"), ask("apple", "Apple", "pear", "plum", "quince")];
    for (const question of refused) expect(() => matchQuestions([question], task)).toThrow(RequestError);
  });

  test("keep strings strings and booleans booleans", () => {
    const [typed, worded] = matchQuestions([ask(true, false), ask("true", "false")], predicateTask);
    const shown = { value: "true", probabilities: { true: 1 }, source: "verdict" } as const;
    expect(answerQuestion(typed!, shown)).toMatchObject({ choice: true });
    expect(answerQuestion(worded!, shown)).toMatchObject({ choice: "true" });
    expect(() => matchQuestions([ask(true, "true")], predicateTask)).toThrow(/two choices mean/);
  });

  test("worded as the task, up to white space and case, are the task's", () => {
    const worded = (instructions: string) =>
      asksOtherwise([{ ...ask("a", "b"), instructions }] as never, [ownQuestion("", task)], task);
    expect([" which FRUIT is it? ", ""].map(worded)).toEqual([false, false]);
    expect(worded("Which fruit is ripe?")).toBe(true);
  });
});

describe("an answer", () => {
  const asked = ownQuestion("", task);
  const teacher = { kind: "teacher", value: "plum", isSimulated: false } as const;

  test("without probabilities is a verdict: 1 for it and 0 for the rest", () => {
    const shown = shownOf(teacher);
    expect(shown?.source).toBe("verdict");
    expect(answerQuestion(asked, shown)).toMatchObject({ choice: "plum", confidence: 1 });
  });

  test("whose probabilities contradict it is a verdict too", () => {
    expect(shownOf({ ...teacher, probabilities: { plum: 0.3, pear: 0.7 } })?.source).toBe("verdict");
    expect(shownOf({ ...teacher, probabilities: { plum: 0.7, pear: 0.3 } })?.source).toBe("teacher");
  });

  test("that nobody gave is a refusal", () => {
    expect(answerQuestion(asked, shownOf({ kind: "queued" }))).toEqual({ type: "refusal", name: null });
  });
});

describe("an error", () => {
  test.each([
    ["a store that is locked", new FlywheelError("store_locked", "locked", { retryable: true }), 503, "store_locked"],
    [
      "a store that is read-only",
      new FlywheelError("store_read_only", "/data cannot be written"),
      503,
      "store_read_only",
    ],
    ["a store that is damaged", new FlywheelError("store_corrupt", "damaged"), 500, "store_corrupt"],
    ["a bug", new TypeError("x is not a function"), 500, "internal_error"],
    ["what is no error at all", "oops", 500, "internal_error"],
  ])("for %s has its status and code", (_, thrown, status, code) => {
    const error = toRequestError(thrown);
    expect(error).toMatchObject({ status, code });
    expect(errorBody(error).error).toMatchObject({ type: "server_error", code, param: null });
  });

  test("that is a fault of ours shows the caller nothing of it", () => {
    expect(errorBody(toRequestError(new TypeError("secret path"))).error.message).not.toContain("secret");
  });
});

describe("keys", () => {
  test("come from the environment, separated by commas or white space", () => {
    expect(apiKeysFrom({ FLYWHEEL_API_KEYS: " a, b\nc,," })).toEqual(["a", "b", "c"]);
    expect(apiKeysFrom({})).toEqual([]);
  });

  test("are accepted whole and as bearer tokens only", () => {
    const mayPass = createKeyCheck(["key-one", "key-two"]);
    expect(["Bearer key-one", "bearer key-two"].map(mayPass)).toEqual([true, true]);
    expect([undefined, "", "Bearer ", "key-one", "Basic key-one", "Bearer key-on"].map(mayPass)).not.toContain(true);
  });

  test("are needed on every host but loopback", () => {
    for (const host of ["127.0.0.1", "127.8.8.8", "::1", "localhost"]) requireKeysBeyondLoopback(host, []);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.evil.example", "example.com"]) {
      expect(() => requireKeysBeyondLoopback(host, [])).toThrow(/without any key/);
      requireKeysBeyondLoopback(host, ["k"]);
    }
  });
});
