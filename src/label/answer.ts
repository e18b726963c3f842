/** @file The schema of a teacher's answer, and its labels by field. How words become labels is `../answer.ts`. */

import { propertiesOf, readLabel, readProperty } from "../answer.ts";
import { fieldsOf, hasFields } from "../fields.ts";
import type { LabelValue } from "../records.ts";
import type { AnyTask } from "../task.ts";
import type { Asked } from "./prompts.ts";

/** JSON schema of the answer, for constrained decoding. Labels in the order in which the prompt offers them. */
export function answerSchema(asked: readonly Asked[]) {
  const properties = asked.map(({ property, labels }) => [property, { type: "string" as const, enum: [...labels] }]);
  return {
    type: "object" as const,
    properties: Object.fromEntries(properties),
    required: asked.map(({ property }) => property),
    additionalProperties: false,
  };
}

/** The labels that `text` gives, by field; those that it leaves out or answers with no label are absent. */
export function readAnswers(task: AnyTask, text: string): Readonly<Record<string, LabelValue>> {
  const properties = hasFields(task) ? propertiesOf(fieldsOf(task), { text }) : undefined;
  const given = fieldsOf(task).flatMap(({ name, task: own }) => {
    const label =
      name === "" ? readLabel(own, { text }, { property: "label" }) : readProperty(own, properties?.get(name));
    return label === undefined ? [] : [[name, label] as const];
  });
  return Object.fromEntries(given);
}
