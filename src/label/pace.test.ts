import { describe, expect, test } from "vitest";
import { createRng } from "../math/random.ts";
import { createTokenBucket } from "../simulate/token-bucket.ts";
import { createPace, type Outcome, type Turn } from "./pace.ts";
import { createVirtualClock, type VirtualClock } from "./testing/virtual-clock.ts";

type World = {
  readonly limitPerSecond: number;
  readonly seconds: number;
  readonly burstMs?: number;
  readonly retryAfter?: "precise" | "seconds" | "none";
  readonly latencyMs?: number;
  readonly maxConcurrency?: number;
  /** Share refused whatever the rate. */
  readonly refusedAtRandom?: number;
  /** The limit from this second on. */
  readonly later?: { readonly fromSecond: number; readonly limitPerSecond: number };
};

type Course = {
  /** Answers by second, over the limit. */
  readonly shares: readonly number[];
  readonly refused: number;
  readonly answered: number;
  readonly mostInFlight: number;
};

/** Workers ask a teacher with a token bucket for so many seconds of virtual time. */
async function simulate(world: World): Promise<Course> {
  const clock = createVirtualClock({ settle: "promises" });
  const { seconds, burstMs = 100, maxConcurrency = 512, latencyMs = 150, retryAfter = "precise" } = world;
  const pace = createPace({ clock, maxConcurrency });
  const rng = createRng("pace");
  const startMs = clock.now();
  const second = () => Math.floor((clock.now() - startMs) / 1000);
  let bucket = createTokenBucket(world.limitPerSecond, burstMs);
  let isLater = false;
  const answered = Array.from({ length: seconds }, () => 0);
  let [refused, inFlight, mostInFlight] = [0, 0, 0];
  const ask = async (): Promise<Outcome> => {
    if (world.later && !isLater && second() >= world.later.fromSecond) {
      isLater = true;
      bucket = createTokenBucket(world.later.limitPerSecond, burstMs);
    }
    const waitMs = rng.next() < (world.refusedAtRandom ?? 0) ? 50 : bucket.take(clock.now());
    if (waitMs === undefined) {
      await clock.sleep(latencyMs * Math.exp(0.3 * rng.normal()));
      answered[second()]! += 1;
      return { kind: "answered" };
    }
    refused++;
    await clock.sleep(5);
    const asked = retryAfter === "precise" ? Math.ceil(waitMs) : Math.ceil(waitMs / 1000) * 1000;
    return { kind: "limited", retryAfterMs: retryAfter === "none" ? undefined : asked };
  };
  const worker = async () => {
    while (second() < seconds) {
      const turn = await pace.acquire();
      mostInFlight = Math.max(mostInFlight, ++inFlight);
      const outcome = await ask();
      inFlight--;
      turn.end(outcome);
      if (outcome.kind === "limited") await clock.sleep(50 * (0.5 + rng.next()));
    }
  };
  await clock.run(Promise.all(Array.from({ length: maxConcurrency + 16 }, worker)));
  const limitAt = (at: number) =>
    world.later && at >= world.later.fromSecond ? world.later.limitPerSecond : world.limitPerSecond;
  const counted = answered.slice(0, seconds);
  const shares = counted.map((count, at) => count / limitAt(at));
  return { shares, refused, mostInFlight, answered: counted.reduce((sum, count) => sum + count, 0) };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("the pace", () => {
  test.each([20, 200, 1000])("sustains 95 %% of a teacher that allows %i requests a second", async (limitPerSecond) => {
    const { shares, refused, answered } = await simulate({ limitPerSecond, seconds: 20 });
    expect(meanOf(shares)).toBeGreaterThan(0.95);
    // Probing has its price, but not a storm: refusals are few beside answers.
    expect(refused).toBeLessThan(Math.max(60, 0.06 * answered));
  });

  test("sustains it where an answer takes a second", async () => {
    const { shares } = await simulate({ limitPerSecond: 200, seconds: 40, latencyMs: 1000 });
    expect(meanOf(shares.slice(5))).toBeGreaterThan(0.95);
  });

  test("sustains 90 % where each refusal halts everybody for a whole second", async () => {
    const { shares, refused } = await simulate({ limitPerSecond: 200, seconds: 120, retryAfter: "seconds" });
    expect(meanOf(shares.slice(10))).toBeGreaterThan(0.9);
    expect(refused).toBeLessThan(100);
  });

  test("needs no Retry-After", async () => {
    const { shares } = await simulate({ limitPerSecond: 200, seconds: 20, retryAfter: "none" });
    expect(meanOf(shares)).toBeGreaterThan(0.95);
  });

  test("finds a limit that was lifted", async () => {
    const later = { fromSecond: 10, limitPerSecond: 500 };
    const { shares } = await simulate({ limitPerSecond: 50, seconds: 40, later });
    expect(meanOf(shares.slice(30))).toBeGreaterThan(0.9);
  });

  test("finds a limit that was lowered, within a second or two", async () => {
    const later = { fromSecond: 10, limitPerSecond: 50 };
    const { shares, refused } = await simulate({ limitPerSecond: 500, seconds: 25, later });
    expect(meanOf(shares.slice(12))).toBeGreaterThan(0.93);
    expect(refused).toBeLessThan(600);
  });

  test("does not slow to a standstill over refusals that come at any rate", async () => {
    const { answered } = await simulate({
      limitPerSecond: 10_000,
      seconds: 60,
      refusedAtRandom: 0.02,
      maxConcurrency: 64,
    });
    // At most one refusal in 50 requests, each pausing everybody for 50 ms, allows 1,000 a second; AIMD alone ends near 30.
    expect(answered / 60).toBeGreaterThan(80);
  });

  test("never has more under way than allowed", async () => {
    const { mostInFlight } = await simulate({ limitPerSecond: 1000, seconds: 3, maxConcurrency: 20 });
    expect(mostInFlight).toBe(20);
  });
});

test("a run begins with as many under way as the one that was killed had, within what is allowed", async () => {
  const granted = async (reached: number | undefined): Promise<number> => {
    const pace = createPace({ clock: createVirtualClock({ settle: "promises" }), maxConcurrency: 100, reached });
    const asking = Array.from({ length: 200 }, () => pace.acquire().then(() => undefined));
    await Promise.race([Promise.all(asking), Promise.resolve()]);
    return pace.state().inFlight;
  };
  expect(await Promise.all([undefined, 3, 64, 500].map(granted))).toEqual([16, 16, 64, 100]);
});

describe("turns", () => {
  const open = () => {
    const clock = createVirtualClock({ settle: "promises" });
    return { clock, pace: createPace({ clock, maxConcurrency: 4 }) };
  };
  const take = (pace: ReturnType<typeof createPace>, count: number): Promise<Turn[]> =>
    Promise.all(Array.from({ length: count }, () => pace.acquire()));
  const elapsed = async (clock: VirtualClock, work: Promise<unknown>): Promise<number> => {
    const startMs = clock.now();
    await clock.run(work);
    return clock.now() - startMs;
  };

  test("a refusal's Retry-After holds everybody back", async () => {
    const { clock, pace } = open();
    const [first] = await take(pace, 1);
    first?.end({ kind: "limited", retryAfterMs: 7000 });
    expect(pace.state().pausedForMs).toBe(7000);
    expect(await elapsed(clock, pace.acquire())).toBeGreaterThanOrEqual(7000);
  });

  test("refusals of one burst count as one congestion", async () => {
    const { pace } = open();
    const turns = await take(pace, 4);
    turns[0]?.end({ kind: "limited" });
    const { ratePerSecond } = pace.state();
    for (const turn of turns.slice(1)) turn.end({ kind: "limited" });
    expect(pace.state().ratePerSecond).toBe(ratePerSecond);
  });

  test("silence cuts the concurrency once for all that were under way, refusals do not", async () => {
    const { pace } = open();
    const turns = await take(pace, 4);
    turns[0]?.end({ kind: "limited" });
    expect(pace.state().concurrency).toBe(4);
    turns[1]?.end({ kind: "overloaded" });
    const { concurrency } = pace.state();
    expect(concurrency).toBeLessThan(4);
    turns[2]?.end({ kind: "overloaded" });
    expect(pace.state().concurrency).toBe(concurrency);
  });

  test("a turn that is given back is somebody else's at once", async () => {
    const { pace } = open();
    const turns = await take(pace, 4);
    const waiting = pace.acquire();
    turns[0]?.giveBack();
    await expect(waiting).resolves.toBeDefined();
    expect(pace.state()).toMatchObject({ inFlight: 4, waiting: 0 });
  });

  test("whoever gives up waiting leaves the queue", async () => {
    const { pace } = open();
    await take(pace, 4);
    const controller = new AbortController();
    const waiting = pace.acquire(controller.signal);
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(pace.state().waiting).toBe(0);
    await expect(pace.acquire(controller.signal)).rejects.toThrow("enough");
  });
});
