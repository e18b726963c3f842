import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { dataUrl, photo } from "../src/serve/testing/colour-student.ts";
import {
  clientOf,
  decide,
  fruitQuestion,
  goldPhoto,
  openServeWorld,
  startTestServer,
} from "../src/serve/testing/world.ts";

const noTokens = {
  input_tokens: 0,
  input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
  output_tokens: 0,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 0,
};
const predicate = { output: { kind: "predicate" }, instructions: "Is it an apple?" } as const;

describe("client.decisions.create", () => {
  test("a confident request is answered by the student, in OpenAI's shape", async () => {
    const { client, simulated } = await openServeWorld();
    const { decision, headers, status } = await decide(client, await photo("pear", 0.95));
    expect(status).toBe(200);
    expect(decision).toEqual({
      model: "fruit",
      answers: [
        {
          type: "choice",
          name: "fruit",
          choice: "pear",
          confidence: expect.closeTo(0.95, 2),
          probabilities: [
            { value: "apple", probability: expect.closeTo(0.05, 2) },
            { value: "pear", probability: expect.closeTo(0.95, 2) },
          ],
        },
      ],
      usage: noTokens,
    });
    expect(Object.fromEntries(headers)).toMatchObject({
      "x-flywheel-route": "answered",
      "x-flywheel-model-version": "1",
      "x-flywheel-confidence": expect.stringMatching(/^0\.9\d{5}$/),
      "x-flywheel-threshold": "0.800000",
      "x-flywheel-probabilities": "calibrated",
      "x-flywheel-simulated": "false",
      "x-flywheel-overhead-ms": expect.stringMatching(/^\d+\.\d\d$/),
      "x-request-id": expect.stringMatching(/^req_/),
    });
    expect(simulated.stats().requests).toBe(0);
  });

  test("an unsure request is answered by the teacher, in the same shape", async () => {
    const world = await openServeWorld();
    const image = await goldPhoto(world, ["pear", 0.6], "apple");
    const { decision, headers } = await decide(world.client, image);
    expect(decision.answers).toMatchObject([{ type: "choice", name: "fruit", choice: "apple" }]);
    expect(decision.usage.total_tokens).toBeGreaterThan(0);
    expect(Object.fromEntries(headers)).toMatchObject({
      "x-flywheel-route": "escalated",
      "x-flywheel-reason": "unsure",
      "x-flywheel-simulated": "true",
    });
    const id = headers.get("x-request-id")!;
    expect(await world.store.decisions.get(id)).toMatchObject({
      route: "escalated",
      value: "apple",
      studentValue: "pear",
    });
    const again = await decide(world.client, image);
    expect(again.headers.get("x-flywheel-cache")).toBe("hit");
    expect(again.decision.answers).toEqual(decision.answers);
    expect(world.simulated.stats().requests).toBe(1);
  });

  test.each([
    ["an answer", {}],
    ["a refusal", { pOffSchema: 1 }],
  ])("%s of a simulated teacher says so even to who asks a server that has not asked it yet", async (_, simulated) => {
    const world = await openServeWorld({ simulated });
    const image = await goldPhoto(world, ["pear", 0.6], "apple");
    await decide(world.client, image);
    // A refusal is recorded once the teacher has answered another row: until then it may be the teacher's own trouble.
    world.faults.pOffSchema = 0;
    await decide(world.client, await goldPhoto(world, ["pear", 0.6, 1], "apple"));
    const restarted = await startTestServer({ ...world, teacher: { ...world.teacher, simulated: false } });
    const { headers } = await decide(clientOf(restarted), image);
    expect(Object.fromEntries(headers)).toMatchObject({ "x-flywheel-cache": "hit", "x-flywheel-simulated": "true" });
  });

  test("the teacher's probabilities are given where the provider gives them, a bare verdict is said to be one", async () => {
    const world = await openServeWorld();
    const { decision, headers } = await decide(world.client, await goldPhoto(world, ["pear", 0.6]));
    const [answer] = decision.answers;
    if (answer?.type !== "choice") throw new Error("no choice came back");
    expect(["teacher", "verdict"]).toContain(headers.get("x-flywheel-probabilities"));
    expect(answer.probabilities.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 9);
    expect(answer.confidence).toBe(Math.max(...answer.probabilities.map(({ probability }) => probability)));
  });

  test("several questions are answered in their order, each in its own spelling, unnamed ones as null", async () => {
    const { client } = await openServeWorld();
    const { decision } = await decide(client, await photo("pear", 0.95), {
      questions: [
        { type: "choice", instructions: "", choices: [{ value: "Pear" }, { value: "APPLE" }] },
        { type: "choice", name: "german", instructions: "", choices: [{ value: "apple" }, { value: "Birne" }] },
      ],
    });
    expect(decision.answers).toMatchObject([
      { name: null, choice: "Pear", probabilities: [{ value: "Pear" }, { value: "APPLE" }] },
      { name: "german", choice: "Birne", probabilities: [{ value: "apple" }, { value: "Birne" }] },
    ]);
  });

  test("a predicate has a probability; asked as a choice, booleans stay booleans and strings strings", async () => {
    const { client } = await openServeWorld({ task: predicate });
    const { decision } = await decide(client, await photo("apple", 0.95), {
      questions: [
        { type: "predicate", name: "is apple", instructions: "Is it an apple?" },
        { type: "choice", name: "typed", instructions: "", choices: [{ value: false }, { value: true }] },
        { type: "choice", name: "worded", instructions: "", choices: [{ value: "yes" }, { value: "no" }] },
      ],
    });
    expect(decision.answers).toMatchObject([
      { type: "predicate", name: "is apple", probability: expect.closeTo(0.95, 2) },
      { type: "choice", name: "typed", choice: true, probabilities: [{ value: false }, { value: true }] },
      { type: "choice", name: "worded", choice: "yes", probabilities: [{ value: "yes" }, { value: "no" }] },
    ]);
  });

  test("a predicate that the teacher answers is 0 or 1, or its probability", async () => {
    const world = await openServeWorld({ task: predicate });
    const image = await goldPhoto(world, ["apple", 0.6], "false");
    const questions = [{ type: "predicate", instructions: "Is it an apple?" } as const];
    const { decision } = await decide(world.client, image, { questions });
    const [answer] = decision.answers;
    expect(answer).toMatchObject({ type: "predicate", name: null });
    expect(answer?.type === "predicate" && answer.probability).toBeLessThan(0.5);
  });

  test("a question worded otherwise than the task is answered as the task's, and the caller is told", async () => {
    const { client } = await openServeWorld();
    const image = await photo("pear", 0.95);
    const reworded = { ...fruitQuestion, instructions: "Which vegetable is it?", choices: [...fruitQuestion.choices] };
    const { headers } = await decide(client, image, { questions: [reworded] });
    expect(headers.get("x-flywheel-warning")).toBe("instructions differ from the task's");
    expect((await decide(client, image)).headers.has("x-flywheel-warning")).toBe(false);
  });

  test("a row that the teacher gives no valid answer for is a refusal, not an error", async () => {
    const world = await openServeWorld({ simulated: { pOffSchema: 1 } });
    const { decision, headers, status } = await decide(world.client, await goldPhoto(world, ["pear", 0.6]));
    expect(status).toBe(200);
    expect(decision.answers).toEqual([{ type: "refusal", name: "fruit" }]);
    expect(Object.fromEntries(headers)).toMatchObject({
      "x-flywheel-route": "escalated",
      "x-flywheel-simulated": "true",
    });
  });

  test("before the first champion everything goes to the teacher", async () => {
    const world = await openServeWorld({ promoted: false });
    const { decision, headers } = await decide(world.client, await goldPhoto(world, ["pear", 0.99]));
    expect(decision.answers).toMatchObject([{ choice: "pear" }]);
    expect(headers.get("x-flywheel-reason")).toBe("no-champion");
  });
});

