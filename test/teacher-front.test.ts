import { describe, expect, test, vi } from "vitest";
import { systemClock } from "../src/clock.ts";
import { labelRows } from "../src/label/label-rows.ts";
import { openTeacher } from "../src/label/teacher.ts";
import { fruitTask, openTestStore, textRows } from "../src/label/testing/fixtures.ts";
import { SUSPECT_ROWS } from "../src/route/suspicion.ts";
import { fruitPhotoTask } from "../src/serve/testing/task.ts";
import { clientOf, decide, goldPhoto, openServeWorld, startTestServer } from "../src/serve/testing/world.ts";
import { contentHash } from "../src/simulate/gold-file.ts";
import { startSimulatedTeacher } from "../src/simulate/teacher-server.ts";
import { type BadAnswer, badAnswers, startFaultyFront } from "./support/faulty-front.ts";

const everyFault = Object.keys(badAnswers) as BadAnswer[];
/** These look like the row's own fault, so that they are taken for it until there are too many of them. */
const looksLikeTheRow = (bad: BadAnswer): boolean => bad === "a wrong label" || bad === "400 to everything";

describe("a server whose teacher is answered for by something else", () => {
  const openFront = async (changes = {}) => {
    const world = await openServeWorld();
    const front = await startFaultyFront(world.simulated.url);
    const task = fruitPhotoTask(front.url, { whenTeacherDown: "answer-flagged", ...changes });
    const server = await startTestServer({ task, store: world.store, teacher: openTeacher({ task, env: {} }) });
    const images = await Promise.all(
      Array.from({ length: SUSPECT_ROWS + 3 }, (_, nth) => goldPhoto(world, ["pear", 0.6, nth], "apple")),
    );
    return { ...world, front, task, server, client: clientOf(server), images };
  };
  const routeOf = async (client: ReturnType<typeof clientOf>, image: Uint8Array) =>
    (await decide(client, image)).headers.get("x-flywheel-route");

  test.each(everyFault)("%s: is the teacher's fault, and forgotten when it is well again", async (bad) => {
    const { front, client, images, store, simulated } = await openFront();
    front.turn(bad);
    const routes: (string | null)[] = [];
    for (const image of images) routes.push(await routeOf(client, image));
    // Flagged answers of the student, as the task has it while the teacher is down.
    const excused = looksLikeTheRow(bad) ? SUSPECT_ROWS - 1 : 0;
    expect(routes.slice(excused)).toEqual(Array(images.length - excused).fill("degraded"));
    for await (const annotation of store.annotations.teacher()) expect.unreachable(JSON.stringify(annotation));
    front.turn(undefined);
    // The breaker's pause is over when one gets through.
    await vi.waitFor(async () => expect(await routeOf(client, images[0]!)).toBe("escalated"), { timeout: 20_000 });
    for (const image of images) {
      const { headers, decision } = await decide(client, image);
      expect(headers.get("x-flywheel-route")).toBe("escalated");
      expect(decision.answers).toMatchObject([{ choice: "apple" }]);
    }
    // Nobody who has an answer was asked about again.
    expect(simulated.stats().charged).toBe(images.length);
  });

  test("one row that the teacher refuses, among others that it answers, is refused once and for all", async () => {
    const { front, client, images, store, simulated } = await openFront();
    await decide(client, images[0]!);
    front.turn("400 to everything");
    const refused = async () => (await decide(client, images[1]!)).decision.answers;
    expect(await refused()).toMatchObject([{ type: "refusal" }]);
    front.turn(undefined);
    await decide(client, images[2]!);
    const asked = front.requests;
    expect(await refused()).toMatchObject([{ type: "refusal" }]);
    expect(front.requests).toBe(asked);
    const values: (string | undefined)[] = [];
    for await (const { value, failure } of store.annotations.teacher()) values.push(value ?? failure?.code);
    expect(values.toSorted()).toEqual(["apple", "apple", "teacher_bad_request"]);
    expect(simulated.stats().charged).toBe(2);
  });
});

describe("a labelling run whose teacher is answered for by something else", () => {
  const openRun = async (changes = {}) => {
    const rows = textRows(200);
    const gold = new Map(rows.map(({ input }) => [contentHash(input.kind === "text" ? input.text : ""), "pear"]));
    const simulated = await startSimulatedTeacher({ gold, classes: ["apple", "pear", "orange"] });
    const front = await startFaultyFront(simulated.url);
    const task = fruitTask({ teacher: { baseUrl: front.url, passes: 1, maxConcurrency: 16, ...changes } });
    const store = await openTestStore(rows);
    const label = (signal?: AbortSignal) =>
      labelRows({ store, task, teacher: openTeacher({ task, env: {} }), clock: systemClock, seed: 1, signal });
    return { simulated, front, store, label, close: () => simulated.close() };
  };

  test.each(everyFault)("%s: stops it early, shows what came, and records nothing that lasts", async (bad) => {
    const { simulated, front, store, label, close } = await openRun();
    front.turn(bad);
    const thrown = await label().then(
      () => expect.unreachable("it should have stopped"),
      (error) => error,
    );
    expect(thrown.code).toBe("labels_unreadable");
    expect(thrown.message).toContain("20 rows in a row");
    expect(front.requests).toBeLessThan(100);
    for await (const annotation of store.annotations.teacher()) expect.unreachable(JSON.stringify(annotation));
    front.turn(undefined);
    expect(await label()).toMatchObject({ answers: [200], failed: 0, labels: { total: 200 } });
    expect(simulated.stats()).toMatchObject({ charged: 200, paidTwice: 0 });
    await close();
  });

  test("shows three examples of what came back", async () => {
    const { front, label, close } = await openRun();
    front.turn("a page of HTML");
    await expect(label()).rejects.toThrow(/returned an unreadable response \(200\): <!doctype html>/);
    await close();
  });

  test("half-way: what was labelled until then stays, and is not asked again", async () => {
    const { simulated, front, store, label, close } = await openRun();
    const turning = setInterval(() => simulated.stats().charged >= 60 && front.turn("400 to everything"), 1);
    await expect(label()).rejects.toMatchObject({ code: "labels_unreadable" });
    clearInterval(turning);
    const labelled = await store.labels.count();
    expect(labelled).toBeGreaterThanOrEqual(50);
    front.turn(undefined);
    const { answers, failed } = await label();
    expect([answers[0]! + labelled, failed]).toEqual([200, 0]);
    expect(simulated.stats()).toMatchObject({ charged: 200, paidTwice: 0 });
    await close();
  });
});
