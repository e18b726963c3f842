/** @file The labelling configuration (XML) that goes with our Label Studio tasks. */

import { fieldsOf, hasFields } from "../fields.ts";
import { type AnyTask, type Choice, choicesOf, type FieldsTask, type Task } from "../task.ts";

/** Names of the controls; every result refers to them. */
export const controlName = "label";
export const shownName = "input";

/** To be pasted into the project's labelling interface. */
export function labelStudioConfig(task: AnyTask): string {
  return ["<View>", ...(hasFields(task) ? fieldsView(task) : oneView(task)), "</View>", ""].join("\n");
}

const header = (text: string): string => `  <Header value="${escapeXml(text)}"/>`;

const oneView = (task: Task): readonly string[] => [
  header(task.instructions),
  `  ${shownTag(task)}`,
  ...choicesView(controlName, shownChoices(task)),
];

/** What is asked of each field right above its choices, which bear its name. */
const fieldsView = (task: FieldsTask): readonly string[] => [
  ...(task.instructions === "" ? [] : [header(task.instructions)]),
  `  ${shownTag(task)}`,
  ...fieldsOf(task).flatMap((field) => [
    header(field.task.instructions),
    ...choicesView(field.name, shownChoices(field.task)),
  ]),
];

/** Yes and no need no explanation. */
const shownChoices = (task: Task): readonly Pick<Choice, "value" | "description">[] =>
  task.output.kind === "predicate" ? choicesOf(task).map(({ value }) => ({ value })) : choicesOf(task);

const choicesView = (name: string, choices: ReturnType<typeof shownChoices>): readonly string[] => [
  `  <Choices name="${name}" toName="${shownName}" choice="single" showInLine="true">`,
  ...choices.map((choice) => `    <Choice value="${escapeXml(choice.value)}"${hintOf(choice)}/>`),
  "  </Choices>",
];

function shownTag(task: AnyTask): string {
  switch (task.input) {
    case "image":
      return `<Image name="${shownName}" value="$image"/>`;
    case "text":
      return `<Text name="${shownName}" value="$text"/>`;
    case "record":
      return `<Table name="${shownName}" value="$record"/>`;
    default:
      return task.input satisfies never;
  }
}

function hintOf({ description }: Pick<Choice, "description">): string {
  return description ? ` hint="${escapeXml(description)}"` : "";
}

/** For attribute values. White space other than blanks is written as a reference: a parser would turn it into blanks. */
export function escapeXml(text: string): string {
  return withoutControls(text).replace(/[&<>"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * XML 1.0 cannot hold control characters or lone surrogates, not even as references.
 * Also what a choice is called in tasks and results, which must say the same as the configuration.
 */
export function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to be replaced
  return text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
}