describe("while the teacher is down", () => {
  const broken = { p5xx: 1 };

  test("answer-flagged gives the student's guess, and says so", async () => {
    const world = await openServeWorld({ simulated: broken, task: { whenTeacherDown: "answer-flagged" } });
    const { decision, headers } = await decide(world.client, await goldPhoto(world, ["pear", 0.6]));
    expect(decision.answers).toMatchObject([{ choice: "pear" }]);
    expect(Object.fromEntries(headers)).toMatchObject({
      "x-flywheel-route": "degraded",
      "x-flywheel-degraded": "answer-flagged",
      "x-flywheel-reason": "unsure",
    });
  });

  test("refuse is a 503 that says when to come back", async () => {
    const world = await openServeWorld({ simulated: broken, task: { whenTeacherDown: "refuse" } });
    const failure = await decide(world.client, await goldPhoto(world, ["pear", 0.6])).catch(
      (thrown: unknown) => thrown,
    );
    expect(failure).toBeInstanceOf(OpenAI.InternalServerError);
    expect(failure).toMatchObject({ status: 503, code: "teacher_unavailable", type: "server_error", param: null });
    const { headers } = failure as InstanceType<typeof OpenAI.InternalServerError>;
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect(headers.get("x-flywheel-route")).toBe("degraded");
  });

  test("queue is a 202 with an id, under which the answer is found once the teacher is back", async () => {
    const world = await openServeWorld({ simulated: broken, task: { whenTeacherDown: "queue" } });
    const image = await goldPhoto(world, ["pear", 0.6], "apple");
    const { decision, headers, status } = await decide(world.client, image);
    const id = headers.get("x-request-id");
    expect(status).toBe(202);
    expect(decision).toMatchObject({ id, status: "queued", answers: [{ type: "refusal", name: "fruit" }] });
    expect(await world.client.get(`/decisions/${id}`)).toMatchObject({ status: "queued" });
    world.faults.p5xx = 0;
    await world.server.workOffBacklog();
    const answers = [{ type: "choice", choice: "apple" }];
    expect(await world.client.get(`/decisions/${id}`)).toMatchObject({ id, status: "completed", answers });
    await expect(world.client.get("/decisions/req_unknown")).rejects.toMatchObject({ status: 404 });
  });
});

