/**
 * @file Scores that a log gives as numbers. The task counts its levels from 0; an application may have counted from 1, and
 * its scores would then all be one level too high. So a field's numbers are read as places only where all that the log holds
 * can be places; one that cannot, and none of them is.
 */

import { propertiesOf } from "../../answer.ts";
import type { FieldView } from "../../fields.ts";
import { classesOf, normaliseLabel } from "../../task.ts";
import type { LoggedAnswer } from "./logged-call.ts";
import type { TakesPlaces } from "./read-answer.ts";

export type ScorePlaces = {
  /** Told of every answer to the prompts that are the task's, before the first is read. */
  see(answer: LoggedAnswer): void;
  /** False where no field could have any. */
  readonly isWanted: boolean;
  readonly areTaken: TakesPlaces;
  /** How numbers were read, for whoever can say whether that is right. */
  notes(): readonly string[];
};

export function createScorePlaces(fields: readonly FieldView[]): ScorePlaces {
  const scores = fields.filter(({ name, task }) => name !== "" && task.output.kind === "score");
  const seen = new Map(scores.map(({ name }) => [name, { inside: 0, outside: 0 }]));
  const areTaken: TakesPlaces = (field) => seen.get(field)?.outside === 0;
  return {
    see(answer) {
      const properties = answer.kind === "text" ? propertiesOf(fields, answer) : undefined;
      for (const { name, task } of scores) {
        const value = properties?.get(name);
        if (typeof value !== "number" || normaliseLabel(task, String(value)) !== undefined) continue;
        const count = seen.get(name)!;
        if (value in classesOf(task)) count.inside++;
        else count.outside++;
      }
    },
    isWanted: scores.length > 0,
    areTaken,
    notes: () =>
      scores.flatMap(({ name, task }) => {
        const { inside, outside } = seen.get(name)!;
        const levels = classesOf(task);
        const range = `0 ("${levels[0]}") to ${levels.length - 1} ("${levels.at(-1)}")`;
        if (outside > 0)
          return `${name}: ${outside} of ${inside + outside} numbers are not the place of a level, ${range}, so none is read as one; name the levels as the log does`;
        return inside > 0 ? `${name}: ${inside} numbers are read as places of levels, ${range}` : [];
      }),
  };
}
