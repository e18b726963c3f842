import { expect, test } from "vitest";
import type { Round } from "../records.ts";
import { afterVoid, type Status } from "./status.ts";

const round = { round: 2, promoted: false } as Round;
const decisions = (sinceLastRound: number): Status["decisions"] => ({ total: 700, escalated: 580, sinceLastRound });

test("a void certificate wants a round; one that has just found too little wants traffic first", () => {
  const next = (seen: number, lastRound: Round | undefined) =>
    afterVoid("14 wrong", { decisions: decisions(seen), lastRound });
  expect(next(0, undefined).command).toBe("flywheel improve");
  expect(next(400, round)).toEqual({ command: "flywheel improve", why: "the certificate is void: 14 wrong" });
  expect(next(0, { ...round, promoted: true }).command).toBe("flywheel improve");
  expect(next(0, round).command).toBe("flywheel serve");
  expect(next(0, round).why).toContain("round 2 found too little");
});