describe("a wrong request is a 400 that names the field", () => {
  const choices = (...values: (string | boolean)[]) => ({
    questions: [{ type: "choice", instructions: "", choices: values.map((value) => ({ value })) }],
  });
  const input = (...content: unknown[]) => ({ input: [{ role: "user", content }] });
  const image = async () => ({ type: "input_image", image_url: dataUrl(await photo("pear", 0.95)) });

  const wrong = [
    ["no questions", { questions: [] }, "questions", "invalid_value"],
    ["a question of no known type", { questions: [{ type: "poem" }] }, "questions[0].type", "invalid_value"],
    ["one choice", choices("apple"), "questions[0].choices", "invalid_value"],
    ["a label left out", choices("apple", "APPLE "), "questions[0].choices[1].value", "question_mismatch"],
    [
      "a label that the task does not know",
      choices("apple", "pear", "plum"),
      "questions[0].choices[2].value",
      "question_mismatch",
    ],
    [
      "a score",
      { questions: [{ type: "score", instructions: "", levels: [{ label: "low" }, { label: "high" }] }] },
      "questions[0].type",
      "question_mismatch",
    ],
    ["a predicate", { questions: [{ type: "predicate", instructions: "" }] }, "questions[0].type", "question_mismatch"],
    ["no model", { model: 7 }, "model", "invalid_value"],
    ["text for an image", { input: "a pear" }, "input", "unsupported_input"],
    ["no part", input(), "input", "unsupported_input"],
    ["an unknown part", input({ type: "input_audio" }), "input[0].content[0].type", "invalid_value"],
    ["JSON for an image", input({ type: "input_json", data: {} }), "input[0].content[0]", "unsupported_input"],
    ["what an assistant said", { input: [{ role: "assistant", content: "a pear" }] }, "input[0]", "unsupported_input"],
    [
      "a data URL that is not base64",
      input({ type: "input_image", image_url: "data:image/png,abc" }),
      "input[0].content[0].image_url",
      "invalid_image_url",
    ],
    [
      "a file",
      input({ type: "input_image", image_url: "file:///etc/passwd" }),
      "input[0].content[0].image_url",
      "invalid_image_url",
    ],
    [
      "an address",
      input({ type: "input_image", image_url: "http://127.0.0.1/x.png" }),
      "input[0].content[0].image_url",
      "image_url_not_allowed",
    ],
    [
      "something that is no image",
      input({ type: "input_image", image_url: dataUrl(Buffer.from("hello")) }),
      "input[0].content[0].image_url",
      "image_unsupported",
    ],
    [
      "an empty image",
      input({ type: "input_image", image_url: "data:image/png;base64," }),
      "input[0].content[0].image_url",
      "image_empty",
    ],
  ] as const;

  test("for each that can be wrong", async () => {
    const { client } = await openServeWorld();
    const whole = await photo("pear", 0.95);
    for (const [what, changes, param, code] of wrong) {
      const asked = decide(client, whole, changes as object);
      await expect(asked, what).rejects.toMatchObject({ status: 400, type: "invalid_request_error", param, code });
    }
  });

  test("text beside the image, two images, half an image: refused; the request after is answered", async () => {
    const { client } = await openServeWorld();
    const whole = await photo("pear", 0.95);
    const text = { type: "input_text", text: "it is surely an apple" };
    const cut = { type: "input_image", image_url: dataUrl(whole.subarray(0, whole.length - 20)) };
    for (const [content, at] of [
      [[text, await image()], "input[0].content[0]"],
      [[await image(), await image()], "input[0].content[1].image_url"],
      [[cut], "input[0].content[0].image_url"],
    ] as const) {
      const asked = decide(client, whole, input(...content) as object);
      await expect(asked).rejects.toMatchObject({ status: 400, param: at });
    }
    expect((await decide(client, whole)).status).toBe(200);
  });
});
